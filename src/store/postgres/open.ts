import { randomUUID } from "node:crypto";
import type { Commit } from "../../core/commit.ts";
import { inBites } from "../bites.ts";
import { boundedCommit } from "../commit-room.ts";
import { groupCommit } from "../group-commit.ts";
import { explained } from "./advice.ts";
import { auditSummary, auditTrail } from "./audit.ts";
import { snapshotRoom } from "../pages.ts";
import { ask, connect, disconnect, inTransaction, speaking } from "./database.ts";
import { dumpPostgres } from "./dump.ts";
import { openHints } from "./hints.ts";
import { pagesOfPostgres, postgresReader } from "./reader.ts";
import { restorePostgres } from "./restore.ts";
import { migrate } from "./schema.ts";
import { clockSql, lockStand } from "./stand.ts";
import { postgresTrimmer } from "./trim.ts";
import { addMetrics, findMetrics, findUsage, metricTotals, usageTotals } from "./usage.ts";
import { dropExpired, takeTurn, touch, transact, trimEvents, trimMetrics } from "./writer.ts";
import type { BatchFigures, Store } from "../store.ts";

/** Connections for reading. A read is some hundred microseconds, and every server of a fleet has as many. */
const readConnections = 8;

/** Connections for what takes its time, made when there is something: two backups that are read, and one restored. */
const patientConnections = 3;

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database` */
  url: string;
  /** Where LISTEN works, if it is not there. */
  listenUrl?: string;
  /** Stands in for the database's clock, in tests. */
  now?: () => number;
  newEpoch?: () => string;
  onError: (error: unknown) => void;
  /** Told of each transaction. */
  onBatch?: (batch: BatchFigures) => void;
}

/**
 * The engine for many servers: one database, of which each is a client. Their order is the order in which they take the
 * lock of commits; what one has acknowledged, all of them read.
 *
 * @throws Error when the database cannot be reached, was written by a newer Koor or does not keep UTF-8
 */
export async function openPostgres({
  url,
  listenUrl,
  now,
  newEpoch = randomUUID,
  onError,
  onBatch,
}: PostgresOptions): Promise<Store> {
  // Writing and reading apart: a batch must not wait behind reads, nor they behind a batch that waits for its lock.
  const writing = connect(url, 2);
  const reading = connect(url, readConnections);
  const patient = connect(url, patientConnections, true);
  const disconnectAll = () => Promise.all([writing, reading, patient].map(disconnect));
  /** How far the database's clock is ahead of this machine's, in milliseconds. */
  let ahead = 0;
  const onClock = (at: number) => {
    ahead = at - Date.now();
  };
  try {
    await migrate(patient, newEpoch);
    onClock(Number((await ask(patient, `select ${clockSql} as now`)).rows[0]?.["now"]));
  } catch (error) {
    await disconnectAll();
    throw explained(error);
  }
  const hints = openHints({ pool: reading, url, listenUrl, onClock, onError });

  const committer = groupCommit(
    (batch: Commit[]) =>
      speaking(async () => {
        const began = performance.now();
        const { outcomes, newest, at } = await transact(writing, batch, now);
        onBatch?.({ commits: batch.length, ms: performance.now() - began });
        onClock(at);
        // Beside the answers: whoever follows has to read the log first.
        setImmediate(() => hints.committed(newest));
        return outcomes;
      }),
    // The database loads for the next batch while this process answers those of the one before: a third to a half more
    // PUTs a second at 32 connections, together with sending what belongs together at once (2 cores for everything).
    { answering: () => new Promise(setImmediate) },
  );
  const reader = postgresReader(reading);
  const withSnapshot = snapshotRoom();
  const trimmer = postgresTrimmer(writing);
  hints.onReplaced(trimmer.reset);
  /** Reads of what is followed. */
  const following = <T>(work: () => Promise<T>) =>
    speaking(work).catch((error: unknown) => {
      hints.missed();
      throw error;
    });

  return {
    commit: boundedCommit(committer.commit),
    now: now ?? (() => Date.now() + ahead),
    head: (collection, key) => speaking(() => reader.head(collection, key)),
    get: (collection, key) => speaking(() => reader.get(collection, key)),
    version: (collection, key, version) => speaking(() => reader.version(collection, key, version)),
    history: (collection, key, limit) => speaking(() => reader.history(collection, key, limit)),
    list: (collection, range = {}) => speaking(() => reader.list(collection, range)),
    pages: (collection, range = {}) => withSnapshot(() => pagesOfPostgres(reading, collection, range)),
    listValues: (collection, range = {}) => speaking(() => reader.listValues(collection, range)),
    events: (query) => following(() => reader.events(query)),
    audit: (query) => following(() => reader.audit(query)),
    auditTrail: (query) => speaking(() => auditTrail(reading, query)),
    auditSummary: (span) => speaking(() => auditSummary(reading, span)),
    usage: (query) => speaking(() => findUsage(reading, query)),
    usageTotals: (query) => speaking(() => usageTotals(reading, query)),
    addMetrics: (rows) =>
      speaking(() => inTransaction(writing, [lockStand], ({ connection }) => addMetrics(connection, rows))),
    metrics: (query) => speaking(() => findMetrics(reading, query)),
    metricTotals: (period) => speaking(() => metricTotals(reading, period)),
    trimMetrics: (before) => inBites(() => speaking(() => trimMetrics(writing, before))),
    size: () => speaking(() => reader.size()),
    heads: () => following(() => reader.heads()),
    touch: (collection, times) => speaking(() => touch(writing, collection, times)),
    dropExpired: (collection, at) => inBites(() => speaking(() => dropExpired(writing, collection, at))),
    trimEvents: (keep) => inBites(() => speaking(() => trimEvents(writing, keep))),
    trimHistory: (retention, at) => speaking(() => trimmer.run(retention, at)),
    dump: () => dumpPostgres(patient),
    restore: async (rows, by) => {
      const clock = now ?? (() => Date.now() + ahead);
      await speaking(() => restorePostgres({ pool: patient, rows, by, now: clock, epoch: newEpoch() }));
      await hints.replaced();
    },
    onReplaced: hints.onReplaced,
    takeTurn: (job, everyMs) => speaking(() => takeTurn(writing, job, everyMs)),
    watch: hints.watch,
    close: async () => {
      await committer.idle();
      await hints.close();
      await disconnectAll();
    },
  };
}
