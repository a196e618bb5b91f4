import type { Database, SQLQueryBindings } from "bun:sqlite";
import {
  type Collection,
  type Commit,
  type Heads,
  type Outcome,
  collections,
  recordId,
} from "../../core/commit.ts";
import { type Before, type Decision, type VersionRow, decide, recordsOf } from "../../core/decide.ts";
import type { Retention } from "../../core/retention.ts";
import type { MetricRow } from "../../core/usage.ts";
import { readHeads } from "../heads.ts";
import { closeDatabase, openDatabase } from "./database.ts";
import { type RecordRow, auditColumns, readHead, recordColumns } from "./rows.ts";
import { type HistoryTrimmer, type TrimBite, historyTrimmer } from "./trim.ts";
import { addMetrics, insertUsage, usageStatements } from "./usage.ts";
import type { Newest } from "../store.ts";

/** Rows removed in one transaction: a bite of some milliseconds, after which waiting commits go first. */
const trimBite = 1000;

/** The one connection that writes. Synchronous; it runs in a worker, so that no request waits for a disk. */
export class SqliteWriter {
  readonly #db: Database;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #trimmer: HistoryTrimmer;

  constructor(file: string, synchronous: "FULL" | "NORMAL") {
    this.#db = openDatabase(file, "write", synchronous);
    this.#sql = prepare(this.#db);
    this.#trimmer = historyTrimmer(this.#db);
  }

  /** One batch, one transaction, one fsync. Returns the outcomes, where the logs end, and how long the end took. */
  transact(batch: readonly Commit[], now: number): { outcomes: Outcome[]; newest: Newest; syncMs: number } {
    let applied = 0;
    const written = this.#db
      .transaction(() => {
        const decision = decide(batch, this.#load(batch), now);
        this.#apply(decision);
        const { events, audit } = decision.heads;
        applied = performance.now();
        return { outcomes: decision.outcomes, newest: { events, audit } };
      })
      .immediate();
    return { ...written, syncMs: performance.now() - applied };
  }

  touch(collection: Collection, times: ReadonlyMap<string, number>): void {
    this.#db
      .transaction(() => {
        for (const [key, at] of times) this.#sql.touch.run(at, collection, key);
      })
      .immediate();
  }

  addMetrics(rows: readonly MetricRow[]): void {
    this.#db.transaction(() => addMetrics(this.#sql, rows)).immediate();
  }

  /** Removes one bite of what was counted before an hour; returns how many rows went. */
  trimMetrics(before: string): number {
    return this.#sql.trimMetrics.run(before, trimBite).changes;
  }

  /** Removes one bite of the records that have ended; returns how many went. */
  dropExpired(collection: Collection, at: number): number {
    return this.#db
      .transaction(() => {
        const rows = this.#sql.expired.all(collection, at, trimBite) as { key: string }[];
        for (const { key } of rows) {
          this.#sql.forget.run(collection, key);
          this.#sql.remove.run(collection, key);
        }
        if (rows.length > 0) {
          const heads = this.#heads();
          const live = { ...heads.live, [collection]: heads.live[collection] - rows.length };
          this.#sql.setHeads.run(JSON.stringify({ ...heads, live } satisfies Heads));
        }
        return rows.length;
      })
      .immediate();
  }

  /** Removes one bite of the oldest events beyond the newest `keep`; returns how many went. */
  trimEvents(keep: number): number {
    const heads = this.#heads();
    return this.#sql.trimEvents.run(heads.events - keep, trimBite).changes;
  }

  /** Removes one bite of the versions that are beyond the retention. */
  trimHistory(retention: Retention, at: number): TrimBite {
    try {
      return this.#db.transaction(() => this.#trimmer.bite(retention, at)).immediate();
    } catch (error) {
      // What it knows was for rows that are back now.
      this.#trimmer.reset();
      throw error;
    }
  }

  close(): void {
    this.#db.run("pragma optimize");
    closeDatabase(this.#db, { ...this.#sql, ...this.#trimmer.statements });
  }

  #heads(): Heads {
    return readHeads((this.#sql.heads.get() as { heads: string }).heads);
  }

  #load(batch: readonly Commit[]): Before {
    const records: Before["records"] & Map<string, NonNullable<ReturnType<typeof readHead>>> = new Map();
    for (const commit of batch) {
      for (const { collection, key } of recordsOf(commit)) {
        const id = recordId(collection, key);
        if (records.has(id)) continue;
        const row = this.#sql.record.get(collection, key) as RecordRow | null;
        if (row) records.set(id, readHead(row));
      }
    }
    return { heads: this.#heads(), records };
  }

  #apply(decision: Decision): void {
    if (decision.outcomes.every((outcome) => !outcome.ok)) return;
    for (const row of decision.versions) this.#writeVersion(row);
    for (const event of decision.events) {
      this.#sql.event.run(event.id, event.topic, event.source, event.createdAt, event.data);
    }
    for (const row of decision.audit) {
      const { id, at, actor, action, resource, detail, outcome, hash } = row;
      this.#sql.audit.run(id, at, actor, action, resource, detail, outcome, hash);
    }
    insertUsage(this.#sql, decision.usage);
    this.#sql.setHeads.run(JSON.stringify(decision.heads));
  }

  #writeVersion({ head, value }: VersionRow): void {
    const { history, tombstones } = collections[head.collection];
    if (!history) this.#sql.forget.run(head.collection, head.key);
    if (head.deleted && !tombstones) {
      this.#sql.remove.run(head.collection, head.key);
      return;
    }
    const shared = [
      head.collection,
      head.key,
      head.version,
      head.revision,
      head.contentType,
      head.hash,
      head.size,
      Number(head.deleted),
      head.updatedAt,
      head.updatedBy,
    ] satisfies SQLQueryBindings[];
    const { lastInsertRowid } = this.#sql.version.run(...shared, value);
    const { touchedAt, createRevision, expiresAt } = head;
    this.#sql.current.run(...shared, touchedAt, createRevision, expiresAt, lastInsertRowid);
  }
}

/** Prepared once; a statement that is compiled anew for each write costs more than the write. */
function prepare(db: Database) {
  return {
    heads: db.prepare("select heads from heads where id = 1"),
    setHeads: db.prepare("update heads set heads = ? where id = 1"),
    record: db.prepare(`select ${recordColumns} from records where collection = ? and key = ?`),
    forget: db.prepare("delete from versions where collection = ? and key = ?"),
    remove: db.prepare("delete from records where collection = ? and key = ?"),
    version: db.prepare(
      `insert into versions (collection, key, version, revision, content_type, hash, size, deleted, updated_at,
         updated_by, value) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    current: db.prepare(
      `insert or replace into records (collection, key, version, revision, content_type, hash, size, deleted,
         updated_at, updated_by, touched_at, create_revision, expires_at, version_id)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    touch: db.prepare(
      "update records set touched_at = max(touched_at, ?) where collection = ? and key = ? and deleted = 0",
    ),
    event: db.prepare("insert into events (id, topic, source, created_at, data) values (?, ?, ?, ?, ?)"),
    audit: db.prepare(`insert into audit (${auditColumns}) values (?, ?, ?, ?, ?, ?, ?, ?)`),
    expired: db.prepare(
      "select key from records where collection = ? and expires_at > 0 and expires_at <= ? order by expires_at limit ?",
    ),
    ...usageStatements(db),
    trimMetrics: db.prepare(
      `delete from metrics where (instance_id, period, name) in
         (select instance_id, period, name from metrics where period < ? limit ?)`,
    ),
    trimEvents: db.prepare(
      "delete from events where id in (select id from events where id <= ? order by id limit ?)",
    ),
  };
}
