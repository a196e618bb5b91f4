import type { Database, SQLQueryBindings } from "bun:sqlite";
import { changeTopic } from "../../core/audit.ts";
import type { AuditRow, Collection, EventRow, RecordHead, StoredRecord } from "../../core/commit.ts";
import { bounds, prefixEnd } from "../key-range.ts";
import { readHeads } from "../heads.ts";
import { pageRecords, pageThrough, snapshotRoom } from "../pages.ts";
import { closeDatabase, openDatabase } from "./database.ts";
import {
  type EventHeadRow,
  type RecordRow,
  auditColumns,
  readEvent,
  readHead,
  recordColumns,
  versionColumns,
} from "./rows.ts";
import {
  type AuditQuery,
  type EventQuery,
  type KeyRange,
  type StoreHeads,
  eventPageBytes,
} from "../store.ts";
import { turn } from "../turn.ts";

type ValueRow = RecordRow & { value: Uint8Array };

/** An event's data where it is small enough to be read before it is known how much there is. */
const smallData = "iif(octet_length(data) <= 1024, data, null)";

/** Event rows looked at in one go while a glob scans the log; after each the event loop gets its turn. */
const scanRows = 2000;

/**
 * The reading connection. It reads whole results with `get` and `all`, never an iterator across an `await`: an
 * open read would hold back the checkpoint, and the WAL would grow.
 */
export class SqliteReader {
  readonly db: Database;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #withSnapshot = snapshotRoom();
  #inSnapshot = false;

  constructor(db: Database) {
    this.db = db;
    this.#sql = prepare(db);
  }

  /**
   * Lets the reads of one turn of the event loop share a snapshot: taking and leaving SQLite's locks costs more than a
   * read itself (2.5 us and 0.5 us for a head). It ends before an answer to a write is given, so that whoever
   * has the answer reads what was written, and with the turn, so that it holds back no checkpoint.
   */
  #begin(): void {
    if (this.#inSnapshot) return;
    this.#sql.begin.run();
    this.#inSnapshot = true;
    setImmediate(() => this.endSnapshot());
  }

  endSnapshot(): void {
    if (!this.#inSnapshot) return;
    this.#inSnapshot = false;
    this.#sql.commit.run();
  }

  head(collection: Collection, key: string): RecordHead | undefined {
    this.#begin();
    const row = this.#sql.head.get(collection, key) as RecordRow | null;
    return row ? readHead(row) : undefined;
  }

  get(collection: Collection, key: string): StoredRecord | undefined {
    this.#begin();
    const row = this.#sql.get.get(collection, key) as ValueRow | null;
    return row ? { ...readHead(row), value: row.value } : undefined;
  }

  version(collection: Collection, key: string, version: number): StoredRecord | undefined {
    const row = this.#sql.version.get(collection, key, version) as ValueRow | null;
    return row ? { ...readHead(row), value: row.value } : undefined;
  }

  history(collection: Collection, key: string, limit: number): RecordHead[] {
    return (this.#sql.history.all(collection, key, limit) as RecordRow[]).map(readHead);
  }

  list(collection: Collection, range: KeyRange): RecordHead[] {
    return (this.#sql.list.all(...listBindings(collection, range)) as RecordRow[]).map(readHead);
  }

  /** A short list here and now; a longer one on a connection of its own, whose snapshot lasts over many turns. */
  async *pages(collection: Collection, range: KeyRange): AsyncGenerator<RecordHead[]> {
    const { limit = Infinity } = range;
    const first = this.list(collection, { ...range, limit: Math.min(limit, pageRecords + 1) });
    if (first.length <= pageRecords) {
      yield first;
      return;
    }
    yield* this.#withSnapshot(() => snapshotOf(this.db.filename, collection, range));
  }

  listValues(collection: Collection, range: KeyRange): StoredRecord[] {
    const rows = this.#sql.listValues.all(...listBindings(collection, range)) as ValueRow[];
    return rows.map((row) => ({ ...readHead(row), value: row.value }));
  }

  heads(): StoreHeads {
    this.#begin();
    const row = this.#sql.heads.get() as {
      epoch: string;
      heads: string;
      first_event: number | null;
      first_audit: number | null;
    };
    const heads = readHeads(row.heads);
    return {
      ...heads,
      epoch: row.epoch,
      firstEvent: row.first_event ?? heads.events + 1,
      firstAudit: row.first_audit ?? heads.audit + 1,
    };
  }

  /**
   * First the rows' heads, by index or by scanning, then the data of those that pass. So a scan never reads
   * the payloads of events that nobody asked for. What does not scan has small data along with the heads. Each page is
   * read in one snapshot: one for each of fifty events took 365 us, all together take 45 (on their own; of a million
   * events 652 and 275, since each lies on a page of its own, and a read of one from the system's cache takes 4 us).
   *
   * Rejected: an index of topics that holds small data, too. It answers in 58 us whatever there is, but publishing to a
   * thousand topics fell from 27,000 to 11,000 a second, with a cache of 16 MB as well. And a larger cache for reading: in WAL
   * mode it is emptied by every commit.
   */
  async events(query: EventQuery): Promise<EventRow[]> {
    const { where, bindings } = eventConditions(query);
    const descending = query.order === "newest";
    const scan = query.topic?.kind === "glob";
    const sql = this.db.query(
      `select id, topic, source, created_at, ${scan ? "null" : smallData} as data from events where ${where}
         and id ${descending ? "<" : ">"} ? order by id ${descending ? "desc" : "asc"} limit ?`,
    );
    const found: EventRow[] = [];
    let bytes = 0;
    let cursor = descending ? Number.MAX_SAFE_INTEGER : (query.after ?? 0);
    for (;;) {
      const pageRows = scan ? scanRows : query.limit - found.length;
      this.#begin();
      const rows = sql.all(...bindings, cursor, pageRows) as (EventHeadRow & { data: string | null })[];
      for (const row of rows) {
        if (scan && !query.topic?.test(row.topic)) continue;
        const data = row.data ?? (this.#sql.eventData.get(row.id) as { data: string }).data;
        found.push(readEvent(row, data));
        bytes += data.length;
        if (found.length === query.limit || bytes > eventPageBytes) return found;
      }
      const last = rows.at(-1);
      if (!last || rows.length < pageRows) return found;
      cursor = last.id;
      await turn();
    }
  }

  async audit({ order, limit, after = 0, topic }: AuditQuery): Promise<AuditRow[]> {
    const descending = order === "newest";
    const sql = this.db.query(
      `select ${auditColumns} from audit where id > ? and id ${descending ? "<" : ">"} ?
         order by id ${descending ? "desc" : "asc"} limit ?`,
    );
    const found: AuditRow[] = [];
    let cursor = descending ? Number.MAX_SAFE_INTEGER : after;
    for (;;) {
      const pageRows = topic ? scanRows : limit - found.length;
      const rows = sql.all(after, cursor, pageRows) as AuditRow[];
      for (const row of rows) {
        if (topic && !topic.test(changeTopic(row))) continue;
        found.push(row);
        if (found.length === limit) return found;
      }
      const last = rows.at(-1);
      if (!last || rows.length < pageRows) return found;
      cursor = last.id;
      await turn();
    }
  }

  close(): void {
    this.endSnapshot();
    closeDatabase(this.db, this.#sql);
  }
}

const list = `from records where collection = ? and key >= ? and key > ? and (? is null or key < ?)
  and deleted = 0 order by key limit ?`;

async function* snapshotOf(
  file: string,
  collection: Collection,
  range: KeyRange,
): AsyncGenerator<RecordHead[]> {
  const db = openDatabase(file, "read");
  try {
    db.run("begin");
    const sql = db.query(`select ${recordColumns} ${list}`);
    yield* pageThrough(range, (page) =>
      (sql.all(...listBindings(collection, page)) as RecordRow[]).map(readHead),
    );
  } finally {
    db.run("rollback");
    // It finalizes the statements that `query` made, and would throw for others.
    db.close(true);
  }
}

function prepare(db: Database) {
  // The value by a subselect: the join of the two tables took four times as long (6.0 and 1.5 us a row).
  const current = `${recordColumns}, (select value from versions where id = version_id) as value`;
  return {
    begin: db.prepare("begin"),
    commit: db.prepare("commit"),
    head: db.prepare(`select ${recordColumns} from records where collection = ? and key = ?`),
    get: db.prepare(`select ${current} from records where collection = ? and key = ? and deleted = 0`),
    version: db.prepare(
      `select ${versionColumns}, value from versions
         where collection = ? and key = ? and version = ? and deleted = 0`,
    ),
    history: db.prepare(
      `select ${versionColumns} from versions where collection = ? and key = ? order by version desc limit ?`,
    ),
    list: db.prepare(`select ${recordColumns} ${list}`),
    listValues: db.prepare(`select ${current} ${list}`),
    heads: db.prepare(
      `select epoch, heads, (select min(id) from events) as first_event, (select min(id) from audit) as first_audit
         from heads where id = 1`,
    ),
    eventData: db.prepare("select data from events where id = ?"),
  };
}

function listBindings(collection: Collection, range: KeyRange): SQLQueryBindings[] {
  const { from, after, before } = bounds(range);
  // Every key is greater than the empty text, and a negative limit is none.
  return [collection, from, after ?? "", before ?? null, before ?? null, range.limit ?? -1];
}

function eventConditions(query: EventQuery): { where: string; bindings: SQLQueryBindings[] } {
  const terms: string[] = ["true"];
  const bindings: SQLQueryBindings[] = [];
  const add = (term: string, value: SQLQueryBindings) => {
    terms.push(term);
    bindings.push(value);
  };
  if (query.order === "newest" && query.after !== undefined) add("id > ?", query.after);
  if (query.before !== undefined) add("id < ?", query.before);
  if (query.from !== undefined) add("created_at >= ?", query.from);
  if (query.to !== undefined) add("created_at <= ?", query.to);
  if (query.source !== undefined) add("source = ?", query.source);
  const { topic } = query;
  if (topic?.kind === "exact") add("topic = ?", topic.prefix);
  else if (topic?.prefix) {
    const end = prefixEnd(topic.prefix);
    // The plus keeps the index on topics out: rows are wanted in the order of ids.
    add("+topic >= ?", topic.prefix);
    if (end !== undefined) add("+topic < ?", end);
  }
  return { where: terms.join(" and "), bindings };
}
