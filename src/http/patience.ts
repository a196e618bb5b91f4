import { KoorError } from "../contract/errors.ts";
import type { Subscription } from "../feed/log.ts";
import type { Ledger } from "../metrics/ledger.ts";

/** Readers that take nothing: what a WebSocket and an event stream have in common. */

/** Why a follower was sent away; 4000 to 4999 are free for applications (RFC 6455, 7.4.2). The reason says the position. */
export const closeCodes = {
  /** The reader took nothing for a minute. Reconnect with `after`. */
  slowReader: 4008,
  /** Whoever follows is let in no more: a session of the dashboard has ended. */
  loggedOut: 4001,
  /** A backup was restored: positions mean nothing any more. Read the current state, then subscribe without `after`. */
  replaced: 4010,
  /** RFC 6455: the server goes away. */
  goingAway: 1001,
} as const;

/** WebSockets open at once, and event streams; systems give a process about as many files. */
export const followers = 16_384;

export interface FollowersOptions {
  /** Milliseconds since 1970. */
  now: () => number;
  /** As `followers`. */
  most?: number | undefined;
  /** One is sent away for taking nothing. */
  onSlow?: () => void;
}

/** @throws KoorError `unavailable` when as many are open as may be */
export function refuseOneMore(open: number, most: number): void {
  if (open < most) return;
  throw new KoorError("unavailable", `${most} follow already`, {
    retryAfter: 5,
    hint: "One connection can follow many topics: separate patterns with commas.",
  });
}

/** How long a reader may take nothing before it is closed, in milliseconds. */
export const patience = 60_000;
/** How often that is looked at, in milliseconds: 10,000 open readers take a millisecond. */
const patrol = 1_000;
/** How long a reader has for the last words, in milliseconds. */
export const lastWords = 5_000;

/** For whom a log is followed. */
export interface Reader {
  ledger: Ledger;
  /** As `Front.lasting`. */
  isIn?: (() => boolean) | undefined;
}

interface Watched {
  subscription: Subscription | undefined;
  isIn?: Reader["isIn"];
}

/**
 * Looks after readers, and sends away those that took nothing for too long, and those that are let in no more.
 * @returns the function that ends it
 */
export function watchReaders<T>(
  open: Iterable<T>,
  readerOf: (follower: T) => Watched,
  sendAway: (follower: T, why: "slowReader" | "loggedOut") => void,
  now: () => number,
): () => void {
  const timer = setInterval(() => {
    for (const follower of open) {
      const { subscription, isIn } = readerOf(follower);
      const since = subscription?.blockedSince;
      if (isIn?.() === false) sendAway(follower, "loggedOut");
      else if (since !== undefined && now() - since >= patience) sendAway(follower, "slowReader");
    }
  }, patrol);
  timer.unref();
  return () => clearInterval(timer);
}
