import { signal } from "@preact/signals";
import { ClientError } from "../../client/client-error.ts";
import { type CallAnswer, createClient } from "../../client/client.ts";
import { readFrame, splitArray } from "../../client/frames.ts";
import { type SubscriptionState, subscribe } from "../../client/subscribe.ts";
import { type Row, addRows, maxRows, toRow } from "./recent-events.ts";

/** What the page shows, and what keeps it true: events as they come, everything else asked for anew. */

export type Health = CallAnswer<"metrics.health">;
export type Metrics = CallAnswer<"metrics.read">;
export type Instance = CallAnswer<"instances.list">[number];
export type StateKey = CallAnswer<"state.list">[number];

/** How often the numbers are asked for, in milliseconds, while somebody looks. */
const refreshEvery = 3000;
/** How soon after an event, in milliseconds: many events that come together are one reason. */
const refreshAfterEvent = 400;
/** How long events gather before they are drawn, in milliseconds: a thousand a second are ten drawings. */
const drawEvery = 100;
/** The longest wait before the next attempt to connect, in milliseconds: a person is looking. */
const reconnectWithin = 2000;
/** Keys in the list; there may be a hundred thousand. */
export const maxKeys = 500;

export const session = signal<"none" | "needed" | "open">("none");
export const connection = signal<SubscriptionState | "connecting">("connecting");
export const health = signal<Health | undefined>(undefined);
export const metrics = signal<Metrics | undefined>(undefined);
export const instances = signal<readonly Instance[] | undefined>(undefined);
export const stateKeys = signal<readonly StateKey[] | undefined>(undefined);
/** Newest first; undefined until the first of them are there. */
export const events = signal<readonly Row[] | undefined>(undefined);
/** The newest event that was there before this page looked; those above came while it did. */
export const liveAfter = signal(0);
/** When the numbers were last right, in milliseconds since 1970. */
export const refreshedAt = signal(0);
export const now = signal(Date.now());

const server = location.origin;
const client = createClient({ server });

/** Ends what is under way; a new one for each login. */
let running = new AbortController();

/** Starts the page. */
export function begin(): void {
  session.value = (document.body.dataset.session ?? "none") as typeof session.value;
  setInterval(() => {
    now.value = Date.now();
  }, 1000);
  setInterval(() => {
    if (!document.hidden && connection.value !== "waiting") refresh();
  }, refreshEvery);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });
  connection.subscribe((state) => {
    if (state === "live") refresh();
  });
  if (session.value !== "needed") follow();
}

/** Goes live after a login. */
export function loggedIn(): void {
  session.value = "open";
  follow();
}

/** Stops, and asks for the token. What was shown is forgotten. */
export function loggedOut(): void {
  running.abort();
  session.value = "needed";
  connection.value = "connecting";
  for (const shown of [health, metrics, instances, stateKeys, events]) shown.value = undefined;
}

let refreshing = false;
let refreshWanted = false;

/** Asks for the numbers, one time after the other. Failures wait for the next time: the connection says what is wrong. */
function refresh(): void {
  refreshWanted = true;
  if (refreshing || session.value === "needed") return;
  refreshing = true;
  refreshWanted = false;
  readNumbers(running.signal)
    .catch(noticeLogout)
    .finally(() => {
      refreshing = false;
      if (refreshWanted) refresh();
    });
}

async function readNumbers(signal: AbortSignal): Promise<void> {
  const [healthNow, metricsNow, instancesNow, keysNow] = await Promise.all([
    client.call("metrics.health", { signal }),
    client.call("metrics.read", { signal }),
    client.call("instances.list", { signal }),
    client.call("state.list", { query: { limit: String(maxKeys) }, signal }),
  ]);
  if (signal.aborted) return;
  health.value = healthNow;
  metrics.value = metricsNow;
  instances.value = instancesNow;
  stateKeys.value = keysNow;
  refreshedAt.value = Date.now();
  now.value = Date.now();
}

let refreshTimer: ReturnType<typeof setTimeout> | undefined;

function refreshSoon(): void {
  refreshTimer ??= setTimeout(() => {
    refreshTimer = undefined;
    refresh();
  }, refreshAfterEvent);
}

/** Follows the events until logged out, whatever happens to the server in between. */
function follow(): void {
  running = new AbortController();
  const { signal } = running;
  refresh();
  const again = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await followOnce(signal);
      } catch (error) {
        if (noticeLogout(error)) return;
        // `gone`: the data was replaced, so what is shown is of another log. All else passes.
        if (error instanceof ClientError && error.reason === "gone") events.value = undefined;
        else connection.value = "waiting";
        await new Promise((resolve) => setTimeout(resolve, reconnectWithin / 2));
      }
    }
  };
  void again();
}

async function followOnce(signal: AbortSignal): Promise<void> {
  const response = await client.send("events.history", { query: { last: maxRows }, signal });
  const past = splitArray(await response.text())
    .map(readFrame)
    .filter((frame) => frame?.kind === "event")
    .map(toRow)
    .reverse();
  gathered = [];
  liveAfter.value = past.at(-1)?.id ?? 0;
  events.value = addRows([], past);
  const frames = subscribe({
    server,
    after: liveAfter.value,
    signal,
    patient: true,
    times: { backoffMaxMs: reconnectWithin },
    onState: (state) => {
      connection.value = state;
    },
  });
  for await (const frame of frames) draw(toRow(frame));
}

let gathered: Row[] = [];
let drawTimer: ReturnType<typeof setTimeout> | undefined;

function draw(row: Row): void {
  gathered.push(row);
  // The timer is slow while nobody looks; the list would forget more than this all the same.
  if (gathered.length > 2 * maxRows) gathered = gathered.slice(-maxRows);
  drawTimer ??= setTimeout(() => {
    drawTimer = undefined;
    if (events.value) events.value = addRows(events.value, gathered);
    gathered = [];
    now.value = Date.now();
  }, drawEvery);
  refreshSoon();
}

/** Whether the session has ended; then the token is asked for. */
function noticeLogout(error: unknown): boolean {
  if (!(error instanceof ClientError) || error.status !== 401) return false;
  if (session.value !== "needed") loggedOut();
  return true;
}
