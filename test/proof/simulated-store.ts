import { KoorError } from "../../src/contract/errors.ts";
import type { Commit, Outcome } from "../../src/core/commit.ts";
import { decide } from "../../src/core/decide.ts";
import { createFeed } from "../../src/feed/feed.ts";
import { groupCommit } from "../../src/store/group-commit.ts";
import { type MemoryTables, selectEvents } from "../../src/store/memory/tables.ts";
import type { Newest, Store } from "../../src/store/store.ts";
import type { Random } from "./random.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** The parts of the product that a simulation runs. A test puts a faulty one in a part's place. */
export interface Parts {
  decide: typeof decide;
  groupCommit: typeof groupCommit;
  createFeed: typeof createFeed;
  /** The engine answers when what it wrote is on the disk, or before: the fault of one that does not sync. */
  answers: "when durable" | "before";
}

export const productParts: Parts = { decide, groupCommit, createFeed, answers: "when durable" };

/** How often the engine fails, of all batches. */
export interface Trouble {
  /** Before it wrote anything; it says so. */
  failsBefore: number;
  /** After it wrote; nobody knows. */
  failsAfter: number;
  /** When the log is read. */
  readFails: number;
}

export interface SimulatedStore {
  store: Store;
  /** The process is gone: what it had not written is lost, and it never answers again. */
  kill(): void;
}

export interface SimulatedStoreOptions {
  /** The disk: it outlives the process. */
  tables: MemoryTables;
  time: VirtualTime;
  random: Random;
  parts: Parts;
  /** Looked at each time, so that trouble can end. */
  trouble: () => Trouble;
}

const never = new Promise<never>(() => {});

/** A store with the product's committer and `decide` over tables in memory, slow and troubled as the random numbers say. */
export function openSimulated({
  tables,
  time,
  random,
  parts,
  trouble,
}: SimulatedStoreOptions): SimulatedStore {
  const listeners = new Set<(newest: Newest) => void>();
  let alive = true;
  let writing = Promise.resolve();

  /** Takes a while; of a process that was killed meanwhile nothing more is heard. */
  async function pause(most: number): Promise<void> {
    await time.sleep(random.below(most));
    if (!alive) await never;
  }

  async function hint(): Promise<void> {
    await pause(10);
    for (const listener of listeners) listener(tables.heads);
  }

  async function transact(batch: Commit[]): Promise<Outcome[]> {
    await pause(5);
    if (random.chance(trouble().failsBefore)) throw new KoorError("unavailable", "nothing was written");
    await writing;
    const decision = parts.decide(batch, tables, time.now());
    const write = async () => {
      await pause(20);
      tables.apply(decision);
      void hint();
    };
    writing = write();
    if (parts.answers === "when durable") await writing;
    if (random.chance(trouble().failsAfter)) throw new Error("the connection was lost");
    await pause(5);
    return decision.outcomes;
  }

  async function readable(): Promise<void> {
    await pause(8);
    if (random.chance(trouble().readFails)) throw new Error("the log cannot be read now");
  }

  const committer = parts.groupCommit(transact);
  const used: Partial<Store> = {
    commit: committer.commit,
    get: async (collection, key) => tables.current(collection, key),
    heads: async () => {
      await readable();
      const { heads, events } = tables;
      return { ...heads, epoch: "simulated", firstEvent: events[0]?.id ?? heads.events + 1, firstAudit: 1 };
    },
    events: async (query) => {
      await readable();
      const rows = selectEvents(tables.events, query);
      await pause(8);
      return rows;
    },
    watch: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return { store: used as Store, kill: () => void (alive = false) };
}
