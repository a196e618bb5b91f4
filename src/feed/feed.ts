import { KoorError } from "../contract/errors.ts";
import type { Log, LogHeads, SubscribeOptions, Subscription } from "./log.ts";
import { type Reader, openSubscription } from "./subscription.ts";
import { Tail, pageEntries, tailEntries } from "./tail.ts";

/**
 * Tails a log into subscriptions. Live delivery is a hint, the log is the truth: each subscription is only a cursor,
 * fed from memory while it keeps up and from the log when it has fallen behind. So a slow reader costs no memory,
 * delays nobody, and never sees a gap that it is not told of.
 */

export interface Feed {
  /**
   * Where the log stands, and where a reader of this position begins: without one, at the end.
   * @throws KoorError `gone` when the position is of another log
   */
  place(position: Position): Promise<Place>;
  subscribe(options: SubscribeOptions): Subscription;
  /** How many follow. */
  readonly subscriptions: number;
  /** How many entries the one that is farthest behind has before it. */
  readonly lag: number;
  /** How often a reader was told that retention was faster than it. */
  readonly gaps: number;
  /** The log is another one now: what was known of it is forgotten, and subscriptions to the old one are over. */
  reset(): void;
  close(): void;
}

/** A position as a client states it. */
export interface Position {
  after?: number | undefined;
  epoch?: string | undefined;
}

export interface Place extends LogHeads {
  after: number;
}

export interface FeedOptions {
  log: Log;
  /** Milliseconds since 1970. */
  now: () => number;
  /** The log could not be read. Subscriptions stay where they are and go on with the next hint. */
  onError: (error: unknown) => void;
  /** Lets time pass after a round over all subscriptions that took so long, in milliseconds. */
  rest?: (roundMs: number) => Promise<void>;
}

/**
 * After a round over all subscriptions the feed rests for a multiple of the time that the round took, so that the entries
 * which come meanwhile go out together: one system call a socket instead of one an entry, and sockets cost little else (4
 * of 5 us). With few subscriptions rounds are too short to rest after; with many, deliveries wait at most `longestRest`.
 * Measured with 100 sockets and 500 events a second, turn by turn with a feed that does not rest and a socket that is not
 * corked, on a machine with seven times more to do than it could: 4 to 8 us of the server's time a delivery instead of 8
 * to 12, and with 1,000 sockets flat out 2.6 instead of 11.
 */
const restFactor = 10;
/** Rests of fewer milliseconds are left out: a timer is not more exact than that. */
const shortestRest = 1;
/** The longest rest, in milliseconds: half of what a delivery may take (50 ms at the 99th percentile). */
const longestRest = 25;

async function restAfter(roundMs: number): Promise<void> {
  const ms = Math.min(longestRest, roundMs * restFactor);
  if (ms >= shortestRest) await new Promise((resolve) => setTimeout(resolve, ms));
}

export function createFeed({ log, now, onError, rest = restAfter }: FeedOptions): Feed {
  const readers = new Set<Reader>();
  const source = { log, now, onError, tail: new Tail(), last: 0, gaps: 0 };
  let filling = false;
  /** How many logs there were before this one. */
  let generation = 0;

  /** Brings the tail up to the newest hint, then lets every subscription take what it wants. */
  async function fill(): Promise<void> {
    if (filling) return;
    filling = true;
    try {
      while (source.tail.newest < source.last && readers.size > 0) {
        const { last, tail } = source;
        const current = generation;
        // A tail that is far behind begins anew at the end; who needs what is between reads it from the log.
        const page = await log.read(last - tail.newest > tailEntries ? last - 1 : tail.newest, pageEntries);
        if (current !== generation) continue;
        if (page.length === 0) break;
        tail.extend(page);
        const began = performance.now();
        for (const reader of readers) reader.pump();
        await rest(performance.now() - began);
      }
    } finally {
      filling = false;
    }
  }

  const unwatch = log.watch((newest) => {
    source.last = Math.max(source.last, newest);
    fill().catch(onError);
    // What they need may not be in the tail, whose round they have missed.
    for (const reader of readers) if (reader.failed) reader.pump();
  });

  /** Where the log stands, and not one that was replaced while we asked. */
  async function heads(): Promise<LogHeads> {
    const current = generation;
    const found = await log.heads();
    return current === generation ? found : heads();
  }

  return {
    close: unwatch,
    get subscriptions() {
      return readers.size;
    },
    get lag() {
      let most = 0;
      for (const { position } of readers) most = Math.max(most, source.last - position);
      return most;
    },
    get gaps() {
      return source.gaps;
    },
    async place({ after, epoch }) {
      const at = await heads();
      if (after !== undefined && after > at.last) {
        throw gone(at, `position ${after} is not of this log, which ends at ${at.last}`);
      }
      if (epoch && epoch !== at.epoch) throw gone(at, "the epoch is that of another log");
      return { ...at, after: after ?? at.last };
    },
    reset() {
      source.tail.clear();
      source.last = 0;
      generation += 1;
      for (const reader of readers) reader.end();
    },
    subscribe(options) {
      const reader = openSubscription(source, options, () => {
        readers.delete(reader);
        if (readers.size === 0) source.tail.clear();
      });
      readers.add(reader);
      reader.pump();
      return reader;
    },
  };
}

function gone({ first }: LogHeads, message: string): KoorError {
  return new KoorError("gone", message, {
    oldest: first,
    hint: "The data was restored or replaced. Read the current state, then go on without a position.",
  });
}
