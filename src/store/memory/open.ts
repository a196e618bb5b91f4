import { changeTopic } from "../../core/audit.ts";
import { type Commit, type RecordHead, recordId } from "../../core/commit.ts";
import { type VersionRow, decide } from "../../core/decide.ts";
import { boundedCommit } from "../commit-room.ts";
import { groupCommit } from "../group-commit.ts";
import { dumpMemory, restoreMemory } from "./dump.ts";
import { selectAudit, summarizeAudit } from "./audit.ts";
import { MemoryTables, selectEvents } from "./tables.ts";
import { pageRecords } from "../pages.ts";
import type { Newest, Store } from "../store.ts";

/** The engine for tests: the same promises as the others, but for durability. */
export function openMemory(options: { now: () => number; epoch?: string }): Store {
  let tables = new MemoryTables();
  let epoch = options.epoch ?? "memory";
  const replaced = new Set<() => void>();
  const listeners = new Set<(newest: Newest) => void>();

  const committer = groupCommit(async (batch: Commit[]) => {
    const decision = decide(batch, tables, options.now());
    tables.apply(decision);
    queueMicrotask(() => {
      for (const listener of listeners) listener(tables.heads);
    });
    return decision.outcomes;
  });

  const stored = ({ head, value }: VersionRow) => ({ ...head, value });

  return {
    commit: boundedCommit(committer.commit),
    now: options.now,
    head: async (collection, key) => tables.records.get(recordId(collection, key)),
    get: async (collection, key) => tables.current(collection, key),
    version: async (collection, key, version) => {
      const row = tables.kept(collection, key).find(({ head }) => head.version === version && !head.deleted);
      return row && stored(row);
    },
    history: async (collection, key, limit) =>
      tables
        .kept(collection, key)
        .map(({ head }) => head)
        .reverse()
        .slice(0, limit),
    list: async (collection, range = {}) => tables.list(collection, range),
    pages: (collection, range = {}) => pagesOf(tables.list(collection, range)),
    listValues: async (collection, range = {}) =>
      tables.list(collection, range).flatMap(({ key }) => tables.current(collection, key) ?? []),
    events: async (query) => selectEvents(tables.events, query),
    audit: async ({ order, limit, after = 0, topic }) => {
      const passing = tables.audit.filter(
        (row) => row.id > after && (!topic || topic.test(changeTopic(row))),
      );
      return (order === "newest" ? passing.reverse() : passing).slice(0, limit);
    },
    auditTrail: async (query) => selectAudit(tables.audit, query),
    auditSummary: async (span) => summarizeAudit(selectAudit(tables.audit, { ...span, limit: Infinity })),
    usage: async (query) => tables.usage.find(query),
    usageTotals: async (query) => tables.usage.totals(query),
    addMetrics: async (rows) => tables.usage.addMetrics(rows),
    metrics: async (query) => tables.usage.findMetrics(query),
    metricTotals: async (period) => tables.usage.metricTotals(period),
    trimMetrics: async (before) => tables.usage.trimMetrics(before),
    size: async () => 0,
    heads: async () => {
      const { heads, events, audit } = tables;
      return {
        ...heads,
        epoch,
        firstEvent: events[0]?.id ?? heads.events + 1,
        firstAudit: audit[0]?.id ?? heads.audit + 1,
      };
    },
    touch: async (collection, times) => tables.touch(collection, times),
    dropExpired: async (collection, at) => tables.dropExpired(collection, at),
    trimEvents: async (keep) => tables.trimEvents(keep),
    takeTurn: async () => true,
    trimHistory: async (retention, at) => tables.trimHistory(retention, at),
    dump: () => dumpMemory(tables, epoch),
    restore: async (rows, by) => {
      tables = await restoreMemory(rows, by, tables, options.now());
      epoch = `${epoch}'`;
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
    close: () => committer.idle(),
  };
}

/** Heads are never changed, only replaced, so that a list of them is a snapshot. */
async function* pagesOf(heads: readonly RecordHead[]): AsyncGenerator<RecordHead[]> {
  for (let at = 0; at < heads.length; at += pageRecords) yield heads.slice(at, at + pageRecords);
}
