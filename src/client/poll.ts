import { type Client, readBytes } from "./client.ts";
import { ClientError } from "./client-error.ts";
import { type Frame, gap, readFrame, splitArray } from "./frames.ts";

/** Following a log by asking again and again, where WebSockets do not pass. */

/** The logs that can be followed. */
export type LogName = "events" | "changes";

/** Where a subscriber stands: the id up to which it has everything, and the log that this id is of. */
export interface Position {
  after: number | undefined;
  epoch: string | undefined;
}

/** Entries in one answer. */
const pageRows = 500;

export interface NextOptions {
  log: LogName;
  pattern: string | undefined;
  /** How long the server may wait for an entry, in milliseconds; it cuts this to a minute. */
  waitMs: number;
  limit?: number;
  signal: AbortSignal;
}

/**
 * One long poll: what matches after the position, or nothing when the time is up; the position moves along. What
 * retention has passed is told as a gap.
 *
 * @throws ClientError `gone` when the log is another one than the position's; `not_found` by servers that have no such route
 */
export async function nextFrames(client: Client, position: Position, options: NextOptions): Promise<Frame[]> {
  const { log, pattern, waitMs, limit = pageRows, signal } = options;
  const { after, epoch } = position;
  const query = { after, epoch, pattern, wait: `${Math.max(0, Math.round(waitMs))}ms`, limit };
  let response: Response;
  try {
    response = await client.send(`${log}.next`, { query, signal });
  } catch (error) {
    const oldest = error instanceof ClientError ? error.oldest : undefined;
    if (after === undefined || oldest === undefined || oldest <= after + 1) throw error;
    // Of another log the next request is refused, too, and then for good.
    const missed = gap(after + 1, oldest - 1);
    position.after = missed.to;
    await nextFrames(client, position, { ...options, waitMs: 0, limit: 1 }).catch((refused: unknown) => {
      position.after = after;
      throw refused;
    });
    position.after = missed.to;
    return [missed];
  }
  sameLog(response, position);
  const text = new TextDecoder().decode(await readBytes(response, client.server));
  position.after = (JSON.parse(text) as { last_id: number }).last_id;
  return eventFrames(text.slice(text.indexOf("["), text.lastIndexOf("]") + 1));
}

/**
 * The same by the history of events, for servers without long polls. Everything that matches after the position, and
 * nothing twice; the position moves along. Asks once when there is
 * nothing new, and otherwise three times or so: for the newest id, for what matches, for the oldest one that is left.
 *
 * @throws ClientError `gone` when the log is another one than the position's
 */
export async function* pollOnce(
  client: Client,
  position: Position,
  pattern: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<Frame> {
  const ask = (query: Record<string, string | number | undefined>) =>
    history(client, position, query, signal);
  const newest = (await ask({ last: 1 }))[0]?.event.id ?? 0;
  position.after ??= newest;
  if (newest < position.after) throw otherLog(position.after, newest);
  if (newest === position.after) return;

  for (;;) {
    const page = await ask({ after: position.after, limit: pageRows, topic: pattern });
    // Asked for after the page: what is still there now was there then. Before it, retention could come between the two.
    const oldest = (await ask({ after: position.after, limit: 1 }))[0]?.event.id ?? newest + 1;
    if (oldest > position.after + 1) {
      const frame = gap(position.after + 1, oldest - 1);
      position.after = frame.to;
      yield frame;
    }
    for (const frame of page) {
      if (frame.event.id <= position.after) continue;
      position.after = frame.event.id;
      yield frame;
    }
    if (page.length === 0 || position.after >= newest) break;
  }
  // What is not of the pattern need not be looked at again, nor be told as a gap when retention has taken it.
  position.after = Math.max(position.after, newest);
}

async function history(
  client: Client,
  position: Position,
  query: Record<string, string | number | undefined>,
  signal: AbortSignal,
) {
  const response = await client.send("events.history", { query, signal });
  sameLog(response, position);
  return eventFrames(new TextDecoder().decode(await readBytes(response, client.server)));
}

/** @throws ClientError `gone` when the answer is of another log than the position */
function sameLog(response: Response, position: Position): void {
  const epoch = response.headers.get("koor-epoch");
  if (epoch === null) return;
  position.epoch ??= epoch;
  if (position.epoch !== epoch) throw otherLog(position.after ?? 0);
}

function eventFrames(array: string) {
  return splitArray(array)
    .map(readFrame)
    .filter((frame) => frame?.kind === "event");
}

/** What the server says at the handshake, in the client's words. */
export function otherLog(after: number, newest?: number): ClientError {
  const end = newest === undefined ? "" : `, which ends at ${newest}`;
  return new ClientError(`position ${after} is not of this log${end}`, {
    reason: "gone",
    status: 410,
    hint: "The data was restored or replaced. Read the current state, then subscribe without a position.",
  });
}
