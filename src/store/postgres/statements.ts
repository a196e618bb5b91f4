import type { AuditRow, EventRow } from "../../core/commit.ts";
import type { DumpedVersion } from "../../core/dump.ts";
import { type Connection, ask } from "./database.ts";

/**
 * Statements that write many rows at once: their fields as one JSON text, their values as one run of bytes, from which
 * each row takes its own.
 */

const versionFields = `r.collection, r.key, r.version, r.revision, r."contentType", r.hash, r.size, r.deleted, r."updatedAt", r."updatedBy"`;
const versionTypes = `collection text, key text, version bigint, revision bigint, "contentType" text, hash text,
  size bigint, deleted boolean, "updatedAt" bigint, "updatedBy" text`;

const versionRows = (rows: string, more = "") =>
  `json_to_recordset(${rows}::text::json) as r(${versionTypes}, at int, nth int${more})`;

const versions = (rows: string, bytes: string) =>
  `insert into koor.versions (collection, key, version, revision, content_type, hash, size, deleted, updated_at,
     updated_by, value)
   select ${versionFields}, substring(${bytes}::bytea from r.at + 1 for r.size::int) from ${rows} order by r.nth`;

const records = (rows: string) =>
  `insert into koor.records (collection, key, version, revision, content_type, hash, size, deleted, updated_at,
     updated_by, touched_at, create_revision, expires_at)
   select ${versionFields}, r."touchedAt", r."createRevision", r."expiresAt" from ${rows} where r.current
   on conflict (collection, key) do update set version = excluded.version, revision = excluded.revision,
     content_type = excluded.content_type, hash = excluded.hash, size = excluded.size, deleted = excluded.deleted,
     updated_at = excluded.updated_at, updated_by = excluded.updated_by, touched_at = excluded.touched_at,
     create_revision = excluded.create_revision, expires_at = excluded.expires_at`;

const events = (rows: string) =>
  `insert into koor.events (id, topic, source, created_at, data)
   select id, topic, source, "createdAt", data from json_to_recordset(${rows}::text::json)
     as e(id bigint, topic text, source text, "createdAt" bigint, data text)`;

const audit = (rows: string) =>
  `insert into koor.audit (id, at, actor, action, resource, detail, outcome, hash)
   select * from json_to_recordset(${rows}::text::json) as a(id bigint, at bigint, actor text, action text,
     resource text, detail text, outcome text, hash text)`;

const recordTypes = `, "touchedAt" bigint, "createRevision" bigint, "expiresAt" bigint, current boolean`;

/**
 * All that a batch writes, in one statement and so one round trip. Its values: those of `versionValues`, of which the rows
 * that are `current` become records, too; the events and the audit rows, each as JSON, the number of the row of
 * `koor.stand` that is replaced, and the heads.
 */
export const writeAll = `with r as materialized (select * from ${versionRows("$1", recordTypes)}),
  versions as (${versions("r", "$2")}), records as (${records("r")}),
  events as (${events("$3")}), audit as (${audit("$4")}),
  former as (delete from koor.stand where n = $5::bigint)
  insert into koor.stand (n, heads) values ($5::bigint + 1, $6)`;

interface Version {
  head: Omit<DumpedVersion, "value">;
  value: Uint8Array;
  /** Whether the record is at this version now. */
  current?: boolean;
}

/** Versions as the statement takes them. */
export function versionValues(rows: readonly Version[]): [rows: string, bytes: Buffer] {
  let at = 0;
  const placed = rows.map(({ head, current }, nth) => {
    const row = { ...head, at, nth, current };
    at += head.size;
    return row;
  });
  return [JSON.stringify(placed), Buffer.concat(rows.map(({ value }) => value))];
}

export async function insertVersions(connection: Connection, rows: readonly Version[]): Promise<void> {
  await ask(connection, versions(versionRows("$1"), "$2"), versionValues(rows));
}

export async function insertEvents(connection: Connection, rows: readonly EventRow[]): Promise<void> {
  await ask(connection, events("$1"), [JSON.stringify(rows)]);
}

export async function insertAudit(connection: Connection, rows: readonly AuditRow[]): Promise<void> {
  await ask(connection, audit("$1"), [JSON.stringify(rows)]);
}
