import type {
  AuditRow,
  Collection,
  Commit,
  EventRow,
  Heads,
  Outcome,
  RecordHead,
  StoredRecord,
} from "../core/commit.ts";
import type { DumpRow } from "../core/dump.ts";
import type { Glob } from "../core/glob.ts";
import type { Retention } from "../core/retention.ts";
import type { MetricRow, UsageGrouping, UsageRow, UsageTotals } from "../core/usage.ts";
import type { AuditFilters } from "./audit-filters.ts";

/**
 * The port to an engine. It knows records, versions and logs, and nothing of what Koor means by them.
 * Every adapter passes `testStore` in `conformance.ts`.
 */
export interface Store {
  /**
   * Commits, durably. Resolves after the transaction is on disk; a read that begins after that sees it.
   * @throws KoorError `out_of_space`, `unavailable`: nothing was written
   */
  commit(commit: Commit): Promise<Outcome>;

  /** The store's clock, as near as it is known here, in milliseconds since 1970. What must be exact, `decide` judges. */
  now(): number;

  /** A record without its value; tombstones included. */
  head(collection: Collection, key: string): Promise<RecordHead | undefined>;

  /** A record with its value, unless it is deleted. One past its end may still be here: see `isLive`. */
  get(collection: Collection, key: string): Promise<StoredRecord | undefined>;

  /** One version of a record as it was stored; `undefined` for tombstones and for what was never or no longer kept. */
  version(collection: Collection, key: string, version: number): Promise<StoredRecord | undefined>;

  /** The kept versions of a record without their values, newest first, tombstones included. */
  history(collection: Collection, key: string, limit: number): Promise<RecordHead[]>;

  /** Records that are not deleted, without their values, sorted by the bytes of their keys. */
  list(collection: Collection, range?: KeyRange): Promise<RecordHead[]>;

  /**
   * As `list`, in pages out of one snapshot, for those that may be many: between two of them others have their turn. A list of
   * more than a page holds the snapshot until it is read to its end, or returned early.
   *
   * @throws KoorError `unavailable` when too many such lists are read; an Error for one that is read too slowly
   */
  pages(collection: Collection, range?: KeyRange): AsyncGenerator<RecordHead[]>;

  /** As `list`, with the values. For collections of small records. */
  listValues(collection: Collection, range?: KeyRange): Promise<StoredRecord[]>;

  /** Events that pass all filters, applied to the whole log. */
  events(query: EventQuery): Promise<EventRow[]>;

  /** Audit rows in the log's order, for those who follow it. */
  audit(query: AuditQuery): Promise<AuditRow[]>;

  /**
   * Audit rows that pass all filters, newest first: by their time, then by their id. By time, and by a whole actor or
   * resource, what it costs follows what it finds, not what is stored.
   */
  auditTrail(query: AuditTrailQuery): Promise<AuditRow[]>;

  /** What the rows of a span of time come to. */
  auditSummary(span: TimeSpan): Promise<AuditSummary>;

  /** What models used, by all filters, newest first: by the calls' time, then by their id. */
  usage(query: UsageQuery): Promise<UsageRow[]>;

  /** Usage summed by name. What it costs follows the days and names, not the calls. */
  usageTotals(query: UsageTotalsQuery): Promise<Map<string, UsageTotals>>;

  /** Adds to what instances did. No version, no audit row, and not in a commit: nobody waits for it. */
  addMetrics(rows: readonly MetricRow[]): Promise<void>;

  /** What one instance did, by hours whose name begins with `period`, oldest first. */
  metrics(query: MetricQuery): Promise<MetricRow[]>;

  /** The same of every instance, summed over the hours; sorted by instance and name. */
  metricTotals(period: string): Promise<Omit<MetricRow, "period">[]>;

  /** Removes what was counted in hours before this one, in bites that leave room for commits. Returns how many rows went. */
  trimMetrics(before: string): Promise<number>;

  /** What the database takes up, in bytes; 0 in memory. */
  size(): Promise<number>;

  /** Where the store stands now. */
  heads(): Promise<StoreHeads>;

  /** Notes signs of life (key -> milliseconds). No version, no audit row; never moves a time back. */
  touch(collection: Collection, times: ReadonlyMap<string, number>): Promise<void>;

  /**
   * Removes the records that ended by themselves before a time, without a word in the audit, in bites that leave room
   * for commits. Only of collections without tombstones. Returns how many went.
   */
  dropExpired(collection: Collection, at: number): Promise<number>;

  /** Removes all events but the newest `keep`, in bites that leave room for commits. Returns how many went. */
  trimEvents(keep: number): Promise<number>;

  /** Whether it is this server's turn at a job that is done every so often: false when another had it just now. */
  takeTurn(job: string, everyMs: number): Promise<boolean>;

  /**
   * Removes the versions that are beyond a retention, of every collection with a history, in bites that leave room for
   * commits. What it costs follows what was written since the last time. Returns how many went.
   *
   * @param at what counts as now, in milliseconds since 1970
   */
  trimHistory(retention: Retention, at: number): Promise<number>;

  /**
   * Calls back after commits, with where the logs end. Coalesced, and only a hint: the logs are the truth.
   * Returns the function that ends it.
   */
  watch(listener: (newest: Newest) => void): () => void;

  /**
   * The whole store as rows, out of one snapshot, while others go on writing. The snapshot is taken with the first row
   * and let go of with the last, or when the iterator is returned early.
   */
  dump(): AsyncIterable<DumpRow>;

  /**
   * Replaces everything by the rows of a dump, in one transaction, under a new epoch and with an audit row that says so.
   * Commits that come meanwhile may be refused as `unavailable`.
   *
   * @param by who asked for it
   * @throws KoorError `bad_request` for rows that contradict each other, `out_of_space`; whatever `rows` throws. Then
   * nothing was changed
   */
  restore(rows: AsyncIterable<DumpRow>, by: string): Promise<void>;

  /** Calls back when all was replaced: what was known of the store is void. Returns the function that ends it. */
  onReplaced(listener: () => void): () => void;

  /** Finishes what was accepted, then lets go of the engine. */
  close(): Promise<void>;
}

/** The newest ids of the logs. */
export interface Newest {
  events: number;
  audit: number;
}

export interface KeyRange {
  prefix?: string | undefined;
  /** Only keys after this one. */
  after?: string | undefined;
  limit?: number | undefined;
}

export interface EventQuery {
  order: "newest" | "oldest";
  limit: number;
  /** Only ids above this. */
  after?: number | undefined;
  /** Only ids below this. */
  before?: number | undefined;
  topic?: Glob | undefined;
  /** Milliseconds since 1970, both inclusive. */
  from?: number | undefined;
  to?: number | undefined;
  source?: string | undefined;
}

export interface AuditQuery {
  order: "newest" | "oldest";
  limit: number;
  /** Only ids above this. */
  after?: number | undefined;
  /** Over the topics under which changes are followed: `changeTopic`. */
  topic?: Glob | undefined;
}

/** Milliseconds since 1970, both inclusive. */
export interface TimeSpan {
  from?: number | undefined;
  to?: number | undefined;
}

export interface AuditTrailQuery extends TimeSpan, AuditFilters {
  limit: number;
  /** Only rows that this order has behind the one of this id. */
  before?: number | undefined;
}

export interface AuditSummary {
  total: number;
  /** How many rows each action has, and each outcome. */
  actions: ReadonlyMap<string, number>;
  outcomes: ReadonlyMap<string, number>;
  /** How many different ones there are. */
  actors: number;
  resources: number;
}

export interface UsageQuery extends TimeSpan {
  limit: number;
  instanceId?: string | undefined;
  project?: string | undefined;
  sessionTag?: string | undefined;
}

export interface UsageTotalsQuery extends TimeSpan {
  by: UsageGrouping;
  /** Only this one's. */
  name?: string | undefined;
}

export interface MetricQuery {
  instanceId: string;
  /** What an hour's name begins with: `2026-11`, `2026-11-24T09`; empty for all. */
  period: string;
}

export interface StoreHeads extends Heads {
  /** Names this store's history: positions of another epoch mean nothing here. */
  epoch: string;
  /** The oldest event that is kept; `events + 1` when there is none. */
  firstEvent: number;
  /** The oldest audit row that is kept; `audit + 1` when there is none. */
  firstAudit: number;
}

/** A page of events ends early at this much data, so that a thousand events of 1 MiB do not become one answer. */
export const eventPageBytes = 16 * 1024 * 1024;

/** What an engine tells of each transaction: how many commits shared it, and how long it took, in milliseconds. */
export interface BatchFigures {
  commits: number;
  ms: number;
  /** Its end alone, with the fsync; undefined where the engine cannot tell. */
  syncMs?: number;
}
