import type { Database } from "bun:sqlite";
import { readHeads } from "../heads.ts";
import { createHash } from "node:crypto";
import { type Anchor, checkChain } from "../../core/audit-chain.ts";
import { usageGroupings } from "../../core/usage.ts";
import { type AuditRow, type Collection, type Heads, collections } from "../../core/commit.ts";
import { type Part, type Report, newPart, newReport, toldFaults } from "../check-report.ts";
import { migrations, openDatabase } from "./database.ts";
import { type RecordRow, auditColumns } from "./rows.ts";

/** Rows read in one go. */
const pageRows = 1000;

/**
 * Looks at everything that a database says of itself, in one snapshot and without changing it; a server may run on it.
 *
 * @throws Error when the file is no database of Koor's, or of a newer one
 */
export function checkSqlite(file: string): Report {
  return inSnapshot(file, (db, heads, look) => {
    look("pages and indexes", (part) => integrity(db, part));
    look("versions", (part) => versions(db, part));
    look("records", (part) => records(db, heads, part));
    look("events", (part) => events(db, heads, part));
    look("usage", (part) => usage(db, heads, part));
    look("audit", (part) => audit(db, heads, part).looked);
  });
}

/**
 * Looks at the chain of hashes over the audit log.
 *
 * @returns also the newest row, for whoever writes its hash down
 * @throws as `checkSqlite`
 */
export function verifySqliteAudit(file: string, anchor?: Anchor): { report: Report; newest: Anchor } {
  let newest: Anchor = { id: 0, hash: "" };
  const report = inSnapshot(file, (db, heads, look) =>
    look("audit", (part) => {
      const found = audit(db, heads, part, anchor);
      ({ newest } = found);
      return found.looked;
    }),
  );
  return { report, newest };
}

type Look = (name: string, work: (part: Part) => string) => void;

function inSnapshot(file: string, work: (db: Database, heads: Heads, look: Look) => void): Report {
  const db = openDatabase(file, "read");
  const report = newReport();
  const look: Look = (name, work) => {
    const part = newPart(report, name);
    try {
      part.looked(work(part));
    } catch (error) {
      if ((error as { code?: string }).code !== "SQLITE_CORRUPT") throw error;
      part.looked("only as far as they can be read");
      part.fault((error as Error).message);
    }
  };
  try {
    db.run("begin");
    work(db, headsOf(db), look);
  } catch (error) {
    if ((error as { code?: string }).code !== "SQLITE_NOTADB") throw error;
    throw new Error(`${file} is no database`, { cause: error });
  } finally {
    db.close();
  }
  return report;
}

function headsOf(db: Database): Heads {
  const { user_version: schema } = db.query("pragma user_version").get() as { user_version: number };
  if (schema > migrations.length) {
    throw new Error(
      `the database has schema ${schema}, this Koor knows up to ${migrations.length}: check it with the newer Koor that wrote it`,
    );
  }
  // Of another program: a server must not be started on it.
  if (schema === 0) throw new Error(`${db.filename} is no database of Koor's`);
  if (schema < migrations.length) {
    throw new Error(
      `the database has schema ${schema} of an older Koor: start a server on it once, then check it`,
    );
  }
  return readHeads((db.query("select heads from heads where id = 1").get() as { heads: string }).heads);
}

function integrity(db: Database, part: Part): string {
  const rows = db.query(`pragma integrity_check(${toldFaults})`).all() as { integrity_check: string }[];
  for (const { integrity_check: text } of rows) if (text !== "ok") part.fault(text);
  const { size } = db
    .query("select page_count * page_size as size from pragma_page_count, pragma_page_size")
    .get() as {
    size: number;
  };
  return `${size} bytes`;
}

type VersionRow = Omit<RecordRow, "touched_at" | "create_revision" | "expires_at"> & { id: number };

const versionRow =
  "id, collection, key, version, revision, content_type, hash, size, deleted, updated_at, updated_by";

/** Of each key its versions follow each other up to the current one, and their bytes have the hashes that are noted. */
function versions(db: Database, part: Part): string {
  const page = db.query(
    `select ${versionRow} from versions where (collection, key, version) > (?, ?, ?)
       order by collection, key, version limit ?`,
  );
  const value = db.query("select value from versions where id = ?");
  let last: VersionRow | undefined;
  let count = 0;
  for (;;) {
    const rows = page.all(
      last?.collection ?? "",
      last?.key ?? "",
      last?.version ?? 0,
      pageRows,
    ) as VersionRow[];
    for (const row of rows) {
      count += 1;
      const name = nameOf(row);
      const follows = last && last.collection === row.collection && last.key === row.key;
      if (follows && !collections[row.collection as Collection]?.history) {
        part.fault(`${name}: more than one version, of a collection that keeps only the latest`);
      } else if (follows && row.version !== last!.version + 1) {
        part.fault(
          `${name}: after version ${last!.version} comes ${row.version}, what is between is missing`,
        );
      }
      bytesFault(row, (value.get(row.id) as { value: Uint8Array }).value, (text) =>
        part.fault(`${name}: ${text}`),
      );
      last = row;
    }
    if (rows.length < pageRows) return `${count} of ${countOf(db, "select count(*) from records")} keys`;
  }
}

function bytesFault(row: VersionRow, value: Uint8Array, fault: (text: string) => void): void {
  if (value.length !== row.size) fault(`version ${row.version} has ${value.length} bytes, not ${row.size}`);
  const hash = row.deleted ? "" : createHash("sha256").update(value).digest("hex");
  if (hash !== row.hash) fault(`the bytes of version ${row.version} do not have the hash that is noted`);
}

/** Each record is its newest version, each version has a record, and what is live is counted right. */
function records(db: Database, heads: Heads, part: Part): string {
  const fields = [
    "version",
    "revision",
    "content_type",
    "hash",
    "size",
    "deleted",
    "updated_at",
    "updated_by",
  ];
  const differs = fields.map((field) => `r.${field} is not v.${field}`).join(" or ");
  const missing = db.query(
    `select r.collection, r.key, r.version from records r left join versions v
       on v.id = r.version_id and v.collection = r.collection and v.key = r.key
       where v.id is null or ${differs} limit ?`,
  );
  for (const row of missing.all(toldFaults) as VersionRow[])
    part.fault(
      `${nameOf(row)}: the bytes of its current version ${row.version} are missing, or of another version`,
    );
  const newer = db.query(
    `select v.collection, v.key, max(v.version) as version, r.version as current from versions v
       left join records r on r.collection = v.collection and r.key = v.key
       group by v.collection, v.key having current is null or current <> max(v.version) limit ?`,
  );
  for (const row of newer.all(toldFaults) as (VersionRow & { current: number | null })[])
    part.fault(`${nameOf(row)}: version ${row.version} is there, but the key is at ${row.current ?? "none"}`);
  const highest = db.query("select coalesce(max(revision), 0) as revision from versions").get() as {
    revision: number;
  };
  if (highest.revision > heads.revision)
    part.fault(
      `the store is at revision ${heads.revision}, but one of its versions was written at ${highest.revision}`,
    );
  const live = new Map(
    (
      db.query("select collection, sum(deleted = 0) as live from records group by collection").all() as {
        collection: Collection;
        live: number;
      }[]
    ).map((row) => [row.collection, row.live]),
  );
  const names = Object.keys(collections) as Collection[];
  for (const name of names) {
    const is = live.get(name) ?? 0;
    if (is !== heads.live[name]) part.fault(`${name}: ${is} are there, but ${heads.live[name]} are counted`);
  }
  return names.map((name) => `${live.get(name) ?? 0} ${name}`).join(", ");
}

/** Their ids have no gap, and the last one is the newest that was given. */
function events(db: Database, heads: Heads, part: Part): string {
  const { first, last, count } = rangeOf(db, "events");
  gapFault(db, "events", part);
  if (last !== heads.events) part.fault(`the newest is ${last}, but ids were given up to ${heads.events}`);
  return count === 0 ? "none" : `${count}, ${first} to ${last}`;
}

/** As events; and the days' sums are those of the rows. */
function usage(db: Database, heads: Heads, part: Part): string {
  const { first, last, count } = rangeOf(db, "usage");
  gapFault(db, "usage", part);
  if (last !== heads.usage) part.fault(`the newest is ${last}, but ids were given up to ${heads.usage}`);
  const sums = "coalesce(sum(tokens_in), 0), coalesce(sum(tokens_out), 0), coalesce(sum(cost), 0)";
  const [rows] = db.query(`select count(*), ${sums} from usage`).values();
  const days = db.query(`select coalesce(sum(requests), 0), ${sums} from usage_days where grouping = ?`);
  for (const grouping of usageGroupings)
    if (JSON.stringify(days.values(grouping)[0]) !== JSON.stringify(rows))
      part.fault(`the sums of the days by ${grouping} are not those of the rows`);
  return count === 0 ? "none" : `${count}, ${first} to ${last}`;
}

/** Each row's hash covers the row before it, from the first to the one that the store ended with. */
function audit(db: Database, heads: Heads, part: Part, anchor?: Anchor): { looked: string; newest: Anchor } {
  const rows = db.query<AuditRow, []>(`select ${auditColumns} from audit order by id`);
  const chain = checkChain(part.fault, anchor);
  let count = 0;
  // All of them: whoever puts one in chooses its id.
  for (const row of rows.iterate()) {
    chain.see(row);
    count += 1;
  }
  const newest = chain.end(heads);
  return { looked: count === 0 ? "none" : `${count} rows`, newest };
}

function rangeOf(db: Database, table: "events" | "usage"): { first: number; last: number; count: number } {
  const sql = `select coalesce(min(id), 0) as first, coalesce(max(id), 0) as last, count(*) as count from ${table}`;
  return db.query(sql).get() as { first: number; last: number; count: number };
}

function gapFault(db: Database, table: "events" | "usage", part: Part): void {
  const gaps = db.query(
    `select id, next from (select id, lead(id) over (order by id) as next from ${table}) where next > id + 1 limit ?`,
  );
  for (const { id, next } of gaps.all(toldFaults) as { id: number; next: number }[])
    part.fault(`after ${id} comes ${next}, what is between is missing`);
}

function countOf(db: Database, sql: string): number {
  return (db.query(sql).values()[0] as [number])[0];
}

/** Names are shown as JSON: they may hold line ends, and sequences that steer a terminal. */
function nameOf({ collection, key }: { collection: string; key: string }): string {
  return `${collection} ${JSON.stringify(key)}`;
}
