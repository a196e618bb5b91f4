import type { Collection, EventRow, RecordHead } from "../../core/commit.ts";

/** Rows as SQLite gives them, and as Koor knows them. */

const versionFields = `collection, key, version, revision, content_type, hash, size, deleted, updated_at, updated_by`;

export const recordColumns = `${versionFields}, touched_at, create_revision, expires_at`;
/** A version has no signs of life and no lifetime of its own. */
export const versionColumns = `${versionFields}, 0 as touched_at, 0 as create_revision, 0 as expires_at`;

export interface RecordRow {
  collection: string;
  key: string;
  version: number;
  revision: number;
  content_type: string;
  hash: string;
  size: number;
  deleted: number;
  updated_at: number;
  updated_by: string;
  touched_at: number;
  create_revision: number;
  expires_at: number;
}

export function readHead(row: RecordRow): RecordHead {
  return {
    collection: row.collection as Collection,
    key: row.key,
    version: row.version,
    revision: row.revision,
    createRevision: row.create_revision,
    contentType: row.content_type,
    hash: row.hash,
    size: row.size,
    deleted: row.deleted === 1,
    updatedAt: row.updated_at,
    updatedBy: row.updated_by,
    touchedAt: row.touched_at,
    expiresAt: row.expires_at,
  };
}

export interface EventHeadRow {
  id: number;
  topic: string;
  source: string;
  created_at: number;
}

export function readEvent(row: EventHeadRow, data: string): EventRow {
  return { id: row.id, topic: row.topic, data, source: row.source, createdAt: row.created_at };
}

/** Named as the fields of an `AuditRow`. */
export const auditColumns = "id, at, actor, action, resource, detail, outcome, hash";
