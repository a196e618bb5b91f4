import type { Log, SubscribeOptions, Subscription } from "./log.ts";
import { type Reader, openSubscription } from "./subscription.ts";
import { Tail, pageEntries, tailEntries } from "./tail.ts";

/**
 * Tails a log into subscriptions. Live delivery is a hint, the log is the truth: each subscription is only a cursor,
 * fed from memory while it keeps up and from the log when it has fallen behind. So a slow reader costs no memory,
 * delays nobody, and never sees a gap that it is not told of.
 */

export interface Feed {
  subscribe(options: SubscribeOptions): Subscription;
  /** The log is another one now: what was known of it is forgotten, and subscriptions to the old one are over. */
  reset(): void;
  close(): void;
}

export interface FeedOptions {
  log: Log;
  /** Milliseconds since 1970. */
  now: () => number;
  /** The log could not be read. Subscriptions stay where they are and go on with the next hint. */
  onError: (error: unknown) => void;
}

export function createFeed({ log, now, onError }: FeedOptions): Feed {
  const readers = new Set<Reader>();
  const source = { log, now, onError, tail: new Tail(), last: 0 };
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
        if (page.length === 0 || current !== generation) break;
        tail.extend(page);
        for (const reader of readers) reader.pump();
      }
    } finally {
      filling = false;
    }
  }

  const unwatch = log.watch((newest) => {
    source.last = Math.max(source.last, newest);
    fill().catch(onError);
  });

  return {
    close: unwatch,
    reset() {
      for (const reader of readers) reader.close();
      source.tail.clear();
      source.last = 0;
      generation += 1;
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
