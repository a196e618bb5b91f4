import type { Glob } from "../core/glob.ts";

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
