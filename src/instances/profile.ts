import { createHash } from "node:crypto";
import { showTime } from "../contract/fields.ts";
import type { AuditLabel, Op, StoredRecord } from "../core/commit.ts";
import { decodeJson, encodeJson } from "../core/json-bytes.ts";
import { ownNames } from "../core/own-names.ts";

/** What is stored of an instance. `status` is worked out of two facts, since a stale one may or may not have been active. */
export interface Profile {
  name: string;
  workspace: string;
  intent: string;
  stack: string;
  capabilities: string[];
  registered_at: number;
  activated: boolean;
  stale: boolean;
  /** Of a stale one: its last sign of life before, in milliseconds since 1970. */
  silent_since?: number;
  token_hash: string;
}

/** `null`: nothing to change. */
export type Edit = (profile: Profile) => Profile | null;

export function putInstance(id: string, profile: Profile, audit: AuditLabel): Extract<Op, { kind: "put" }> {
  return {
    kind: "put",
    collection: "instances",
    key: id,
    value: encodeJson(profile),
    contentType: "application/json",
    touch: true,
    audit,
  };
}

export function decode(record: StoredRecord): Profile {
  return decodeJson<Profile>(record.value);
}

export function statusOf(profile: Profile): "pending" | "active" | "stale" {
  if (profile.stale) return "stale";
  return profile.activated ? "active" : "pending";
}

export function activated(profile: Profile): Profile | null {
  return profile.activated && !profile.stale ? null : { ...awake(profile), activated: true };
}

export function recovered(profile: Profile): Profile | null {
  return profile.stale ? awake(profile) : null;
}

export function awake({ silent_since: _, ...profile }: Profile): Profile {
  return { ...profile, stale: false };
}

/** Tokens are random, so a plain hash keeps them: there is nothing to guess that a slow hash would slow down. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** The evidence of an event about silence. */
export interface Evidence {
  id: string;
  profile: Profile;
  /** The last sign of life before the silence, and now, in milliseconds since 1970. */
  lastSeen: number;
  now: number;
  /** Of `agent.stale` what the last sign was, of `agent.recovered` the one that ended the silence. */
  sign: string;
}

/** Tells others that an agent went silent, or is back; in the same transaction as the change, so once each. */
export function tell(topic: "agent.stale" | "agent.recovered", evidence: Evidence): Op {
  const { id, profile, lastSeen, now, sign } = evidence;
  const data = {
    instance_id: id,
    name: profile.name,
    workspace: profile.workspace,
    intent: profile.intent,
    status: statusOf(profile),
    last_seen: showTime(lastSeen),
    silent_seconds: Math.floor((now - lastSeen) / 1000),
    last_sign: sign,
  };
  return { kind: "append", topic, data: JSON.stringify(data), source: ownNames.liveness };
}
