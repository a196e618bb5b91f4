import { compileGlobs } from "../core/glob.ts";
import type { Op } from "../core/commit.ts";
import type { Feed } from "../feed/feed.ts";
import type { Entry, Subscription } from "../feed/log.ts";
import type { Store } from "../store/store.ts";
import type { Attempt, Send } from "./attempt.ts";
import { openBook } from "./book.ts";
import { disabling, succeeded } from "./outcome.ts";
import type { RetryRoom } from "./retry-room.ts";
import { openRetries } from "./retries.ts";
import type { Settler } from "./settler.ts";
import { type Place, type Retry, type Webhook, cutTopic, remember } from "./webhook.ts";

/** What the lanes of all webhooks share. */
export interface LaneHouse {
  store: Store;
  feed: Feed;
  settler: Settler;
  send: Send;
  /** Waits until a delivery may begin. */
  pace: () => Promise<void>;
  room: RetryRoom;
  now: () => number;
  /** From 0 to 1. */
  random: () => number;
  /** By how many attempts were made, in milliseconds. */
  delays: readonly number[];
  /** The header `webhook-id` of an event. */
  messageId: (event: number) => string;
  /** A delivery came to something. */
  count: (outcome: "delivered" | "failed") => void;
  /** So many events more are lost for a webhook. */
  countMissed: (events: number) => void;
  warn: (id: string, what: string) => void;
  /** Something else holds of the webhook, or of who delivers, than what a lane was opened with. */
  onVoid: () => void;
}

export interface LaneStart {
  id: string;
  version: number;
  webhook: Webhook;
  place: Place;
  placeVersion: number;
  retries: readonly Retry[];
}

export interface Lane {
  readonly version: number;
  /** Begins nothing more. */
  readonly ending: boolean;
  /** Not one of a webhook that is disabled: nothing is sent of it, and what is kept of it comes to its end. */
  readonly active: boolean;
  /** The last event that was looked at, or had its first attempt. */
  readonly position: number;
  /** Deliveries that are kept for another attempt. */
  readonly kept: number;
  /** Comes round: writes down how far the log was looked through, where nothing in it was for this webhook. */
  tidy(): Promise<void>;
  /** Begins nothing more, and resolves when what is under way has come to its end. */
  stop(): Promise<void>;
  /** Ends what is under way: its result is not written, so that it is delivered again. */
  cut(): void;
}

/**
 * One webhook's deliveries. Each event has its first attempt in the order of the log, one at a time, and how far it got is
 * written before the next one begins: so a crash repeats one delivery at most. What fails goes to the retries, which
 * have a time of their own and hold up nothing. All is written under the guard that nobody else moved it or deleted it.
 */
export function openLane(house: LaneHouse, start: LaneStart): Lane {
  const { id, webhook } = start;
  const book = openBook(house, start);
  const retries = openRetries(house, start, book);
  let delivering = false;

  async function first({ id: event, topic, frame }: Entry): Promise<void> {
    await house.pace();
    if (book.ending) return;
    const body = Buffer.from(frame());
    const attempt = await house.send(webhook, house.messageId(event), body, book.cut.signal);
    if (book.cut.signal.aborted) return;
    house.count(attempt.ok ? "delivered" : "failed");
    await goOn((place) => {
      const moved = { ...place, position: event };
      return attempt.ok
        ? {
            place: succeeded(moved, { event, topic, attempts: 1, code: attempt.code, at: house.now() }),
            ops: [],
          }
        : afterFailure(moved, event, topic, body, attempt);
    });
  }

  function afterFailure(place: Place, event: number, topic: string, body: Uint8Array, attempt: Attempt) {
    const failed = { ...place, fail_count: place.fail_count + 1 };
    const { code, error } = attempt;
    const about = { event, topic: cutTopic(topic), attempts: 1, code, error, at: house.now() };
    const ops = retries.keep(about, body, attempt.retryAfter);
    if (ops) return { place: failed, ops: [...ops, ...end(failed, attempt)] };
    house.warn(id, `there is no room to keep event ${event} for another attempt`);
    const dropped = remember({ ...failed, missed: failed.missed + 1 }, { ...about, status: "dropped" });
    return { place: dropped, ops: end(dropped, attempt) };
  }

  function end(place: Place, attempt: Attempt): readonly Op[] {
    const ops = disabling(start, place, attempt);
    if (ops.length > 0) book.end();
    return ops;
  }

  async function missed(from: number, to: number): Promise<void> {
    house.warn(id, `events ${from} to ${to} were removed by retention before they could be sent`);
    await goOn((place) => ({
      place: { ...place, position: to, missed: place.missed + to - from + 1 },
      ops: [],
    }));
  }

  /** Writes what an event came to, then takes the next. */
  async function goOn(step: Parameters<typeof book.settle>[0]): Promise<void> {
    const settled = await book.settle(step);
    delivering = false;
    if (settled && !book.ending) subscription?.resume();
  }

  function take(work: Promise<void>): false {
    delivering = true;
    book.track(work);
    return false;
  }

  const follow = (): Subscription =>
    house.feed.subscribe({
      after: start.place.position,
      topic: compileGlobs(webhook.patterns.join(",")),
      sink: {
        send: (entry) => take(first(entry)),
        gap: (from, to) => take(missed(from, to)),
      },
    });
  const subscription = webhook.active ? follow() : undefined;
  retries.plan();

  return {
    version: start.version,
    get ending() {
      return book.ending;
    },
    active: webhook.active,
    get position() {
      return Math.max(book.place.position, delivering ? 0 : (subscription?.position ?? 0));
    },
    get kept() {
      return retries.size;
    },
    async tidy() {
      retries.plan();
      const { position = 0 } = subscription ?? {};
      if (delivering || book.ending || position <= book.place.position) return;
      await book.settle((place) => ({
        place: { ...place, position: Math.max(place.position, position) },
        ops: [],
      }));
    },
    async stop() {
      book.end();
      subscription?.close();
      retries.stop();
      await book.finished();
      retries.close();
    },
    cut: () => book.cut.abort(),
  };
}
