import { KoorError } from "../../contract/errors.ts";
import { type Collection, recordId } from "../../core/commit.ts";
import { type DumpRow, dumpedHeads, isDumped, restoredHeads } from "../../core/dump.ts";
import type { VersionRow } from "../../core/decide.ts";
import { compareKeys } from "../key-range.ts";
import { MemoryTables, noLife } from "./tables.ts";

/** The tables as rows. Their rows are never changed, only replaced, so that lists of them are a snapshot. */
export async function* dumpMemory(tables: MemoryTables, epoch: string): AsyncGenerator<DumpRow> {
  const { heads } = tables;
  const records = [...tables.records.values()].filter(({ collection }) => isDumped(collection));
  const versions = records.flatMap(({ collection, key }) => tables.kept(collection, key));
  const [events, audit] = [[...tables.events], [...tables.audit]];
  const [usage, metrics] = [[...tables.usage.rows], tables.usage.sortedMetrics()];
  yield { kind: "heads", epoch, heads: dumpedHeads(heads) };
  const inOrder = (a: { collection: string; key: string }, b: { collection: string; key: string }) =>
    compareKeys(a.collection, b.collection) || compareKeys(a.key, b.key);
  versions.sort(
    ({ head: a }, { head: b }) => a.revision - b.revision || inOrder(a, b) || a.version - b.version,
  );
  for (const { head, value } of versions) {
    const { touchedAt: _, createRevision: __, expiresAt: ___, ...fields } = head;
    yield { kind: "version", version: { ...fields, value } };
  }
  for (const { collection, key, version, touchedAt, createRevision, expiresAt } of records.sort(inOrder)) {
    yield { kind: "record", record: { collection, key, version, touchedAt, createRevision, expiresAt } };
  }
  for (const event of events) yield { kind: "event", event };
  for (const row of usage) yield { kind: "usage", usage: row };
  for (const metric of metrics) yield { kind: "metric", metric };
  for (const row of audit) yield { kind: "audit", audit: row };
}

/** Tables made of a dump's rows. */
export async function restoreMemory(
  rows: AsyncIterable<DumpRow>,
  by: string,
  current: MemoryTables,
  now: number,
): Promise<MemoryTables> {
  const tables = new MemoryTables();
  let dumped: Extract<DumpRow, { kind: "heads" }> | undefined;
  for await (const row of rows) {
    if (row.kind === "heads") dumped = row;
    else insert(tables, row);
  }
  if (!dumped) throw contradiction("it does not say where it stands");
  const { heads, audit } = restoredHeads(dumped, current.heads.revision, by, now);
  tables.heads = heads;
  tables.audit.push(audit);
  return tables;
}

function insert(tables: MemoryTables, row: Exclude<DumpRow, { kind: "heads" }>): void {
  switch (row.kind) {
    case "version": {
      const { value, ...fields } = row.version;
      const head = { ...fields, ...noLife };
      const id = recordId(head.collection, head.key);
      const kept = tables.versions.get(id) ?? [];
      if (kept.some((other) => other.head.version === head.version)) {
        throw contradiction(
          `version ${head.version} of ${head.collection} ${JSON.stringify(head.key)} is there twice`,
        );
      }
      tables.versions.set(id, [...kept, { head, value }]);
      return;
    }
    case "record": {
      const { collection, key, version } = row.record;
      const current = findVersion(tables, collection, key, version);
      tables.records.set(recordId(collection, key), { ...current.head, ...row.record });
      return;
    }
    case "event":
      tables.events.push(row.event);
      return;
    case "usage":
      tables.usage.rows.push(row.usage);
      return;
    case "metric":
      tables.usage.addMetrics([row.metric]);
      return;
    case "audit":
      tables.audit.push(row.audit);
  }
}

function findVersion(tables: MemoryTables, collection: Collection, key: string, version: number): VersionRow {
  const found = tables.kept(collection, key).find(({ head }) => head.version === version);
  if (found) return found;
  throw contradiction(`${collection} ${JSON.stringify(key)} is at version ${version}, which is not there`);
}

function contradiction(message: string): KoorError {
  return new KoorError("bad_request", `the backup contradicts itself: ${message}`, {
    path: "body",
    hint: "Nothing was changed. Make a new backup, or take another one.",
  });
}
