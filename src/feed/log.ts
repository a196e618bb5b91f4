import type { Glob } from "../core/glob.ts";

/** One entry of a log. */
export interface Entry {
  id: number;
  topic: string;
  /** Has its id and its place in the log, but nobody is shown it. */
  hidden?: boolean;
  /** What it costs to keep, in characters, about. */
  size: number;
  /** Its text as every subscriber gets it: JSON. Made when first asked for, so that what nobody follows costs nothing. */
  frame: () => string;
}

/** Where a log stands. */
export interface LogHeads {
  /** Names the log: positions of another epoch mean nothing here. */
  epoch: string;
  /** The oldest entry that is kept and the newest; of an empty log `first` is `last + 1`. */
  first: number;
  last: number;
}

/** The log that is followed. */
export interface Log {
  /** Entries after an id, oldest first, at most `limit`; none only when there are no more that match. */
  read(after: number, limit: number, topic?: Glob): Promise<Entry[]>;
  heads(): Promise<LogHeads>;
  /** Calls back after commits with the newest id; a hint. Returns the function that ends it. */
  watch(listener: (last: number) => void): () => void;
}

/** Where a subscription's entries go. */
export interface Sink {
  /** Returns false when the sink took the entry but wants no more until `resume` is called. */
  send(entry: Entry): boolean;
  /** Entries that matched or not, from one id to another, are gone: retention was faster than this reader. */
  gap(from: number, to: number): boolean;
  /** Entries that are there at once are handed over within this call, for a sink that sends several better together. */
  together?(handOver: () => void): void;
  /** All that the log has now was handed over. */
  idle?(): void;
  /** The log could not be read now; the subscription goes on with the next hint. */
  failed?(error: unknown): void;
  /** The log was replaced by another one: the subscription is over. */
  ended?(): void;
}

export interface Subscription {
  /** The id up to which everything was handed to the sink. */
  readonly position: number;
  /** Since when the sink has had no room, in milliseconds; undefined while it takes entries. */
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
