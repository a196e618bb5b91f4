import type { AuditRow, Collection, EventRow, RecordHead, StoredRecord } from "../../core/commit.ts";
import type { Row } from "./database.ts";

/** Rows as PostgreSQL gives them (its 64-bit numbers come as texts), and as Koor knows them. */

const versionFields = [
  "collection",
  "key",
  "version",
  "revision",
  "content_type",
  "hash",
  "size",
  "deleted",
  "updated_at",
  "updated_by",
];

/** Named as the fields of an `AuditRow`. */
export const auditColumns = "id, at, actor, action, resource, detail, outcome, hash";

/** @param table its alias in the query */
export function recordColumns(table: string): string {
  return [...versionFields, "touched_at", "create_revision", "expires_at"]
    .map((field) => `${table}.${field}`)
    .join(", ");
}

/** A version has no signs of life and no lifetime of its own. */
export function versionColumns(table: string): string {
  return `${versionFields.map((field) => `${table}.${field}`).join(", ")}, 0 as touched_at, 0 as create_revision, 0 as expires_at`;
}

export function readHead(row: Row): RecordHead {
  return {
    collection: row["collection"] as Collection,
    key: row["key"] as string,
    version: Number(row["version"]),
    revision: Number(row["revision"]),
    createRevision: Number(row["create_revision"]),
    contentType: row["content_type"] as string,
    hash: row["hash"] as string,
    size: Number(row["size"]),
    deleted: row["deleted"] as boolean,
    updatedAt: Number(row["updated_at"]),
    updatedBy: row["updated_by"] as string,
    touchedAt: Number(row["touched_at"]),
    expiresAt: Number(row["expires_at"]),
  };
}

export function readStored(row: Row): StoredRecord {
  return { ...readHead(row), value: row["value"] as Uint8Array };
}

export function readEvent(row: Row): EventRow {
  return {
    id: Number(row["id"]),
    topic: row["topic"] as string,
    data: row["data"] as string,
    source: row["source"] as string,
    createdAt: Number(row["created_at"]),
  };
}

export function readAudit(row: Row): AuditRow {
  return { ...(row as unknown as AuditRow), id: Number(row["id"]), at: Number(row["at"]) };
}
