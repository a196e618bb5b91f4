import type { Glob } from "../core/glob.ts";

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
  /** Entries after an id, oldest first, at most `limit`; fewer only when there are no more or the page is full of bytes. */
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
  /** The sink has room again. */
  resume(): void;
  /** Since when the sink has had no room, in milliseconds; undefined while it takes frames. */
  readonly blockedSince: number | undefined;
  close(): void;
}

export interface Feed {
  /** @param after the id after which to begin */
  subscribe(options: { after: number; topic: Glob; sink: Sink }): Subscription;
  close(): void;
}

/** The newest entries are kept for those who keep up: at most this many, and this much text. */
const tailEntries = 1024;
const tailBytes = 8 * 1024 * 1024;
/** Entries read from the log in one go. */
const pageEntries = 256;

export interface FeedOptions {
  log: Log;
  /** Milliseconds since 1970. */
  now: () => number;
  /** The log could not be read. Subscriptions stay where they are and go on with the next hint. */
  onError: (error: unknown) => void;
}

export function createFeed({ log, now, onError }: FeedOptions): Feed {
  const subscriptions = new Set<{ pump(): void }>();
  let tail: Entry[] = [];
  let bytes = 0;
  /** The newest id that a hint named. */
  let last = 0;
  let filling = false;

  /** Brings the tail up to the newest hint, then lets every subscription take what it wants. */
  async function fill(): Promise<void> {
    if (filling) return;
    filling = true;
    try {
      for (;;) {
        const newest = tail.at(-1)?.id ?? 0;
        if (newest >= last || subscriptions.size === 0) break;
        // A tail that is far behind begins anew at the end; who needs what is between reads it from the log.
        const from = last - newest > tailEntries ? last - 1 : newest;
        const page = await log.read(from, pageEntries);
        if (page.length === 0) break;
        extend(page);
        for (const subscription of subscriptions) subscription.pump();
      }
    } finally {
      filling = false;
    }
  }

  function extend(page: readonly Entry[]): void {
    const newest = tail.at(-1)?.id;
    if (newest !== undefined && page[0]?.id !== newest + 1) clear();
    for (const entry of page) {
      tail.push(entry);
      bytes += entry.frame.length;
    }
    while (tail.length > tailEntries || (bytes > tailBytes && tail.length > 1)) {
      bytes -= (tail.shift() as Entry).frame.length;
    }
  }

  function clear(): void {
    tail = [];
    bytes = 0;
  }

  const unwatch = log.watch((newest) => {
    last = Math.max(last, newest);
    fill().catch(onError);
  });

  function subscribe({ after, topic, sink }: { after: number; topic: Glob; sink: Sink }): Subscription {
    let position = after;
    let blockedSince: number | undefined;
    let closed = false;
    let pumping = false;
    let again = false;
    let started = false;

    /** Hands one frame over; from then on the sink may be full. */
    function deliver(accepted: boolean): void {
      if (!accepted) blockedSince = now();
    }

    /** What is in memory. False when the next entry is not there. */
    function takeFromTail(): boolean {
      const oldest = tail[0]?.id;
      const newest = tail.at(-1)?.id ?? 0;
      if (oldest === undefined || position + 1 < oldest) return position >= Math.max(last, newest);
      for (let index = position + 1 - oldest; index < tail.length; index++) {
        if (blockedSince !== undefined || closed) return true;
        const entry = tail[index] as Entry;
        position = entry.id;
        if (topic.test(entry.topic)) deliver(sink.send(entry.frame));
      }
      return position >= last;
    }

    async function takeFromLog(): Promise<void> {
      const heads = await log.heads();
      last = Math.max(last, heads.last);
      if (closed || blockedSince !== undefined) return;
      if (heads.first > position + 1) {
        const from = position + 1;
        position = heads.first - 1;
        deliver(sink.gap(from, position));
        return;
      }
      const page = await log.read(position, pageEntries, topic);
      if (page.length === 0) position = Math.max(position, heads.last);
      for (const entry of page) {
        if (closed || blockedSince !== undefined) return;
        position = entry.id;
        deliver(sink.send(entry.frame));
      }
    }

    async function run(): Promise<void> {
      // Hints tell only of what is new; whether there is something old, the log knows.
      if (!started) await takeFromLog();
      started = true;
      do {
        again = false;
        while (!closed && blockedSince === undefined && !takeFromTail()) await takeFromLog();
      } while (again);
    }

    const subscription = {
      pump(): void {
        again = true;
        if (pumping || closed || blockedSince !== undefined) return;
        pumping = true;
        run()
          .catch(onError)
          .finally(() => {
            pumping = false;
          });
      },
      resume(): void {
        blockedSince = undefined;
        subscription.pump();
      },
      close(): void {
        closed = true;
        subscriptions.delete(subscription);
        if (subscriptions.size === 0) clear();
      },
      get position() {
        return position;
      },
      get blockedSince() {
        return blockedSince;
      },
    };
    subscriptions.add(subscription);
    subscription.pump();
    return subscription;
  }

  return { subscribe, close: unwatch };
}
