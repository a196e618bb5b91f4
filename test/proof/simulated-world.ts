import type { Feed } from "../../src/feed/feed.ts";
import type { MemoryTables } from "../../src/store/memory/tables.ts";
import type { Store } from "../../src/store/store.ts";
import type { Operation } from "./register.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What runs between two starts; clients hold on to none of it. */
export interface Process {
  store: Store;
  feed: Feed;
  /** Rejects when the process is killed. */
  died: Promise<never>;
}

export interface World {
  time: VirtualTime;
  tables: MemoryTables;
  /** The process that runs now; a start is waited for. */
  process(): Promise<Process>;
  /** What clients called and were answered, by key. */
  histories: Map<string, Operation[]>;
  /** What each write was, and what its caller knows of it. */
  marks: Map<string, Mark>;
  /** Moments in one order. */
  moment(): number;
  /** True when clients have ended, and subscribers need only catch up. */
  ending(): boolean;
}

/** A write, by the text that it alone writes. */
export interface Mark {
  /** What its caller knows: that it took effect, that it did not, or neither. */
  fate: "done" | "refused" | "unknown";
  /** The id that a published event was given. */
  event?: number;
}

/** An answer, or that there will be none. */
export async function answerOf<T>(process: Process, work: Promise<T>): Promise<T> {
  return Promise.race([work, process.died]);
}
