import { Database } from "bun:sqlite";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chainHash } from "../../src/core/audit.ts";
import { type AuditRow, type Collection, type Heads, collections } from "../../src/core/commit.ts";

/** What a data directory holds, read past the server by SQL of its own: a fault of the product must not hide itself. */
export interface StoreContents {
  heads: Heads;
  epoch: string;
  /** By collection and key (`versionsOf`), in order. */
  versions: ReadonlyMap<string, readonly StoredVersion[]>;
  /** In order. */
  events: readonly { id: number; topic: string; data: string }[];
}

export interface StoredVersion {
  version: number;
  revision: number;
  deleted: boolean;
  value: Uint8Array;
}

export function versionsOf(
  contents: StoreContents,
  collection: Collection,
  key: string,
): readonly StoredVersion[] {
  return contents.versions.get(`${collection} ${key}`) ?? [];
}

/**
 * Reads a database file that no server has open, and holds it against what a store always is: whole, versions
 * consecutive, hashes true, logs gap-free and chained, heads and counts those of the rows.
 *
 * @throws AssertionError that says which of these does not hold
 */
export function readContents(file: string): StoreContents {
  const db = new Database(file, { readwrite: true });
  try {
    assert.deepEqual(db.query("pragma integrity_check").all(), [{ integrity_check: "ok" }]);
    const row = db.query("select epoch, heads from heads").get() as { epoch: string; heads: string };
    const heads = JSON.parse(row.heads) as Heads;
    const versions = readVersions(db, heads);
    checkRecords(db, heads, versions);
    checkAudit(db, heads);
    return { heads, epoch: row.epoch, versions, events: readEvents(db, heads) };
  } finally {
    db.close();
  }
}

function readVersions(db: Database, heads: Heads): Map<string, StoredVersion[]> {
  const versions = new Map<string, StoredVersion[]>();
  const rows = db
    .query(
      "select collection, key, version, revision, hash, deleted, value from versions order by collection, key, version",
    )
    .all() as {
    collection: Collection;
    key: string;
    version: number;
    revision: number;
    hash: string;
    deleted: number;
    value: Uint8Array;
  }[];
  for (const { collection, key, version, revision, hash, deleted, value } of rows) {
    const name = `${collection} ${key}`;
    const before = versions.get(name)?.at(-1);
    if (before) {
      assert.equal(version, before.version + 1, `${name}: version ${version} follows ${before.version}`);
      assert.ok(revision > before.revision, `${name}: revision ${revision} follows ${before.revision}`);
    }
    assert.ok(revision <= heads.revision, `${name}: revision ${revision} is beyond ${heads.revision}`);
    assert.equal(
      hash,
      deleted ? "" : createHash("sha256").update(value).digest("hex"),
      `${name}@${version}: hash`,
    );
    const entry = { version, revision, deleted: deleted === 1, value };
    if (before) versions.get(name)?.push(entry);
    else versions.set(name, [entry]);
  }
  return versions;
}

function checkRecords(
  db: Database,
  heads: Heads,
  versions: ReadonlyMap<string, readonly StoredVersion[]>,
): void {
  const records = db.query("select collection, key, version, deleted from records").all() as {
    collection: Collection;
    key: string;
    version: number;
    deleted: number;
  }[];
  const live: Record<string, number> = {};
  for (const { collection, key, version, deleted } of records) {
    const newest = versions.get(`${collection} ${key}`)?.at(-1);
    assert.equal(newest?.version, version, `${collection} ${key}: the record is not at its newest version`);
    assert.equal(newest?.deleted, deleted === 1, `${collection} ${key}: deleted`);
    if (!deleted) live[collection] = (live[collection] ?? 0) + 1;
  }
  assert.equal(records.length, versions.size, "versions without a record");
  for (const name of Object.keys(collections) as Collection[]) {
    assert.equal(heads.live[name] ?? 0, live[name] ?? 0, `the count of live ${name}`);
  }
}

function readEvents(db: Database, heads: Heads): StoreContents["events"] {
  const events = db.query("select id, topic, data from events order by id").all() as StoreContents["events"];
  assertConsecutive("events", events, heads.events);
  return events;
}

function checkAudit(db: Database, heads: Heads): void {
  const rows = db
    .query("select id, at, actor, action, resource, detail, outcome, hash from audit order by id")
    .all() as AuditRow[];
  assertConsecutive("audit", rows, heads.audit);
  let previous = rows[0]?.id === 1 ? "" : undefined;
  for (const { hash, ...row } of rows) {
    if (previous !== undefined) assert.equal(hash, chainHash(previous, row), `audit row ${row.id}: its hash`);
    previous = hash;
  }
  assert.equal(heads.auditHash, previous ?? "", "the heads' audit hash");
}

function assertConsecutive(log: string, rows: readonly { id: number }[], last: number): void {
  for (const [index, { id }] of rows.entries()) {
    if (index > 0) assert.equal(id, (rows[index - 1]?.id ?? 0) + 1, `${log}: a gap before ${id}`);
  }
  if (rows.length > 0) assert.equal(rows.at(-1)?.id, last, `${log}: the heads name another last id`);
}
