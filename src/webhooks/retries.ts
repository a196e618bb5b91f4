import type { Op } from "../core/commit.ts";
import { nextAttempt } from "./backoff.ts";
import { type Book, later } from "./book.ts";
import type { LaneHouse, LaneStart } from "./lane.ts";
import { disabling, succeeded } from "./outcome.ts";
import {
  type Ended,
  type Retry,
  forgetRetry,
  keepFailedMs,
  putWithPayload,
  remember,
  retryKey,
} from "./webhook.ts";

/** What of one webhook did not get through, and is tried again. */
export interface Retries {
  /** What keeps an event for another attempt; nothing when there is no room. */
  keep(
    about: Omit<Ended, "status">,
    body: Uint8Array,
    retryAfter: string | undefined,
  ): readonly Op[] | undefined;
  /** Wakes when the next one is due; again where the clock may have been put forward. */
  plan(): void;
  readonly size: number;
  /** Wakes no more. */
  stop(): void;
  /** Gives back the room of all that is kept: once nothing is under way, since that may still be kept. */
  close(): void;
}

export function openRetries(house: LaneHouse, start: LaneStart, book: Book): Retries {
  const { id, webhook, retries } = start;
  const { store, room, now } = house;
  const { uid, active } = webhook;
  /** Nobody asked for another attempt meanwhile: what came of one is not to be written over that. */
  const asBefore: Op = {
    kind: "guard",
    collection: "webhooks",
    key: id,
    guard: { version: start.version },
  };
  const kept = room.open(retries);
  let running = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const next = (attempts: number, retryAfter: string | undefined) =>
    nextAttempt(attempts, now(), house.random(), retryAfter, house.delays);

  const isTried = (retry: Retry) => active && retry.status === "waiting";
  /** When there is something to do about it: another attempt, or its end. */
  const turnOf = (retry: Retry) => (isTried(retry) ? retry.due : retry.until);

  function earliest(): Retry | undefined {
    let found: Retry | undefined;
    for (const retry of kept.values()) if (!found || turnOf(retry) < turnOf(found)) found = retry;
    return found;
  }

  function plan(): void {
    clearTimeout(timer);
    const soonest = earliest();
    if (!soonest || book.ending || running) return;
    timer = setTimeout(() => book.track(run()), Math.max(0, turnOf(soonest) - now()));
    timer.unref();
  }

  /** One after the other: a receiver that is back is not sent a thousand at once. */
  async function run(): Promise<void> {
    running = true;
    try {
      const isOver = () => book.ending || book.cut.signal.aborted;
      for (let next = earliest(); next && turnOf(next) <= now() && !isOver(); next = earliest())
        await (isTried(next) ? again(next) : lose(next));
    } catch (error) {
      house.warn(id, `a retry cannot be made now: ${String(error)}`);
      await later();
    } finally {
      running = false;
      plan();
    }
  }

  async function again(retry: Retry): Promise<void> {
    const key = retryKey(uid, retry.event);
    await house.pace();
    // Where that takes longer than the delay, it is due before it is in the store.
    await book.written();
    if (book.ending) return;
    const payload = await store.get("webhook_payloads", key);
    if (!payload) return lose(retry);
    const attempt = await house.send(webhook, house.messageId(retry.event), payload.value, book.cut.signal);
    if (book.cut.signal.aborted) return;
    house.count(attempt.ok ? "delivered" : "failed");
    const { code, error } = attempt;
    const about = { event: retry.event, topic: retry.topic, attempts: retry.attempts + 1, code, at: now() };
    if (attempt.ok) {
      await book.settle((place) => ({ place: succeeded(place, about), ops: forgetRetry(key) }));
      return kept.remove(retry.event);
    }
    const due = next(about.attempts, attempt.retryAfter);
    const status = due ? "waiting" : "failed";
    const until = (due ?? about.at) + keepFailedMs;
    const failed: Retry = { ...retry, ...about, error, status, due: due ?? 0, until };
    kept.put(failed);
    await book.settle((place) => {
      const end = code === 410 ? disabling(start, place, attempt) : [];
      if (end.length > 0) book.end();
      return {
        place,
        ops: [...(end.length > 0 ? end : [asBefore]), ...putWithPayload(uid, failed, payload.value, now())],
      };
    });
  }

  /** What nobody took, and nobody asked for again: its end is said, and it is no longer kept. */
  async function lose({ event, topic, attempts, code, error, at }: Retry): Promise<void> {
    house.warn(id, `event ${event} is lost after ${attempts} attempts: ${error}`);
    const lost: Ended = { event, topic, status: "dropped", attempts, code, error, at };
    await book.settle((place) => ({
      place: remember({ ...place, missed: place.missed + 1 }, lost),
      ops: [asBefore, ...forgetRetry(retryKey(uid, event))],
    }));
    kept.remove(event);
  }

  return {
    keep(about, body, retryAfter) {
      const at = now();
      const due = next(1, retryAfter) ?? at;
      const until = due + keepFailedMs;
      const retry: Retry = { ...about, status: "waiting", due, until, bytes: body.length };
      if (!kept.put(retry)) return undefined;
      plan();
      return putWithPayload(uid, retry, body, at);
    },
    plan,
    get size() {
      return kept.size;
    },
    stop: () => clearTimeout(timer),
    close: kept.close,
  };
}
