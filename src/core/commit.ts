import type { Condition, Once } from "../contract/operation.ts";
import type { UsageRecord, UsageRow } from "./usage.ts";

/**
 * The words in which services, `decide` and the adapters speak of changes. Data only: a commit can be queued,
 * sent to a worker and replayed.
 */

/**
 * How each collection is kept. `history`: every version's bytes stay readable until retention trims them; otherwise
 * only the latest. `tombstones`: a deleted key's version is remembered, so that it goes on where it was; without, the
 * key must be one that is never used twice. `audited`: each change leaves a row in the audit log unless it says that it
 * is none to be named (`audit: false`); one without a label is a fault of the program.
 */
export const collections = {
  state: { history: true, tombstones: true, audited: true },
  specs: { history: true, tombstones: true, audited: true },
  rules: { history: true, tombstones: true, audited: true },
  /** What is promised of a spec that is a contract, under the spec's own key. */
  contracts: { history: true, tombstones: true, audited: true },
  templates: { history: true, tombstones: true, audited: true },
  /** The data of a template as the JSON that came in, under its key. Changes only together with it, version for version. */
  template_data: { history: true, tombstones: true, audited: false },
  /** One record: the version says how many checks of contracts there were, the value which contracts failed last. */
  compliance: { history: false, tombstones: false, audited: true },
  /** The runs of one check each, by its number. Changes only together with the record above. */
  compliance_checks: { history: false, tombstones: false, audited: false },
  instances: { history: false, tombstones: false, audited: true },
  /** The SHA-256 of an instance's token -> the instance's id. Changes only together with its instance. */
  instance_tokens: { history: false, tombstones: false, audited: false },
  /** By instance: the operation by which it was last heard of. */
  instance_signs: { history: false, tombstones: false, audited: false },
  leases: { history: false, tombstones: false, audited: true },
  /** One record, written by each lease that comes: who looked at all leases commits under its version. */
  lease_arrivals: { history: false, tombstones: false, audited: false },
  webhooks: { history: false, tombstones: true, audited: true },
  /** How far each webhook got, and what of it waits for another attempt: the events themselves are kept for less long. */
  webhook_positions: { history: false, tombstones: false, audited: false },
  webhook_retries: { history: false, tombstones: false, audited: false },
  webhook_payloads: { history: false, tombstones: false, audited: false },
  /** Which server does what only one may do: a record that ends by itself, and fences what is written in its turn. */
  turns: { history: false, tombstones: false, audited: false },
  /** What a project may spend on models, and in which period. */
  budgets: { history: false, tombstones: true, audited: true },
  /** Which budget said in which period that it is nearly used up, or used up: said once. */
  budget_alerts: { history: false, tombstones: false, audited: false },
  /** Calls of models that were imported, by the names that their logs give them: imported once. */
  usage_refs: { history: false, tombstones: false, audited: false },
  /** What a request with an `Idempotency-Key` came to, written in its own transaction. */
  idempotency: { history: false, tombstones: false, audited: false },
} as const;

export type Collection = keyof typeof collections;

/** What a person would call the change: `state.put` on `plan`. */
export interface AuditLabel {
  action: string;
  resource: string;
  /** What else a person would want to know; never a value or a token. */
  detail?: Readonly<Record<string, string | number | boolean>>;
  /** Who it says it is, where the request proves nobody's identity: then it is the actor, marked `unverified`. */
  claimedBy?: string;
}

/** Whether what was asked for was done; `denied`: by somebody who may not; `conflict`: against somebody else's change or lease. */
export const auditOutcomes = ["ok", "denied", "conflict"] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

/** A precondition on a record. All that are given must hold. */
export interface Guard extends Condition {
  /** The record exists; otherwise the refusal is `absent`, not `mismatch`. */
  exists?: boolean;
  /** The record exists, and has since the commit of this revision; otherwise the refusal is `lost`. */
  fence?: number;
  /** The record does not exist; otherwise the refusal is `unconditional`: who replaces it must say which version. */
  fresh?: boolean;
  /** The record is past its end, or gone; otherwise the refusal is `alive`. */
  ended?: boolean;
  /** No sign of life since this time (milliseconds). */
  untouchedSince?: number;
}

export type Op =
  | {
      kind: "put";
      collection: Collection;
      key: string;
      value: Uint8Array;
      contentType: string;
      /** Also counts as a sign of life of the record. */
      touch?: boolean;
      /** The record ends by itself this many milliseconds after the commit, by the store's clock. */
      ttlMs?: number;
      guard?: Guard;
      audit?: AuditLabel | false;
    }
  /** Of what is not there (any more) nothing is written, where no tombstone stays. */
  | { kind: "delete"; collection: Collection; key: string; guard?: Guard; audit?: AuditLabel | false }
  | { kind: "guard"; collection: Collection; key: string; guard: Guard }
  /** Nothing in the collection was written after this revision: what was worked out from all of it still holds. */
  | { kind: "unchanged"; collection: Collection; since: number }
  /** Nothing but a row in the audit log: of what was refused. */
  | { kind: "note"; audit: AuditLabel; outcome: AuditOutcome }
  /** A row in the log of what models used. */
  | { kind: "usage"; usage: UsageRecord; audit: AuditLabel | false }
  /** `data` is JSON text; it is stored and sent as it is. */
  | { kind: "append"; topic: string; data: string; source: string };

/** Operations that take effect all or not at all. */
export interface Commit {
  ops: readonly Op[];
  /** The name stamped as `updated_by`; empty for nobody in particular. */
  by: string;
  /**
   * Makes it take effect once only: what it came to is kept beside it, with a note that the answer needs (JSON text),
   * and the next one of this key is refused as `repeated`.
   */
  once?: Once & { note: string };
}

/** How long what a request came to is kept, in milliseconds: a day, as Stripe's API has it. */
export const onceTtlMs = 24 * 60 * 60 * 1000;

/** What is kept of a request that was made once: JSON, in the collection `idempotency`. */
export interface KeptOnce {
  fingerprint: string;
  note: string;
  results: readonly OpResult[];
}

/** A record without its value. Deleted ones stay as tombstones, so that a version is never used twice. */
export interface RecordHead {
  collection: Collection;
  key: string;
  version: number;
  /** The store's revision that wrote this version. */
  revision: number;
  /** The revision since which the record exists without a break. */
  createRevision: number;
  contentType: string;
  /** SHA-256 of the value in hex; of a tombstone empty. */
  hash: string;
  size: number;
  deleted: boolean;
  updatedAt: number;
  updatedBy: string;
  /** The last sign of life, as far as it was flushed. */
  touchedAt: number;
  /** From this time on (milliseconds) the record counts as deleted; 0: it does not end. */
  expiresAt: number;
}

/** Whether a record is there at a time: neither deleted nor past its end. */
export function isLive(head: RecordHead | undefined, now: number): head is RecordHead {
  return head !== undefined && !head.deleted && (head.expiresAt === 0 || head.expiresAt > now);
}

export interface StoredRecord extends RecordHead {
  value: Uint8Array;
}

export interface EventRow {
  /** Position in the log: gap-free, in commit order. */
  id: number;
  topic: string;
  /** JSON text. */
  data: string;
  source: string;
  createdAt: number;
}

export interface AuditRow {
  id: number;
  at: number;
  actor: string;
  action: string;
  resource: string;
  /** JSON text; holds `version` where there is one. */
  detail: string;
  outcome: AuditOutcome;
  /** SHA-256 in hex over the row and the hash of the row before it. */
  hash: string;
}

/** Where the store stands. One row of numbers, read and written with every batch. */
export interface Heads {
  /** Rises by one with each commit. */
  revision: number;
  /** The newest event's id. */
  events: number;
  /** The newest audit row's id and its hash. */
  audit: number;
  auditHash: string;
  /** The newest row of usage. */
  usage: number;
  /** Records of each collection that are not deleted, so that counting never scans. */
  live: Readonly<Record<Collection, number>>;
  /** The last revision that wrote to each collection. */
  changed: Readonly<Record<Collection, number>>;
}

export const emptyHeads: Heads = {
  revision: 0,
  events: 0,
  audit: 0,
  auditHash: "",
  usage: 0,
  live: zeros(),
  changed: zeros(),
};

function zeros(): Record<Collection, number> {
  return Object.fromEntries(Object.keys(collections).map((name) => [name, 0])) as Record<Collection, number>;
}

/**
 * Why a commit changed nothing. `op` is the index of the operation whose guard failed. `repeated`: the commit was made
 * before, and `current` is the record that says what it came to.
 */
export interface Refusal {
  ok: false;
  op: number;
  failure: "mismatch" | "absent" | "unconditional" | "alive" | "lost" | "repeated";
  /** The record as it is now; a tombstone or nothing counts as version 0. */
  current: RecordHead | undefined;
}

/** What an operation came to: the new head of its record, the new event, or nothing for a guard. */
export type OpResult = { record: RecordHead } | { event: EventRow } | { usage: UsageRow } | null;

export interface Committed {
  ok: true;
  revision: number;
  results: readonly OpResult[];
}

export type Outcome = Committed | Refusal;

/** A name for a record that no other record has: collections hold no U+0000, and neither do keys. */
export function recordId(collection: Collection, key: string): string {
  return `${collection}\0${key}`;
}

/** The opaque entity tag of a record's state. It joins version and hash, so it never names two states of a key. */
export function entityTag(version: number, hash: string): string {
  return `"${version}-${hash.slice(0, 16)}"`;
}
