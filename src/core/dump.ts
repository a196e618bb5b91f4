import { chainHash } from "./audit.ts";
import {
  type AuditRow,
  type Collection,
  type EventRow,
  type Heads,
  type RecordHead,
  type StoredRecord,
  collections,
} from "./commit.ts";

import type { MetricRow, UsageRow } from "./usage.ts";
import { ownNames } from "./own-names.ts";

/**
 * A store as rows, the same for every engine: first where it stands, then all versions, then which of them are current,
 * then the logs and what was counted. Versions come in the order in which they were written, records by their keys, logs by their ids.
 */
export type DumpRow =
  | { kind: "heads"; epoch: string; heads: Heads }
  | { kind: "version"; version: DumpedVersion }
  | { kind: "record"; record: DumpedRecord }
  | { kind: "event"; event: EventRow }
  | { kind: "usage"; usage: UsageRow }
  | { kind: "metric"; metric: MetricRow }
  | { kind: "audit"; audit: AuditRow };

/** One version's bytes and what was noted of them. Tombstones have none. */
export type DumpedVersion = Omit<StoredRecord, "touchedAt" | "createRevision" | "expiresAt">;

/** Which version is current, and what belongs to the record rather than to a version of it. */
export type DumpedRecord = Pick<
  RecordHead,
  "collection" | "key" | "version" | "touchedAt" | "createRevision" | "expiresAt"
>;

/** The kinds of rows in the order in which they come. */
export const dumpOrder = [
  "heads",
  "version",
  "record",
  "event",
  "usage",
  "metric",
  "audit",
] as const satisfies readonly DumpRow["kind"][];

/**
 * What a dump leaves out. A lease is about now and a dump about then: one that was released since would be held again,
 * by nobody. Without them nobody holds anything after a restore, and writes under an old fence are refused as `lease_lost`.
 * The same goes for servers' turns.
 * Idempotency keys are in: the effects of their requests are in as well.
 */
const leftOut: ReadonlySet<string> = new Set<Collection>(["leases", "turns"]);

/** The collections that a dump holds. */
export const dumpedCollections = (Object.keys(collections) as Collection[]).filter(
  (name) => !leftOut.has(name),
);

/** Whether a row of this collection belongs into a dump. */
export function isDumped(collection: string): boolean {
  return !leftOut.has(collection);
}

/** Heads as a dump says them: what it leaves out counts as empty. */
export function dumpedHeads(heads: Heads): Heads {
  const live = { ...heads.live };
  for (const name of leftOut) live[name as Collection] = 0;
  return { ...heads, live };
}

/** What a store comes to that was replaced by a dump: its heads, and the audit row that says so. */
export interface Restored {
  heads: Heads;
  audit: AuditRow;
}

/**
 * Works out where a store stands after a dump replaced what it held. Its revision is above both, so that a lease's
 * fence never comes twice; the audit log is the dump's, with one more row.
 *
 * @param dumped the dump's first row
 * @param current the revision of the store that is replaced
 * @param now milliseconds since 1970
 */
export function restoredHeads(
  dumped: Extract<DumpRow, { kind: "heads" }>,
  current: number,
  by: string,
  now: number,
): Restored {
  const { heads, epoch } = dumped;
  const revision = Math.max(heads.revision, current) + 1;
  const row = {
    id: heads.audit + 1,
    at: now,
    actor: by || ownNames.nobody,
    action: "store.restore",
    resource: epoch,
    detail: JSON.stringify({ revision: heads.revision, events: heads.events, audit: heads.audit }),
    outcome: "ok" as const,
  };
  const audit = { ...row, hash: chainHash(heads.auditHash, row) };
  // Whoever worked something out from all of a collection did so from another one.
  const changed = Object.fromEntries(
    Object.keys(collections).map((name) => [name, revision]),
  ) as Heads["changed"];
  return { heads: { ...heads, revision, audit: audit.id, auditHash: audit.hash, changed }, audit };
}
