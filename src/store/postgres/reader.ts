import { changeTopic } from "../../core/audit.ts";
import type { AuditRow, Collection, EventRow, RecordHead, StoredRecord } from "../../core/commit.ts";
import { readHeads } from "../heads.ts";
import { bounds, prefixEnd } from "../key-range.ts";
import { pageThrough, snapshotMs } from "../pages.ts";
import { type Connection, type Pool, type Row, ask, inSnapshot } from "./database.ts";
import {
  auditColumns,
  readAudit,
  readEvent,
  readHead,
  readStored,
  recordColumns,
  versionColumns,
} from "./rows.ts";
import { epochOf, identitySql } from "./schema.ts";
import { headsSql } from "./stand.ts";
import {
  type AuditQuery,
  type EventQuery,
  type KeyRange,
  type StoreHeads,
  eventPageBytes,
} from "../store.ts";

/** Rows looked at in one go while a glob scans a log. */
export const scanRows = 2000;

/** What is current: its row, and its bytes beside it. */
const currentFrom = `from koor.records r join koor.versions v
  on v.collection = r.collection and v.key = r.key and v.version = r.version`;

const isCurrent = "r.collection = $1 and r.key = $2";

/** Reads. Each is one statement (or pages of one), so each sees one state of the database, the newest there is. */
export function postgresReader(pool: Pool | Connection) {
  const all = async (text: string, values: unknown[]) => (await ask(pool, text, values)).rows;
  const one = async (text: string, values: unknown[]) => (await all(text, values))[0];

  return {
    async head(collection: Collection, key: string): Promise<RecordHead | undefined> {
      const row = await one(`select ${recordColumns("r")} from koor.records r where ${isCurrent}`, [
        collection,
        key,
      ]);
      return row && readHead(row);
    },

    async get(collection: Collection, key: string): Promise<StoredRecord | undefined> {
      const row = await one(
        `select ${recordColumns("r")}, v.value ${currentFrom} where ${isCurrent} and not r.deleted`,
        [collection, key],
      );
      return row && readStored(row);
    },

    async version(collection: Collection, key: string, version: number): Promise<StoredRecord | undefined> {
      const row = await one(
        `select ${versionColumns("v")}, v.value from koor.versions v
           where v.collection = $1 and v.key = $2 and v.version = $3 and not v.deleted`,
        [collection, key, version],
      );
      return row && readStored(row);
    },

    async history(collection: Collection, key: string, limit: number): Promise<RecordHead[]> {
      const rows = await all(
        `select ${versionColumns("v")} from koor.versions v where v.collection = $1 and v.key = $2
           order by v.version desc limit $3`,
        [collection, key, limit],
      );
      return rows.map(readHead);
    },

    async list(collection: Collection, range: KeyRange): Promise<RecordHead[]> {
      const { where, values } = inRange(collection, range);
      return (await all(`select ${recordColumns("r")} from koor.records r ${where}`, values)).map(readHead);
    },

    async listValues(collection: Collection, range: KeyRange): Promise<StoredRecord[]> {
      const { where, values } = inRange(collection, range);
      return (await all(`select ${recordColumns("r")}, v.value ${currentFrom} ${where}`, values)).map(
        readStored,
      );
    },

    async size(): Promise<number> {
      const row = await one("select pg_database_size(current_database()) as bytes", []);
      return Number(row?.["bytes"] ?? 0);
    },

    async heads(): Promise<StoreHeads> {
      const row = await one(
        `select epoch, ${headsSql} as heads, (select min(id) from koor.events) as first_event,
           (select min(id) from koor.audit) as first_audit, (${identitySql}) as identity from koor.heads where id = 1`,
        [],
      );
      const heads = readHeads(row?.["heads"] as string);
      return {
        ...heads,
        epoch: epochOf(row?.["epoch"] as string, row?.["identity"] as string),
        firstEvent: Number(row?.["first_event"] ?? heads.events + 1),
        firstAudit: Number(row?.["first_audit"] ?? heads.audit + 1),
      };
    },

    async events(query: EventQuery): Promise<EventRow[]> {
      const found: EventRow[] = [];
      let bytes = 0;
      const { terms, values } = eventConditions(query);
      const scan = query.topic?.kind === "glob";
      const pages = logPages(all, { ...query, table: "events", terms, values, scan });
      for await (const rows of pages(() => found.length)) {
        for (const row of rows.map(readEvent)) {
          if (scan && !query.topic?.test(row.topic)) continue;
          found.push(row);
          bytes += row.data.length;
          if (found.length === query.limit || bytes > eventPageBytes) return found;
        }
      }
      return found;
    },

    async audit(query: AuditQuery): Promise<AuditRow[]> {
      const found: AuditRow[] = [];
      const scan = query.topic !== undefined;
      const pages = logPages(all, { ...query, table: "audit", terms: [], values: [], scan });
      for await (const rows of pages(() => found.length)) {
        for (const row of rows.map(readAudit)) {
          if (query.topic && !query.topic.test(changeTopic(row))) continue;
          found.push(row);
          if (found.length === query.limit) return found;
        }
      }
      return found;
    },
  };
}

/** A list in pages, out of one snapshot. */
export const pagesOfPostgres = (pool: Pool, collection: Collection, range: KeyRange) =>
  inSnapshot(pool, snapshotMs, (connection) =>
    pageThrough(range, (page) => postgresReader(connection).list(collection, page)),
  );

interface LogQuery {
  table: keyof typeof logColumns;
  order: "newest" | "oldest";
  limit: number;
  after?: number | undefined;
  terms: readonly string[];
  values: readonly unknown[];
  /** Rows are looked at by the caller, and most may not pass. */
  scan: boolean;
}

const logColumns = { events: "id, topic, source, created_at, data", audit: auditColumns };

/** Pages of a log until it ends, or the caller has enough. @param found how many rows have passed so far */
function logPages(
  all: (text: string, values: unknown[]) => Promise<Row[]>,
  { table, order, limit, after = 0, terms, values, scan }: LogQuery,
) {
  const descending = order === "newest";
  const byId = `order by id ${descending ? "desc" : "asc"}`;
  const [afterAt, cursorAt, limitAt] = [1, 2, 3].map((place) => `$${values.length + place}`);
  const page = `select ${logColumns[table]} from koor.${table} where ${[
    ...terms,
    `id > ${afterAt}`,
    `id ${descending ? "<" : ">"} ${cursorAt}`,
  ].join(" and ")} ${byId} limit ${limitAt}`;
  const text = table === "events" ? untilFull(page, byId) : page;
  return async function* pages(found: () => number): AsyncGenerator<Row[]> {
    let cursor = descending ? Number.MAX_SAFE_INTEGER : after;
    for (;;) {
      const pageRows = scan ? scanRows : limit - found();
      const rows = await all(text, [...values, after, cursor, pageRows]);
      yield rows;
      const last = rows.at(-1);
      if (!last || (rows.length < pageRows && !isFull(last))) return;
      cursor = Number(last["id"]);
    }
  };
}

/**
 * A page of events that ends early where it has enough bytes: a thousand events may be a gibibyte, which would all be here
 * before the first of them is looked at. Data that lies apart is measured without being read.
 */
const untilFull = (page: string, byId: string) =>
  `select * from (select *, sum(octet_length(data)) over (${byId}) as through from (${page}) wanted) measured
     where through - octet_length(data) <= ${eventPageBytes} ${byId}`;

const isFull = (last: Row) => Number(last["through"] ?? 0) > eventPageBytes;

function inRange(collection: Collection, range: KeyRange): { where: string; values: unknown[] } {
  const { from, after, before } = bounds(range);
  const values: unknown[] = [collection, from, after ?? ""];
  const upper = before === undefined ? "" : `and r.key < $${values.push(before)}`;
  const limit = range.limit === undefined ? "" : `limit $${values.push(range.limit)}`;
  const where = `where r.collection = $1 and r.key >= $2 and r.key > $3 ${upper} and not r.deleted order by r.key ${limit}`;
  return { where, values };
}

function eventConditions(query: EventQuery): { terms: string[]; values: unknown[] } {
  const terms: string[] = [];
  const values: unknown[] = [];
  const add = (term: (place: string) => string, value: unknown) => terms.push(term(`$${values.push(value)}`));
  if (query.before !== undefined) add((at) => `id < ${at}`, query.before);
  if (query.from !== undefined) add((at) => `created_at >= ${at}`, query.from);
  if (query.to !== undefined) add((at) => `created_at <= ${at}`, query.to);
  if (query.source !== undefined) add((at) => `source = ${at}`, query.source);
  const { topic } = query;
  if (topic?.kind === "exact") add((at) => `topic = ${at}`, topic.prefix);
  else if (topic?.prefix) {
    const end = prefixEnd(topic.prefix);
    add((at) => `topic >= ${at}`, topic.prefix);
    if (end !== undefined) add((at) => `topic < ${at}`, end);
  }
  return { terms, values };
}
