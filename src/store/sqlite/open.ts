import { randomUUID } from "node:crypto";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { inBites } from "../bites.ts";
import { boundedCommit } from "../commit-room.ts";
import { auditSummary, auditTrail } from "./audit.ts";
import { migrate, openDatabase } from "./database.ts";
import { dumpSqlite } from "./dump.ts";
import { lockDirectory } from "./lock.ts";
import { SqliteReader } from "./reader.ts";
import { restoreSqlite } from "./restore.ts";
import { findMetrics, findUsage, metricTotals, usageTotals } from "./usage.ts";
import { type Writer, startWriter } from "./start-writer.ts";
import type { BatchFigures, Newest, Store } from "../store.ts";

export interface SqliteOptions {
  /** Made when missing. Holds `data.db` and the lock. */
  directory: string;
  /** Milliseconds since 1970. */
  now: () => number;
  /** What another server that tries this directory is told. */
  owner?: string;
  /** `NORMAL` may lose the last commits on a power cut; only benchmarks ask for it. */
  synchronous?: "FULL" | "NORMAL";
  /** Commits that share one transaction, at most; only benchmarks ask for fewer than as many as there are. */
  batchCommits?: number;
  /** Told of each transaction. */
  onBatch?: (batch: BatchFigures) => void;
  newEpoch?: () => string;
}

/**
 * The embedded engine: one file, one process. Writes go through a worker, so that the event loop serves while
 * the disk works and no read waits for an fsync. Measured with four writers of 10 MiB values:
 * `/health` took 106 to 128 ms (median) with the writer in the event loop, 0.1 ms with it in a worker.
 *
 * @throws Error when the directory is held by another server or was written by a newer Koor
 */
export async function openSqlite(options: SqliteOptions): Promise<Store> {
  const { directory, now, newEpoch = randomUUID } = options;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const unlock = lockDirectory(directory, options.owner ?? `process ${process.pid}`);
  const file = join(directory, "data.db");
  try {
    const setup = openDatabase(file, "write");
    migrate(setup, newEpoch);
    const reader = new SqliteReader(openDatabase(file, "read"));
    setup.close();
    const listeners = new Set<(newest: Newest) => void>();
    const writer = startWriter({
      now,
      onReply: () => reader.endSnapshot(),
      onBatch: options.onBatch,
      // After the answers: whoever published hears of the commit before the subscribers do.
      onWritten: (newest) =>
        queueMicrotask(() => {
          for (const listener of listeners) listener(newest);
        }),
    });
    const { synchronous = "FULL", batchCommits } = options;
    await writer.ask({ kind: "open", file, synchronous, batchCommits });
    return assemble({ file, reader, writer, listeners, now, newEpoch, unlock });
  } catch (error) {
    unlock();
    throw error;
  }
}

interface Parts {
  file: string;
  reader: SqliteReader;
  writer: Writer;
  listeners: Set<(newest: Newest) => void>;
  now: () => number;
  newEpoch: () => string;
  unlock: () => void;
}

function assemble({ file, reader, writer, listeners, now, newEpoch, unlock }: Parts): Store {
  const replaced = new Set<() => void>();
  return {
    commit: boundedCommit(writer.commit),
    now,
    head: async (collection, key) => reader.head(collection, key),
    get: async (collection, key) => reader.get(collection, key),
    version: async (collection, key, version) => reader.version(collection, key, version),
    history: async (collection, key, limit) => reader.history(collection, key, limit),
    list: async (collection, range = {}) => reader.list(collection, range),
    pages: (collection, range = {}) => reader.pages(collection, range),
    listValues: async (collection, range = {}) => reader.listValues(collection, range),
    events: (query) => reader.events(query),
    audit: (query) => reader.audit(query),
    auditTrail: (query) => auditTrail(reader.db, query),
    auditSummary: (span) => auditSummary(reader.db, span),
    usage: async (query) => findUsage(reader.db, query),
    usageTotals: (query) => usageTotals(reader.db, query),
    addMetrics: async (rows) => {
      await writer.ask({ kind: "addMetrics", rows });
    },
    metrics: async (query) => findMetrics(reader.db, query),
    metricTotals: (period) => metricTotals(reader.db, period),
    trimMetrics: (before) => inBites(() => writer.ask({ kind: "trimMetrics", before })),
    size: async () => sizeOf(file) + sizeOf(`${file}-wal`),
    heads: async () => reader.heads(),
    touch: async (collection, times) => {
      await writer.ask({ kind: "touch", collection, times });
    },
    dropExpired: (collection, at) => inBites(() => writer.ask({ kind: "dropExpired", collection, at })),
    trimEvents: (keep) => inBites(() => writer.ask({ kind: "trimEvents", keep })),
    // The only server there is.
    takeTurn: async () => true,
    trimHistory: async (retention, at) => {
      for (let removed = 0; ;) {
        const bite = await writer.ask({ kind: "trimHistory", retention, at });
        removed += bite.removed;
        if (bite.done) return removed;
      }
    },
    dump: () => dumpSqlite(file),
    restore: async (rows, by) => {
      await restoreSqlite({ file, rows, by, now, epoch: newEpoch() });
      reader.endSnapshot();
      for (const listener of replaced) listener();
    },
    onReplaced: (listener) => {
      replaced.add(listener);
      return () => replaced.delete(listener);
    },
    watch: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: async () => {
      await writer.idle();
      // The writer last: the last connection to close folds the WAL into the database, and a reader cannot.
      reader.close();
      await writer.ask({ kind: "close" });
      writer.stop();
      unlock();
    },
  };
}

/** In bytes; what is not there takes up nothing. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
