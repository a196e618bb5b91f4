import type { Database, SQLQueryBindings } from "bun:sqlite";
import {
  type Collection,
  type Commit,
  type Heads,
  type Outcome,
  collections,
  recordId,
} from "../core/commit.ts";
import { type Before, type Decision, type VersionRow, decide } from "../core/decide.ts";
import { closeDatabase, openDatabase } from "./sqlite-database.ts";
import { type RecordRow, readHead, recordColumns } from "./sqlite-rows.ts";

/** Events removed in one transaction: a bite of some milliseconds, after which waiting commits go first. */
const trimBite = 1000;

/** The one connection that writes. Synchronous; it runs in a worker, so that no request waits for a disk. */
export class SqliteWriter {
  readonly #db: Database;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(file: string, synchronous: "FULL" | "NORMAL") {
    this.#db = openDatabase(file, "write", synchronous);
    this.#sql = prepare(this.#db);
  }

  /** One batch, one transaction, one fsync. Returns the outcomes and the newest event's id. */
  transact(batch: readonly Commit[], now: number): { outcomes: Outcome[]; lastEvent: number } {
    return this.#db
      .transaction(() => {
        const decision = decide(batch, this.#load(batch), now);
        this.#apply(decision);
        return { outcomes: decision.outcomes, lastEvent: decision.heads.events };
      })
      .immediate();
  }

  touch(collection: Collection, times: ReadonlyMap<string, number>): void {
    this.#db
      .transaction(() => {
        for (const [key, at] of times) this.#sql.touch.run(at, collection, key);
      })
      .immediate();
  }

  /** Removes one bite of the oldest events beyond the newest `keep`; returns how many went. */
  trimEvents(keep: number): number {
    const heads = this.#heads();
    return this.#sql.trimEvents.run(heads.events - keep, trimBite).changes;
  }

  close(): void {
    this.#db.run("pragma optimize");
    closeDatabase(this.#db, this.#sql);
  }

  #heads(): Heads {
    return JSON.parse((this.#sql.heads.get() as { heads: string }).heads) as Heads;
  }

  #load(batch: readonly Commit[]): Before {
    const records: Before["records"] & Map<string, NonNullable<ReturnType<typeof readHead>>> = new Map();
    for (const commit of batch) {
      for (const op of commit.ops) {
        if (op.kind === "append") continue;
        const id = recordId(op.collection, op.key);
        if (records.has(id)) continue;
        const row = this.#sql.record.get(op.collection, op.key) as RecordRow | null;
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
    this.#sql.setHeads.run(JSON.stringify(decision.heads));
  }

  #writeVersion({ head, value }: VersionRow): void {
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
    if (!collections[head.collection].history) this.#sql.forget.run(head.collection, head.key);
    const { lastInsertRowid } = this.#sql.version.run(...shared, value);
    this.#sql.current.run(...shared, head.touchedAt, lastInsertRowid);
  }
}

/** Prepared once; a statement that is compiled anew for each write costs more than the write. */
function prepare(db: Database) {
  return {
    heads: db.prepare("select heads from heads where id = 1"),
    setHeads: db.prepare("update heads set heads = ? where id = 1"),
    record: db.prepare(`select ${recordColumns} from records where collection = ? and key = ?`),
    forget: db.prepare("delete from versions where collection = ? and key = ?"),
    version: db.prepare(
      `insert into versions (collection, key, version, revision, content_type, hash, size, deleted, updated_at,
         updated_by, value) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    current: db.prepare(
      `insert or replace into records (collection, key, version, revision, content_type, hash, size, deleted,
         updated_at, updated_by, touched_at, version_id) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    touch: db.prepare(
      "update records set touched_at = max(touched_at, ?) where collection = ? and key = ? and deleted = 0",
    ),
    event: db.prepare("insert into events (id, topic, source, created_at, data) values (?, ?, ?, ?, ?)"),
    audit: db.prepare(
      "insert into audit (id, at, actor, action, resource, detail, outcome, hash) values (?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    trimEvents: db.prepare(
      "delete from events where id in (select id from events where id <= ? order by id limit ?)",
    ),
  };
}
