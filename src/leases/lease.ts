import { showTime } from "../contract/fields.ts";
import type { Op, RecordHead, StoredRecord } from "../core/commit.ts";
import { type PathGlob, literalPath, parsePathGlob } from "../core/path-glob.ts";
import { decodeJson, encodeJson } from "../core/json-bytes.ts";

/** What is leased, by whom and why. It never changes; how long it lasts may. */
export interface Claim {
  holder_id: string;
  holder: string;
  /** A literal name; empty where paths are leased. */
  resource: string;
  paths: readonly string[];
  mode: "exclusive" | "shared";
  note: string;
  ttl_ms: number;
}

/** As it is stored. A record's `createRevision` is its fence, and its place in line: the earlier, the lower. */
export interface StoredLease extends Claim {
  state: "waiting" | "held";
}

export interface Lease extends StoredLease {
  id: string;
  fence: number;
  version: number;
  /** When it ends by itself, in milliseconds; of one that waits, when it gives up. */
  expiresAt: number;
  /** When it was written last; of one that waits, when it came. */
  updatedAt: number;
  globs: readonly PathGlob[];
}

/** The paths of a claim, ready to be compared. */
export function globsOf({ resource, paths }: Pick<Claim, "resource" | "paths">): PathGlob[] {
  return resource === "" ? paths.map(parsePathGlob) : [literalPath(resource)];
}

export function readLease(record: StoredRecord): Lease {
  const stored = decodeJson<StoredLease>(record.value);
  return { ...stored, id: record.key, ...standing(record), globs: globsOf(stored) };
}

/** What a record's head says of a lease. */
export function standing(head: RecordHead): Pick<Lease, "fence" | "version" | "expiresAt" | "updatedAt"> {
  const { createRevision: fence, version, expiresAt, updatedAt } = head;
  return { fence, version, expiresAt, updatedAt };
}

/** Shared leases stand beside each other; all others of a path exclude one another. */
export function excludes(a: Pick<Claim, "mode">, b: Pick<Claim, "mode">): boolean {
  return a.mode === "exclusive" || b.mode === "exclusive";
}

/** What a person calls what is leased. */
export function nameOf({ resource, paths }: Pick<Claim, "resource" | "paths">): string {
  return resource || paths.join(", ");
}

/** A lease as the wire shows it, from what was claimed and what its record says. */
export function showLease(
  claim: Claim,
  id: string,
  { fence, expiresAt }: Pick<Lease, "fence" | "expiresAt">,
) {
  const { resource, paths, mode, holder, holder_id, note, ttl_ms } = claim;
  return {
    id,
    resource,
    paths: [...paths],
    mode,
    holder,
    holder_id,
    note,
    fence,
    ttl_ms,
    expires_at: showTime(expiresAt),
  };
}

/** One of many: also what it does. The fence of one that waits is not told: nobody may write under it yet. */
export function listLease(lease: Lease) {
  const { id, state } = lease;
  if (state === "held") return { ...showLease(lease, id, lease), state };
  const shown = showLease(lease, id, { ...lease, fence: 0 });
  return { ...shown, state, waiting_since: showTime(lease.updatedAt) };
}

type Put = Extract<Op, { kind: "put" }>;
type Delete = Extract<Op, { kind: "delete" }>;

/**
 * What is audited is who has which right: that a lease was acquired, released, or ended. That somebody waits, gave up or
 * renews changes nobody's right to anything, comes every few seconds, and would bury the rest.
 */
function label(action: "lease.acquire" | "lease.release" | "lease.expire", id: string, claim: Claim) {
  const { holder, mode } = claim;
  return { action, resource: id, detail: { holder, paths: nameOf(claim), mode } };
}

function put(id: string, lease: StoredLease, ttlMs: number): Put {
  const value = encodeJson(lease);
  return { kind: "put", collection: "leases", key: id, value, contentType: "application/json", ttlMs };
}

/** Holds it from now on, for its TTL. */
export function putHeld(id: string, claim: Claim): Put {
  return {
    ...put(id, { ...claim, state: "held" }, claim.ttl_ms),
    audit: label("lease.acquire", id, claim),
  };
}

/** Stands in line for it, and gives up by itself. */
export function putWaiting(id: string, claim: Claim, waitMs: number): Put {
  return { ...put(id, { ...claim, state: "waiting" }, waitMs), guard: { version: 0 }, audit: false };
}

/** Holds it on, for its TTL from now. */
export function putRenewed({ id, fence }: Lease, claim: Claim): Put {
  return { ...put(id, { ...claim, state: "held" }, claim.ttl_ms), guard: { fence }, audit: false };
}

/** Ends it for good; of one that waits nothing is said. */
export function remove(lease: Lease, action: "lease.release" | "lease.expire"): Delete {
  return {
    kind: "delete",
    collection: "leases",
    key: lease.id,
    guard: action === "lease.expire" ? { ended: true } : { exists: true, version: lease.version },
    audit: lease.state === "held" && label(action, lease.id, lease),
  };
}

export function claimOf({ holder_id, holder, resource, paths, mode, note, ttl_ms }: Claim): Claim {
  return { holder_id, holder, resource, paths, mode, note, ttl_ms };
}
