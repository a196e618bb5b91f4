import { type Client, type ClientOptions, createClient } from "./client.ts";
import { ClientError } from "./client-error.ts";
import { type Frame, readFrame } from "./frames.ts";
import { type LogName, type Position, nextFrames, otherLog, pollOnce } from "./poll.ts";
import { type SocketConstructor, type SocketEnd, type SocketTimes, socketFrames } from "./socket.ts";

export type { EventFrame, Frame, GapFrame } from "./frames.ts";

/** What a subscription is doing: following live, asking again and again, or waiting to connect again. */
export type SubscriptionState = "live" | "polling" | "waiting";

export interface SubscribeOptions extends ClientOptions {
  /** What to follow; events unless said. Of changes a frame's `event` is a change. */
  log?: LogName | undefined;
  /** Globs over the topic, with commas between; all unless said. */
  pattern?: string | undefined;
  /** First what came after this event; unless said, only what is new. */
  after?: number | undefined;
  /** The log that `after` is of. */
  epoch?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Keep trying although the very first connection fails. */
  patient?: boolean | undefined;
  onState?: ((state: SubscriptionState) => void) | undefined;
  /** Unless given, the runtime's own; null: there is none, poll. */
  WebSocket?: SocketConstructor | null | undefined;
  /** From 0 to 1, for the jitter. */
  random?: (() => number) | undefined;
  times?: Partial<SubscribeTimes> | undefined;
}

/** In milliseconds. */
export interface SubscribeTimes extends SocketTimes {
  /** The first wait after a break; it doubles with each that follows. */
  backoffMs: number;
  /** The longest wait. */
  backoffMaxMs: number;
  /** Between two polls that were answered at once and with nothing. */
  pollMs: number;
  /** How long to poll before WebSockets are tried again. */
  pollForMs: number;
}

const defaultTimes: SubscribeTimes = {
  handshakeMs: 10_000,
  pingMs: 30_000,
  backoffMs: 250,
  // A server that is started again is found within this time, and a thousand clients are then spread over it.
  backoffMaxMs: 15_000,
  pollMs: 1_000,
  pollForMs: 300_000,
};

/** Refused this often in a row by a server that answers otherwise: once can be a server that is just starting. */
const refusalsBeforePolling = 2;

/** A connection that lived for this long was a good one: the next break waits as briefly as the first. */
const goodConnectionMs = 10_000;

/** Answers to a plain request that trying again will not change. The wrong token stays wrong. */
const final = new Set([401, 403, 410]);

/**
 * Follows events, across breaks and restarts of the server: each event that matches once and in order, and a gap frame
 * where retention was faster. It ends only by its signal, by leaving the loop, or by throwing.
 *
 * @throws ClientError `gone` when the server's log is another one now; `unauthorized`; `bad_request` for a malformed
 * pattern; `no_server` when the very first connection fails
 */
export async function* subscribe(options: SubscribeOptions): AsyncGenerator<Frame, void> {
  const client = createClient(options);
  const followed: Followed = { client, log: options.log ?? "events", pattern: options.pattern };
  const signal = options.signal ?? new AbortController().signal;
  const times = { ...defaultTimes, ...options.times };
  const position: Position = { after: options.after, epoch: options.epoch };
  const Socket =
    options.WebSocket === undefined
      ? (globalThis.WebSocket as SocketConstructor | undefined)
      : options.WebSocket;
  const state = onChange(options.onState);
  let breaks = 0;
  let refusals = 0;
  let reached = options.patient ?? false;

  while (!signal.aborted) {
    const began = Date.now();
    const polls = !Socket || refusals >= refusalsBeforePolling;
    const reader = polls
      ? followByPolling(followed, position, {
          ...times,
          signal,
          forMs: Socket ? times.pollForMs : Infinity,
        })
      : followBySocket(followed, position, { ...times, WebSocket: Socket, signal });
    try {
      let result = await reader.next();
      for (; !result.done; result = await reader.next()) {
        reached = true;
        refusals = 0;
        state(polls ? "polling" : "live");
        if (result.value !== connected) yield result.value;
      }
      const end = result.value;
      if (end.kind === "refused") {
        // Whether it is the server, the way there, or only WebSockets on it.
        await askWhy(followed, position, end.status, times.handshakeMs, signal);
        refusals += 1;
        reached = true;
      } else if (polls) {
        refusals = refusalsBeforePolling - 1;
        continue;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!isPassing(error) || (isNoServer(error) && !reached)) throw error;
    } finally {
      // Also when whoever reads leaves the loop.
      await reader.return({ kind: "closed" });
    }
    if (signal.aborted) return;
    state("waiting");
    if (Date.now() - began > goodConnectionMs) breaks = 0;
    await sleep(backoff(breaks++, times, options.random ?? Math.random), signal);
  }
}

/** Says that the connection stands, before the first event. */
const connected = Symbol("connected");
type Heard = Frame | typeof connected;

/** What is followed, and through whom. */
interface Followed {
  client: Client;
  log: LogName;
  pattern: string | undefined;
}

async function* followBySocket(
  { client, log, pattern }: Followed,
  position: Position,
  options: SocketTimes & { WebSocket: SocketConstructor; signal: AbortSignal },
): AsyncGenerator<Heard, SocketEnd> {
  const query = { pattern, hello: "1", after: position.after, epoch: position.epoch };
  const url = webSocketUrl(client.url(`${log}.subscribe`, { query }));
  const frames = socketFrames({ ...options, url, headers: client.headers() });
  try {
    for (;;) {
      const { done, value } = await frames.next();
      if (done) return value;
      const frame = readFrame(value);
      if (frame?.kind === "hello") {
        if (position.epoch !== undefined && position.epoch !== frame.epoch)
          throw otherLog(position.after ?? 0, frame.lastId);
        position.epoch = frame.epoch;
        position.after ??= frame.lastId;
        yield connected;
      } else if (frame && moves(position, frame)) yield frame;
    }
  } finally {
    await frames.return({ kind: "closed" });
  }
}

/** Whether a frame is new here; then the position is behind it. */
function moves(position: Position, frame: Frame): boolean {
  const id = frame.kind === "event" ? frame.event.id : frame.to;
  if (position.after !== undefined && id <= position.after) return false;
  position.after = id;
  return true;
}

/** How long a server may hold a poll, in milliseconds: less than proxies let pass in silence. */
const holdMs = 30_000;

async function* followByPolling(
  followed: Followed,
  position: Position,
  { pollMs, forMs, signal }: { pollMs: number; forMs: number; signal: AbortSignal },
): AsyncGenerator<Heard, SocketEnd> {
  const { client, pattern } = followed;
  const until = Date.now() + forMs;
  // Answered at once: where the log stands, whether the pattern is malformed, and whether the server holds polls at all.
  let page = await nextFrames(client, position, { ...followed, waitMs: 0, signal }).catch(unlessMissing);
  const holds = page !== undefined;
  // Without, the history is asked for what may be wrong with the pattern.
  if (!holds)
    await (
      await client.send("events.history", { query: { last: 1, topic: pattern }, signal })
    ).body?.cancel();
  do {
    const began = Date.now();
    if (holds) {
      const waitMs = Math.min(holdMs, until - began);
      page ??= await nextFrames(client, position, { ...followed, waitMs, signal });
      yield* page;
    } else for await (const frame of pollOnce(client, position, pattern, signal)) yield frame;
    yield connected;
    // A server may answer at once and with nothing, as one that stops does: it is not to be asked in a loop.
    if (!page?.length) await sleep(Math.max(0, pollMs - (holds ? Date.now() - began : 0)), signal);
    page = undefined;
  } while (!signal.aborted && Date.now() < until);
  return { kind: "closed" };
}

/** Servers of before the long poll answer so. */
function unlessMissing(error: unknown): undefined {
  if (error instanceof ClientError && (error.status === 404 || error.status === 405)) return undefined;
  throw error;
}

/** Asks the same without a WebSocket, since most runtimes do not tell why a handshake failed. @throws ClientError */
async function askWhy(
  { client, log, pattern }: Followed,
  position: Position,
  status: number | undefined,
  patienceMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (status === 410) throw otherLog(position.after ?? 0);
  const query = { pattern, after: position.after, epoch: position.epoch };
  const patience = AbortSignal.timeout(patienceMs);
  try {
    const response = await client.send(`${log}.subscribe`, {
      query,
      signal: AbortSignal.any([signal, patience]),
    });
    await response.body?.cancel();
  } catch (error) {
    if (patience.aborted)
      throw new ClientError("the server does not answer", { reason: "no_answer", cause: error });
    // That it wants a WebSocket is what a server should say here; a field that is wrong stays wrong.
    if (!(error instanceof ClientError) || isPassing(error) || final.has(error.status) || error.path)
      throw error;
  }
}

/** What may be otherwise in a moment. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ClientError)) return false;
  return error.status === 0 ? error.reason !== "bad_request" : error.status === 429 || error.status >= 500;
}

function isNoServer(error: unknown): boolean {
  return error instanceof ClientError && error.reason === "no_server";
}

function webSocketUrl(url: string): string {
  return url.replace(/^http/, "ws");
}

/** Half of it is left to chance, so that those who were cut off together do not come back together. */
function backoff(breaks: number, { backoffMs, backoffMaxMs }: SubscribeTimes, random: () => number): number {
  const longest = Math.min(backoffMaxMs, backoffMs * 2 ** Math.min(breaks, 20));
  return longest * (0.5 + random() / 2);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

function onChange(
  listener: ((state: SubscriptionState) => void) | undefined,
): (state: SubscriptionState) => void {
  let last: SubscriptionState | undefined;
  return (state) => {
    if (state === last) return;
    last = state;
    listener?.(state);
  };
}
