import { KoorError } from "../contract/errors.ts";
import { limits } from "../contract/limits.ts";
import { RawJson } from "../contract/raw-json.ts";
import type { Glob } from "../core/glob.ts";
import { patternOf } from "../core/pattern.ts";
import type { Feed, Position } from "./feed.ts";
import type { WaitingRoom } from "./waiting-room.ts";

/** Text in one answer, in characters; one that is over it ends the answer. As much as a page of the history has at most. */
const answerCharacters = 16 * 1024 * 1024;

export interface PollQuery extends Position {
  pattern?: string | undefined;
  wait?: number | undefined;
  limit?: number | undefined;
}

export interface PollInput {
  query: PollQuery;
  signal?: AbortSignal;
}

/** The long poll over a feed: a subscription that lives until it has something, or the time is up. */
export function pollOf(feed: Feed, room: WaitingRoom) {
  /**
   * @returns `events` as JSON that was made already
   * @throws KoorError `gone` when the position is of another log, or retention has passed it; `rate_limited`
   */
  return async ({ query, signal }: PollInput): Promise<{ events: never; last_id: number }> => {
    const topic = patternOf("pattern", query.pattern ?? "");
    const { after, first } = await feed.place(query);
    if (first > after + 1) throw passed(after, first);
    const { frames, position } = await collect(feed, after, topic, query, room, signal);
    return { events: new RawJson(`[${frames.join(",")}]`) as never, last_id: position };
  };
}

function passed(after: number, oldest: number): KoorError {
  return new KoorError("gone", `position ${after} has passed: the oldest that is kept is ${oldest}`, {
    oldest,
    hint: `What was between is gone. Read the current state, then go on with after=${oldest - 1}.`,
  });
}

function collect(
  feed: Feed,
  after: number,
  topic: Glob,
  { wait = 0, limit = limits.pageRows }: PollQuery,
  room: WaitingRoom,
  signal: AbortSignal | undefined,
): Promise<{ frames: string[]; position: number }> {
  return new Promise((resolve, reject) => {
    const frames: string[] = [];
    let characters = 0;
    let over = false;
    const leave = wait > 0 ? room.enter(wait, signal, () => finish()) : () => {};
    const subscription = feed.subscribe({
      after,
      topic,
      sink: {
        send(entry) {
          const frame = entry.frame();
          frames.push(frame);
          characters += frame.length;
          if (frames.length < limit && characters < answerCharacters) return true;
          finish();
          return false;
        },
        gap(from, to) {
          // What came before it is the answer, and the next request is told.
          if (frames.length > 0) finish(from - 1);
          else end(() => reject(passed(from - 1, to + 1)));
          return false;
        },
        idle() {
          if (frames.length > 0 || wait === 0) finish();
        },
        failed: (error) => end(() => reject(error)),
        ended: () => finish(),
      },
    });

    function finish(position = subscription.position): void {
      end(() => resolve({ frames, position }));
    }

    function end(settle: () => void): void {
      if (over) return;
      over = true;
      leave();
      subscription.close();
      settle();
    }
  });
}
