import type { Glob } from "../core/glob.ts";
import { type Reader, openSubscription } from "./subscription.ts";
import { Tail, pageEntries, tailEntries } from "./tail.ts";

/**
 * Tails a log into subscriptions. Live delivery is a hint, the log is the truth: each subscription is only a cursor,
 * fed from memory while it keeps up and from the log when it has fallen behind. So a slow reader costs no memory,
 * delays nobody, and never sees a gap that it is not told of.
 */

/** One entry of a log, with its text as subscribers get it, made once for all of them. */
export interface Entry {
  id: number;
  topic: string;
  frame: string;
}

/** The log that is followed. */
export interface Log {
  /** Entries after an id, oldest first, at most `limit`; none only when there are no more that match. */
  read(after: number, limit: number, topic?: Glob): Promise<Entry[]>;
  /** The oldest entry that is kept and the newest; of an empty log `first` is `last + 1`. */
  heads(): Promise<{ first: number; last: number }>;
  /** Calls back after commits with the newest id; a hint. Returns the function that ends it. */
  watch(listener: (last: number) => void): () => void;
}

/** Where a subscription's entries go. */
export interface Sink {
  /** Returns false when the sink took the frame but wants no more until `resume` is called. */
  send(frame: string): boolean;
  /** Entries that matched or not, from one id to another, are gone: retention was faster than this reader. */
  gap(from: number, to: number): boolean;
}

export interface Subscription {
  /** The id up to which everything was handed to the sink. */
  readonly position: number;
  /** Since when the sink has had no room, in milliseconds; undefined while it takes frames. */
  readonly blockedSince: number | undefined;
  /** The sink has room again. */
  resume(): void;
  close(): void;
}

export interface SubscribeOptions {
  /** The id after which to begin. */
  after: number;
  topic: Glob;
  sink: Sink;
}

export interface Feed {
  subscribe(options: SubscribeOptions): Subscription;
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

  /** Brings the tail up to the newest hint, then lets every subscription take what it wants. */
  async function fill(): Promise<void> {
    if (filling) return;
    filling = true;
    try {
      while (source.tail.newest < source.last && readers.size > 0) {
        const { last, tail } = source;
        // A tail that is far behind begins anew at the end; who needs what is between reads it from the log.
        const page = await log.read(last - tail.newest > tailEntries ? last - 1 : tail.newest, pageEntries);
        if (page.length === 0) break;
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
