import { createHash } from "node:crypto";
import {
  type AuditRow,
  type Collection,
  type Commit,
  type EventRow,
  type Guard,
  type Heads,
  type Op,
  type OpResult,
  type Outcome,
  type RecordHead,
  type Refusal,
  collections,
  entityTag,
  recordId,
} from "./commit.ts";

/** Everything `decide` may know: the heads, and each record that the batch's operations name. */
export interface Before {
  heads: Heads;
  /** By `recordId`; tombstones included, absent where a key was never written. */
  records: ReadonlyMap<string, RecordHead>;
}

/** A version to be stored. `value` is empty for a tombstone. */
export interface VersionRow {
  head: RecordHead;
  value: Uint8Array;
}

/** What to write, in one transaction, and what to answer. */
export interface Decision {
  heads: Heads;
  /** In order. Of a collection without history only the last of a key counts. */
  versions: VersionRow[];
  events: EventRow[];
  audit: AuditRow[];
  /** One for each commit of the batch, in order. */
  outcomes: Outcome[];
}

/**
 * Works out what a batch of commits comes to, one after the other. A commit that fails a guard changes nothing
 * and does not disturb its neighbours. Pure: the same input gives the same decision on every engine.
 *
 * @param now milliseconds since 1970, by the store's clock
 * @throws when an operation breaks the program's own rules (an audited collection changed without a label)
 */
export function decide(batch: readonly Commit[], before: Before, now: number): Decision {
  const state: Working = {
    heads: { ...before.heads, live: { ...before.heads.live } },
    records: new Map(before.records),
    versions: [],
    events: [],
    audit: [],
  };
  const outcomes = batch.map((commit) => decideOne(commit, state, now));
  const { heads, versions, events, audit } = state;
  return { heads, versions, events, audit, outcomes };
}

interface Working {
  heads: { -readonly [K in keyof Heads]: Heads[K] } & { live: Record<Collection, number> };
  records: Map<string, RecordHead>;
  versions: VersionRow[];
  events: EventRow[];
  audit: AuditRow[];
}

/** Guards are judged against the state before the commit, so that its operations cannot satisfy each other. */
function decideOne(commit: Commit, state: Working, now: number): Outcome {
  for (const [index, op] of commit.ops.entries()) {
    if (op.kind === "append" || op.guard === undefined) continue;
    const current = state.records.get(recordId(op.collection, op.key));
    const failure = judge(op.guard, current);
    if (failure) return { ok: false, op: index, failure, current };
  }
  state.heads.revision += 1;
  const results = commit.ops.map((op) => perform(op, commit.by, state, now));
  return { ok: true, revision: state.heads.revision, results };
}

function judge(guard: Guard, current: RecordHead | undefined): Refusal["failure"] | undefined {
  const live = current !== undefined && !current.deleted;
  if (guard.exists && !live) return "absent";
  if (guard.version !== undefined && guard.version !== (live ? current.version : 0)) return "mismatch";
  const tag = live ? entityTag(current.version, current.hash) : undefined;
  if (guard.match !== undefined && !names(guard.match, tag)) return "mismatch";
  if (guard.noneMatch !== undefined && names(guard.noneMatch, tag)) return "mismatch";
  if (guard.untouchedSince !== undefined && live && current.touchedAt > guard.untouchedSince) return "alive";
  return undefined;
}

/** Whether a list of entity tags names a record's tag; `"*"` names whatever exists (RFC 9110, 13.1.1). */
export function names(tags: readonly string[] | "*", tag: string | undefined): boolean {
  return tag !== undefined && (tags === "*" || tags.includes(tag));
}

function perform(op: Op, by: string, state: Working, now: number): OpResult {
  switch (op.kind) {
    case "guard":
      return null;
    case "append": {
      state.heads.events += 1;
      const event = {
        id: state.heads.events,
        topic: op.topic,
        data: op.data,
        source: op.source,
        createdAt: now,
      };
      state.events.push(event);
      return { event };
    }
    case "put":
    case "delete":
      return { record: write(op, by, state, now) };
  }
}

function write(
  op: Extract<Op, { kind: "put" | "delete" }>,
  by: string,
  state: Working,
  now: number,
): RecordHead {
  const id = recordId(op.collection, op.key);
  const previous = state.records.get(id);
  const deleted = op.kind === "delete";
  const value = deleted ? new Uint8Array() : op.value;
  const record: RecordHead = {
    collection: op.collection,
    key: op.key,
    version: (previous?.version ?? 0) + 1,
    revision: state.heads.revision,
    contentType: deleted ? "" : op.contentType,
    hash: deleted ? "" : createHash("sha256").update(value).digest("hex"),
    size: value.length,
    deleted,
    updatedAt: now,
    updatedBy: by,
    touchedAt: !deleted && op.touch ? now : (previous?.touchedAt ?? 0),
  };
  const wasLive = previous !== undefined && !previous.deleted;
  state.heads.live[op.collection] += Number(!deleted) - Number(wasLive);
  state.records.set(id, record);
  state.versions.push({ head: record, value });
  appendAudit(op, record, by, state, now);
  return record;
}

function appendAudit(
  op: Extract<Op, { kind: "put" | "delete" }>,
  record: RecordHead,
  by: string,
  state: Working,
  now: number,
): void {
  if (!collections[op.collection].audited) return;
  if (op.audit === undefined) throw new Error(`a ${op.kind} in ${op.collection} has no audit label`);
  const row = {
    id: state.heads.audit + 1,
    at: now,
    actor: by || "local",
    action: op.audit.action,
    resource: op.audit.resource,
    detail: JSON.stringify({ version: record.version }),
    outcome: "ok" as const,
  };
  const hash = chainHash(state.heads.auditHash, row);
  state.audit.push({ ...row, hash });
  state.heads.audit = row.id;
  state.heads.auditHash = hash;
}

/**
 * The hash that ties an audit row to all rows before it: SHA-256 in hex over the previous row's hash and the
 * row as a JSON array, which unlike joined texts cannot be cut in two ways. The first row's previous hash is "".
 */
export function chainHash(previous: string, row: Omit<AuditRow, "hash">): string {
  const fields = [previous, row.id, row.at, row.actor, row.action, row.resource, row.detail, row.outcome];
  return createHash("sha256").update(JSON.stringify(fields)).digest("hex");
}
