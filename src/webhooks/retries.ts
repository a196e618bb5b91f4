import type { Op } from "../core/commit.ts";
import { nextAttempt } from "./backoff.ts";
import { type Book, later } from "./book.ts";
import type { LaneHouse, LaneStart } from "./lane.ts";
import { disabling, succeeded } from "./outcome.ts";
import { type Ended, type Retry, forgetRetry, putPayload, putRetry, retryKey } from "./webhook.ts";

/** A timer longer than this many milliseconds is set in parts: what counts is the store's clock. */
const longestTimer = 60_000;

/** What of one webhook did not get through, and is tried again. */
export interface Retries {
  /** What keeps an event for another attempt; nothing when there is no room. */
  keep(
    about: Omit<Ended, "status">,
    body: Uint8Array,
    retryAfter: string | undefined,
  ): readonly Op[] | undefined;
  /** Wakes when the next one is due. */
  plan(): void;
  readonly size: number;
  /** Wakes no more. */
  stop(): void;
  /** Gives back the room of all that is kept: once nothing is under way, since that may still be kept. */
  close(): void;
}

export function openRetries(house: LaneHouse, { id, webhook, retries }: LaneStart, book: Book): Retries {
  const { store, room, now } = house;
  const { uid } = webhook;
  const kept = room.open(retries);
  let running = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const next = (attempts: number, retryAfter: string | undefined) =>
    nextAttempt(attempts, now(), house.random(), retryAfter, house.delays);

  function earliest(): Retry | undefined {
    let found: Retry | undefined;
    for (const retry of kept.values())
      if (retry.status === "waiting" && (!found || retry.due < found.due)) found = retry;
    return found;
  }

  function plan(): void {
    clearTimeout(timer);
    const soonest = earliest();
    if (!soonest || book.ending || running) return;
    const wait = Math.min(longestTimer, Math.max(0, soonest.due - now()));
    timer = setTimeout(() => book.track(run()), wait);
    timer.unref();
  }

  /** One after the other: a receiver that is back is not sent a thousand at once. */
  async function run(): Promise<void> {
    running = true;
    try {
      for (let due = earliest(); due && due.due <= now() && !book.ending; due = earliest()) await again(due);
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
    if (!payload) return kept.remove(retry.event);
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
    const failed: Retry = { ...retry, ...about, error, status: due ? "waiting" : "failed", due: due ?? 0 };
    kept.put(failed);
    await book.settle((place) => {
      const end = code === 410 ? disabling(id, webhook, place, attempt) : [];
      if (end.length > 0) book.end();
      return { place, ops: [putRetry(uid, failed, now()), ...end] };
    });
  }

  return {
    keep(about, body, retryAfter) {
      const at = now();
      const due = next(1, retryAfter) ?? at;
      const retry: Retry = { ...about, status: "waiting", since: at, due, bytes: body.length };
      if (!kept.put(retry)) return undefined;
      plan();
      return [putRetry(uid, retry, at), putPayload(uid, retry, body, at)];
    },
    plan,
    get size() {
      return kept.size;
    },
    stop: () => clearTimeout(timer),
    close: kept.close,
  };
}
