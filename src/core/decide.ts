import { createHash } from "node:crypto";
import { chainHash } from "./audit.ts";
import type { UsageRow } from "./usage.ts";
import {
  type AuditLabel,
  type AuditOutcome,
  type AuditRow,
  type Collection,
  type Commit,
  type EventRow,
  type Guard,
  type Heads,
  type KeptOnce,
  type Op,
  type OpResult,
  type Outcome,
  type RecordHead,
  type Refusal,
  collections,
  entityTag,
  isLive,
  onceTtlMs,
  recordId,
} from "./commit.ts";
import { encodeJson } from "./json-bytes.ts";
import { ownNames, stampOf } from "./own-names.ts";

/** Everything `decide` may know: the heads, and each record that the batch names (`recordsOf`). */
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
  usage: UsageRow[];
  /** One for each commit of the batch, in order. */
  outcomes: Outcome[];
}

/** The `code` of an error that says that the commit itself is at fault: nothing was written. */
export const commitFault = "KOOR_COMMIT_FAULT";

/**
 * Works out what a batch of commits comes to, one after the other. A commit that fails a guard changes nothing
 * and does not disturb its neighbours. Pure: the same input gives the same decision on every engine.
 *
 * @param now milliseconds since 1970, by the store's clock
 * @throws Error of the code `commitFault` when an operation breaks the program's own rules (an audited collection
 * changed without a label)
 */
export function decide(batch: readonly Commit[], before: Before, now: number): Decision {
  const state: Working = {
    heads: { ...before.heads, live: { ...before.heads.live }, changed: { ...before.heads.changed } },
    records: new Map(before.records),
    versions: [],
    events: [],
    audit: [],
    usage: [],
  };
  const outcomes = batch.map((commit) => {
    try {
      return decideOne(commit, state, now);
    } catch (error) {
      throw Object.assign(error as Error, { code: commitFault });
    }
  });
  const { heads, versions, events, audit, usage } = state;
  return { heads, versions, events, audit, usage, outcomes };
}

/** The records that a commit names, each as often as it does: what an adapter loads for `decide`. */
export function* recordsOf(commit: Commit): Generator<{ collection: Collection; key: string }> {
  if (commit.once) yield { collection: "idempotency", key: commit.once.key };
  for (const op of commit.ops) if ("key" in op) yield op;
}

interface Working {
  heads: { -readonly [K in keyof Heads]: Heads[K] } & Record<"live" | "changed", Record<Collection, number>>;
  records: Map<string, RecordHead>;
  versions: VersionRow[];
  events: EventRow[];
  audit: AuditRow[];
  usage: UsageRow[];
}

/** Guards are judged against the state before the commit, so that its operations cannot satisfy each other. */
function decideOne(commit: Commit, state: Working, now: number): Outcome {
  const { once } = commit;
  if (once) {
    const made = state.records.get(recordId("idempotency", once.key));
    if (isLive(made, now)) return { ok: false, op: -1, failure: "repeated", current: made };
  }
  for (const [index, op] of commit.ops.entries()) {
    const refusal = refuse(op, state, now);
    if (refusal) return { ok: false, op: index, ...refusal };
  }
  state.heads.revision += 1;
  const results = commit.ops.map((op) => perform(op, commit.by, state, now));
  if (once) keep(once, results, state, now);
  return { ok: true, revision: state.heads.revision, results };
}

function refuse(op: Op, state: Working, now: number): Pick<Refusal, "failure" | "current"> | undefined {
  if (op.kind === "unchanged") {
    return state.heads.changed[op.collection] > op.since
      ? { failure: "mismatch", current: undefined }
      : undefined;
  }
  if (!("guard" in op) || op.guard === undefined) return undefined;
  const record = state.records.get(recordId(op.collection, op.key));
  const current = isLive(record, now) ? record : undefined;
  const failure = judge(op.guard, current);
  return failure && { failure, current: record };
}

/**
 * Which of a guard's conditions a record does not meet, if any.
 * @param current the record if it is live
 */
export function judge(guard: Guard, current: RecordHead | undefined): Refusal["failure"] | undefined {
  if (guard.fence !== undefined && guard.fence !== current?.createRevision) return "lost";
  if (guard.exists && !current) return "absent";
  if (guard.fresh && current) return "unconditional";
  if (guard.ended && current) return "alive";
  if (guard.version !== undefined && guard.version !== (current?.version ?? 0)) return "mismatch";
  const tag = current && entityTag(current.version, current.hash);
  if (guard.match !== undefined && !names(guard.match, tag)) return "mismatch";
  if (guard.noneMatch !== undefined && names(guard.noneMatch, tag)) return "mismatch";
  if (guard.untouchedSince !== undefined && current && current.touchedAt > guard.untouchedSince)
    return "alive";
  return undefined;
}

/** Whether a list of entity tags names a record's tag; `"*"` names whatever exists (RFC 9110, 13.1.1). */
export function names(tags: readonly string[] | "*", tag: string | undefined): boolean {
  return tag !== undefined && (tags === "*" || tags.includes(tag));
}

function perform(op: Op, by: string, state: Working, now: number): OpResult {
  switch (op.kind) {
    case "guard":
    case "unchanged":
      return null;
    case "note":
      appendAudit(op.audit, op.outcome, by, state, now);
      return null;
    case "usage": {
      state.heads.usage += 1;
      const usage = { id: state.heads.usage, ...op.usage };
      state.usage.push(usage);
      if (op.audit) appendAudit(op.audit, "ok", by, state, now);
      return { usage };
    }
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
    createRevision: isLive(previous, now) ? previous.createRevision : state.heads.revision,
    contentType: deleted ? "" : op.contentType,
    hash: deleted ? "" : createHash("sha256").update(value).digest("hex"),
    size: value.length,
    deleted,
    updatedAt: now,
    updatedBy: by,
    touchedAt: !deleted && op.touch ? now : (previous?.touchedAt ?? 0),
    expiresAt: !deleted && op.ttlMs !== undefined ? now + op.ttlMs : 0,
  };
  if (deleted && (previous?.deleted ?? true) && !collections[op.collection].tombstones) return record;
  const wasLive = previous !== undefined && !previous.deleted;
  state.heads.live[op.collection] += Number(!deleted) - Number(wasLive);
  state.heads.changed[op.collection] = record.revision;
  state.records.set(id, record);
  state.versions.push({ head: record, value });
  auditWrite(op, record, by, state, now);
  return record;
}

/** What the commit came to, for whoever sends it again. */
function keep(
  once: NonNullable<Commit["once"]>,
  results: readonly OpResult[],
  state: Working,
  now: number,
): void {
  const kept: KeptOnce = { fingerprint: once.fingerprint, note: once.note, results };
  const value = encodeJson(kept);
  const { key } = once;
  const contentType = "application/json";
  write(
    { kind: "put", collection: "idempotency", key, value, contentType, ttlMs: onceTtlMs },
    "",
    state,
    now,
  );
}

function auditWrite(
  op: Extract<Op, { kind: "put" | "delete" }>,
  { version }: RecordHead,
  by: string,
  state: Working,
  now: number,
): void {
  if (!collections[op.collection].audited || op.audit === false) return;
  if (op.audit === undefined) throw new Error(`a ${op.kind} in ${op.collection} has no audit label`);
  appendAudit({ ...op.audit, detail: { version, ...op.audit.detail } }, "ok", by, state, now);
}

function appendAudit(
  { action, resource, detail, claimedBy }: AuditLabel,
  outcome: AuditOutcome,
  by: string,
  state: Working,
  now: number,
): void {
  const claimed = by === "" && claimedBy !== undefined && claimedBy !== "";
  const row = {
    id: state.heads.audit + 1,
    at: now,
    actor: by || (claimed ? stampOf(claimedBy) : ownNames.nobody),
    action,
    resource,
    detail: JSON.stringify({ ...detail, ...(claimed && { unverified: true }) }),
    outcome,
  };
  const hash = chainHash(state.heads.auditHash, row);
  state.audit.push({ ...row, hash });
  state.heads.audit = row.id;
  state.heads.auditHash = hash;
}
