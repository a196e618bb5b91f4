import { signal } from "@preact/signals";
import { type Change, client, origin, subscribe } from "../server.ts";
import { heedServer, serverTime } from "./clock.ts";
import { sayState, stream, streamTimes } from "./connection.ts";

/** The one stream of changes: what was written, by whom. Lists of the page are kept true by it. */

/** How far back the page looks, in milliseconds: what the timeline shows. */
export const hour = 3_600_000;
/** Changes that the page keeps, and asks for when it begins. */
export const maxChanges = 4000;
/** Changes in one answer. */
const pageRows = 1000;
/** How long changes gather before lists hear of them, in milliseconds: a thousand a second are ten drawings. */
const gatherMs = 100;

/** Those of the last hour, oldest first; undefined until they are there. */
export const changes = signal<readonly Change[] | undefined>(undefined);

/** @param batch what came, oldest first; null: anything may have changed */
type Listener = (batch: readonly Change[] | null) => void;
const listeners = new Set<Listener>();

/** Hears of every change from now on. */
export function onChanges(listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function tell(batch: readonly Change[] | null): void {
  for (const listener of listeners) listener(batch);
}

stream("changes", follow, () => {
  changes.value = undefined;
});

interface Position {
  last: number;
  epoch: string | undefined;
}

/** Where the log stood when the server made the page, if it said so; of use once. All that the page asks is newer. */
let begun = placeOfPage(document.body.dataset["changes"]);

function placeOfPage(text = ""): Position | undefined {
  const [last, epoch] = text.split(" ");
  // With nothing in the past to read, the server would not be heard of before the first change.
  return Number(last) > 0 && epoch ? { last: Number(last), epoch } : undefined;
}

async function follow(signal: AbortSignal): Promise<void> {
  let asked = begun;
  begun = undefined;
  const { last, epoch } = asked ?? (await readPlace(signal));
  changes.value = recent(await readPast(last, signal));
  // What is read from here on is at least as new as the position that is followed from.
  if (!asked) tell(null);
  const frames = subscribe({
    server: origin,
    log: "changes",
    after: last,
    epoch,
    signal,
    patient: true,
    times: streamTimes,
    onState: (state) => {
      sayState("changes", state);
      // After a break it may be another server, and there are things that no change tells of.
      if (state === "live" && !asked) tell(null);
      asked = undefined;
    },
  });
  for await (const frame of frames) {
    if (frame.kind === "event") gather(frame.event as unknown as Change);
    // What was trimmed before it came here can have been anything.
    else tell(null);
  }
}

async function readPlace(signal: AbortSignal): Promise<Position> {
  const head = await client.send("changes.next", { query: { wait: "0ms" }, signal });
  heedServer(head.headers.get("date"));
  const { last_id: last } = (await head.json()) as { last_id: number };
  return { last, epoch: head.headers.get("koor-epoch") ?? undefined };
}

async function readPast(last: number, signal: AbortSignal): Promise<Change[]> {
  const past: Change[] = [];
  for (let after = Math.max(0, last - maxChanges); after < last;) {
    const query = { after: String(after), limit: String(pageRows), wait: "0ms" };
    const response = await client.send("changes.next", { query, signal });
    heedServer(response.headers.get("date"));
    const page = (await response.json()) as { events: Change[]; last_id: number };
    // What came after is told by whoever follows from there.
    past.push(...page.events.filter(({ id }) => id <= last));
    if (page.last_id <= after) break;
    after = page.last_id;
  }
  return past;
}

function recent(list: readonly Change[]): readonly Change[] {
  const since = new Date(serverTime() - hour).toISOString();
  const first = list.findIndex(({ created_at }) => created_at >= since);
  return first === -1 ? [] : list.slice(Math.max(first, list.length - maxChanges));
}

let gathered: Change[] = [];
/** Whether more came than are kept; then lists are asked for. */
let isCut = false;
let timer: ReturnType<typeof setTimeout> | undefined;

function gather(change: Change): void {
  gathered.push(change);
  // The timer is slow while nobody looks.
  if (gathered.length > 2 * maxChanges) {
    gathered = gathered.slice(-maxChanges);
    isCut = true;
  }
  timer ??= setTimeout(() => {
    timer = undefined;
    const batch = gathered;
    gathered = [];
    changes.value = recent([...(changes.value ?? []), ...batch]);
    tell(isCut ? null : batch);
    isCut = false;
  }, gatherMs);
}
