const [second, minute, hour] = [1000, 60_000, 3_600_000];

/**
 * How long after a failed attempt the next one comes, by how many were made, in milliseconds: soon for what is being
 * restarted, then over most of a day for what is down.
 */
export const retryDelays: readonly number[] = [
  5 * second,
  30 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
];

/** Up to this part of a delay is added by chance, so that what failed together does not come again together. */
const jitter = 0.2;

/** A receiver may ask for no more patience than this, in milliseconds: a day. */
const longestRetryAfter = 24 * hour;

/**
 * When an event is tried again; nothing when it was tried often enough.
 *
 * @param attempts how many were made
 * @param now milliseconds since 1970
 * @param random from 0 to 1
 * @param retryAfter the answer's header: seconds, or a date
 */
export function nextAttempt(
  attempts: number,
  now: number,
  random: number,
  retryAfter: string | undefined,
  delays: readonly number[] = retryDelays,
): number | undefined {
  const delay = delays[attempts - 1];
  if (delay === undefined) return undefined;
  const wanted = Math.min(longestRetryAfter, retryAfterMs(retryAfter, now));
  return Math.round(now + Math.max(delay * (1 + jitter * random), wanted));
}

function retryAfterMs(header: string | undefined, now: number): number {
  if (header === undefined) return 0;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * second : Date.parse(header) - now;
  return Number.isNaN(ms) ? 0 : Math.max(0, ms);
}
