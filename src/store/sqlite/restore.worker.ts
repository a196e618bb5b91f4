import type { Database } from "bun:sqlite";
import { readHeads } from "../heads.ts";
import { type DumpRow, restoredHeads } from "../../core/dump.ts";
import { closeDatabase, openDatabase } from "./database.ts";
import { auditColumns } from "./rows.ts";
import { addMetrics, insertUsage, usageStatements } from "./usage.ts";

/**
 * The worker that replaces the database's content, in one transaction on a connection of its own: the writer finds the
 * database busy until it ends, and readers see what was there before. One message in, one message out, in order.
 */

export type RestoreRequest =
  | { kind: "begin"; file: string }
  | { kind: "rows"; rows: DumpRow[] }
  | { kind: "commit"; by: string; now: number; epoch: string }
  | { kind: "rollback" };

export type RestoreReply = { ok: true } | { ok: false; message: string; code: string };

/**
 * Memory for the database's pages, in KiB; SQLite's own 2 MiB are written and read over and over where keys come in no
 * order: 600,000 rows went in within 4.5 s instead of 9 (2 cores, busy; reading them takes as long again, twice).
 */
const cacheKib = 64 * 1024;

let db: Database;
let sql: ReturnType<typeof prepare>;
let dumped: Extract<DumpRow, { kind: "heads" }> | undefined;
let revision = 0;

function perform(request: RestoreRequest): void {
  switch (request.kind) {
    case "begin":
      return begin(request.file);
    case "rows":
      for (const row of request.rows) insert(row);
      // Together: each day's sums are written once for all of them.
      insertUsage(
        sql,
        request.rows.flatMap((row) => (row.kind === "usage" ? [row.usage] : [])),
      );
      return;
    case "commit":
      return commit(request);
    case "rollback":
      // A full disk has ended the transaction by itself.
      if (db.inTransaction) db.run("rollback");
      closeDatabase(db, sql);
      return;
  }
}

function begin(file: string): void {
  db = openDatabase(file, "write");
  sql = prepare(db);
  db.run(`pragma cache_size = -${cacheKib}`);
  db.run("begin immediate");
  revision = readHeads((sql.heads.get() as { heads: string }).heads).revision;
  // Without a condition SQLite lets go of all pages at once.
  for (const table of ["records", "versions", "events", "audit", "usage", "usage_days", "metrics"])
    db.run(`delete from ${table}`);
}

function insert(row: DumpRow): void {
  switch (row.kind) {
    case "heads":
      dumped = row;
      return;
    case "version": {
      const {
        collection,
        key,
        version,
        revision,
        contentType,
        hash,
        size,
        deleted,
        updatedAt,
        updatedBy,
        value,
      } = row.version;
      sql.version.run(
        collection,
        key,
        version,
        revision,
        contentType,
        hash,
        size,
        Number(deleted),
        updatedAt,
        updatedBy,
        value,
      );
      return;
    }
    case "record": {
      const { collection, key, version, touchedAt, createRevision, expiresAt } = row.record;
      const { changes } = sql.record.run(touchedAt, createRevision, expiresAt, collection, key, version);
      if (changes !== 1)
        fail(`${collection} ${JSON.stringify(key)} is at version ${version}, which is not there`);
      return;
    }
    case "event": {
      const { id, topic, source, createdAt, data } = row.event;
      sql.event.run(id, topic, source, createdAt, data);
      return;
    }
    case "usage":
      return;
    case "metric":
      addMetrics(sql, [row.metric]);
      return;
    case "audit": {
      const { id, at, actor, action, resource, detail, outcome, hash } = row.audit;
      sql.audit.run(id, at, actor, action, resource, detail, outcome, hash);
    }
  }
}

function commit({ by, now, epoch }: Extract<RestoreRequest, { kind: "commit" }>): void {
  if (!dumped) return fail("it does not say where it stands");
  const { heads, audit } = restoredHeads(dumped, revision, by, now);
  insert({ kind: "audit", audit });
  sql.setHeads.run(epoch, JSON.stringify(heads));
  db.run("commit");
  foldIn();
  closeDatabase(db, sql);
}

/** All of it is durable by now, in the write-ahead log. Where there is no room, or an old snapshot is still read, it stays there. */
function foldIn(): void {
  try {
    db.run("pragma wal_checkpoint(TRUNCATE)");
  } catch {
    // Nothing of it is lost: the next commits fold it in.
  }
}

function fail(message: string): never {
  throw Object.assign(new Error(message), { code: "DUMP" });
}

function prepare(db: Database) {
  return {
    ...usageStatements(db),
    heads: db.prepare("select heads from heads where id = 1"),
    setHeads: db.prepare("update heads set epoch = ?, heads = ? where id = 1"),
    version: db.prepare(
      `insert into versions (collection, key, version, revision, content_type, hash, size, deleted, updated_at,
         updated_by, value) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    record: db.prepare(
      `insert into records (collection, key, version, revision, content_type, hash, size, deleted, updated_at,
         updated_by, touched_at, create_revision, expires_at, version_id)
         select collection, key, version, revision, content_type, hash, size, deleted, updated_at, updated_by,
           ?, ?, ?, id from versions where collection = ? and key = ? and version = ?`,
    ),
    event: db.prepare("insert into events (id, topic, source, created_at, data) values (?, ?, ?, ?, ?)"),
    audit: db.prepare(`insert into audit (${auditColumns}) values (?, ?, ?, ?, ?, ?, ?, ?)`),
  };
}

declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<RestoreRequest>) => {
  let reply: RestoreReply;
  try {
    perform(data);
    reply = { ok: true };
  } catch (error) {
    const { message, code } = error as { message: string; code?: string };
    reply = { ok: false, message, code: code ?? "" };
  }
  self.postMessage(reply);
};
