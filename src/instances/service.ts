import { createHash } from "node:crypto";
import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import type { Caller, Handlers, Terms } from "../contract/operation.ts";
import type { AuditLabel, Op, StoredRecord } from "../core/commit.ts";
import { expectCommitted } from "../core/guard.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import type { Store } from "../store/store.ts";
import { perform } from "../store/write.ts";
import type { instanceOperations } from "./contract.ts";

/** Silence after which an instance counts as stale, in milliseconds. */
export const staleAfter = 5 * 60 * 1000;

/** Registered at once: lists of them, and the look for silence each minute, go through all. */
export const registeredInstances = 10_000;

/** What is stored of an instance. `status` is worked out of two facts, since a stale one may or may not have been active. */
interface Profile {
  name: string;
  workspace: string;
  intent: string;
  stack: string;
  capabilities: string[];
  registered_at: number;
  activated: boolean;
  stale: boolean;
  token_hash: string;
}

/** `null`: nothing to change. */
type Edit = (profile: Profile) => Profile | null;

export interface InstanceOptions {
  store: Store;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Ids and tokens: random UUIDs. */
  newId: () => string;
  /** As `registeredInstances`. */
  most?: number;
  /** What goes with an instance that leaves, in the same transaction; what it was worked out from is among its guards. */
  endAllOf: (id: string) => Promise<readonly Op[]>;
}

export interface InstanceService extends Handlers<typeof instanceOperations> {
  /**
   * Whose token this is. Using it is a sign of life, activates the instance the first time, and brings a stale one back.
   * @throws KoorError `unknown_instance`
   */
  identify(token: string): Promise<Caller>;
  /** Marks those that have been silent too long; returns their ids. */
  markStale(): Promise<string[]>;
  /** Writes the signs of life that were gathered since the last time. */
  flush(): Promise<void>;
}

/** The instance registry: who is there, and what they work on. */
export function instanceService({
  store,
  now,
  newId,
  endAllOf,
  most = registeredInstances,
}: InstanceOptions): InstanceService {
  /** Signs of life that are not flushed yet: id -> milliseconds. */
  const seen = new Map<string, number>();
  const inTurn = oneAtATime();

  function show(record: StoredRecord) {
    const { name, workspace, intent, stack, capabilities, registered_at } = decode(record);
    return {
      id: record.key,
      name,
      workspace,
      intent,
      stack,
      capabilities,
      status: statusOf(decode(record)),
      registered_at: showTime(registered_at),
      last_seen: showTime(Math.max(record.touchedAt, seen.get(record.key) ?? 0)),
    };
  }

  async function read(id: string): Promise<StoredRecord> {
    const record = await store.get("instances", id);
    if (!record) throw absent(id);
    return record;
  }

  /** Reads, changes and writes. @param answer what the caller is told of the profile that it comes to */
  function changeNow<Answer>(
    id: string,
    action: string,
    terms: Terms,
    edit: Edit,
    answer: (instance: ReturnType<typeof show>) => Answer,
  ): Promise<Answer> {
    const plan = async () => {
      const record = await read(id);
      const edited = edit(decode(record));
      if (edited === null) return { ops: [], note: answer(show(record)) };
      const guard = { version: record.version, exists: true };
      const op = { ...putInstance(id, edited, { action, resource: id }), guard };
      return { ops: [op], note: answer(show({ ...record, value: op.value })), optimistic: true };
    };
    return perform(store, terms, plan, (_, note) => note);
  }

  const change: typeof changeNow = (id, ...rest) => inTurn(id, () => changeNow(id, ...rest));

  /** A change that nobody asked for by itself: a sign of life of the instance's own. */
  const revive = (id: string, name: string, action: string, edit: Edit) =>
    change(id, action, { caller: { name } }, edit, () => null).catch(departed);

  const alive = (id: string) => seen.set(id, now());

  async function flush(): Promise<void> {
    if (seen.size === 0) return;
    const times = new Map(seen);
    await store.touch("instances", times);
    // What came in meanwhile stays for the next time.
    for (const [id, at] of times) if (seen.get(id) === at) seen.delete(id);
  }

  /** In order of registration. */
  async function all(): Promise<StoredRecord[]> {
    const records = await store.listValues("instances");
    return records.sort((a, b) => decode(a).registered_at - decode(b).registered_at);
  }

  async function markStale(): Promise<string[]> {
    await flush();
    const silentSince = now() - staleAfter;
    const newlyStale: string[] = [];
    for (const record of await all()) {
      const profile = decode(record);
      if (profile.stale || record.touchedAt > silentSince) continue;
      // A sign of life that another server flushed in between wins.
      const guard = { version: record.version, exists: true, untouchedSince: silentSince };
      const put = putInstance(
        record.key,
        { ...profile, stale: true },
        { action: "instance.stale", resource: record.key },
      );
      const outcome = await store.commit({
        by: "liveness-monitor",
        ops: [{ ...put, touch: false, guard }],
      });
      if (outcome.ok) newlyStale.push(record.key);
    }
    return newlyStale;
  }

  return {
    flush,

    async identify(token) {
      const pointer = await store.get("instance_tokens", hashToken(token));
      if (!pointer) throw unknownInstance();
      const id = new TextDecoder().decode(pointer.value);
      const record = await store.get("instances", id);
      if (!record) throw unknownInstance();
      const profile = decode(record);
      alive(id);
      if (!profile.activated) await revive(id, profile.name, "instance.activate", activated);
      else if (profile.stale) await revive(id, profile.name, "instance.recover", recovered);
      return { instanceId: id, name: profile.name };
    },

    async register({ body, caller }) {
      if ((await store.heads()).live.instances >= most) {
        throw new KoorError("rate_limited", `${most} instances are registered already`, {
          hint: "Remove those that are gone: koor-cli instances stale names the silent ones, DELETE /api/instances/{id} removes one.",
        });
      }
      const id = newId();
      const token = newId();
      const profile: Profile = {
        ...body,
        registered_at: now(),
        activated: false,
        stale: false,
        token_hash: hashToken(token),
      };
      const put = putInstance(id, profile, { action: "instance.register", resource: id });
      const outcome = await store.commit({
        by: caller.name,
        ops: [
          { ...put, guard: { version: 0 } },
          {
            kind: "put",
            collection: "instance_tokens",
            key: profile.token_hash,
            value: new TextEncoder().encode(id),
            contentType: "text/plain",
          },
        ],
      });
      expectCommitted(outcome);
      const { status: _, ...shown } = show(await read(id));
      return { ...shown, status: "pending" as const, token };
    },

    async list({ query }) {
      const records = await all();
      return records
        .map(show)
        .filter(
          (instance) =>
            matches(query.name, instance.name) &&
            matches(query.workspace, instance.workspace) &&
            matches(query.stack, instance.stack) &&
            matches(query.status, instance.status) &&
            (!query.capability || instance.capabilities.includes(query.capability)),
        );
    },

    async stale() {
      const records = await all();
      return records.filter((record) => decode(record).stale).map(show);
    },

    async get({ params }) {
      return show(await read(params.id));
    },

    async update({ params: { id }, body, ...terms }) {
      const changes = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
      const edit: Edit = (profile) => ({ ...profile, ...changes, stale: false });
      return change(id, "instance.update", terms, edit, (instance) => instance);
    },

    async heartbeat({ params: { id }, ...terms }) {
      const answer = { id, status: "ok" as const };
      await change(id, "instance.recover", terms, recovered, () => answer);
      alive(id);
      return answer;
    },

    async activate({ params: { id }, ...terms }) {
      const answer = { id, status: "active" as const };
      await change(id, "instance.activate", terms, activated, () => answer);
      alive(id);
      return answer;
    },

    async capabilities({ params: { id }, body: { capabilities }, ...terms }) {
      const edit: Edit = (profile) => ({ ...profile, capabilities, stale: false });
      return change(id, "instance.capabilities", terms, edit, () => ({ id, capabilities }));
    },

    async delete({ params: { id }, ...terms }) {
      const plan = async () => {
        const { token_hash } = decode(await read(id));
        const ops: Op[] = [
          {
            kind: "delete",
            collection: "instances",
            key: id,
            guard: { exists: true },
            audit: { action: "instance.deregister", resource: id },
          },
          { kind: "delete", collection: "instance_tokens", key: token_hash },
          ...(await endAllOf(id)),
        ];
        return { ops, note: { deleted: id }, optimistic: true };
      };
      const answer = await perform(store, terms, plan, (_, note) => note);
      seen.delete(id);
      return answer;
    },

    markStale,

    async checkLiveness() {
      const newlyStale = await markStale();
      return { checked: true as const, newly_stale: newlyStale, count: newlyStale.length };
    },
  };
}

function putInstance(id: string, profile: Profile, audit: AuditLabel): Extract<Op, { kind: "put" }> {
  const value = new TextEncoder().encode(JSON.stringify(profile));
  return {
    kind: "put",
    collection: "instances",
    key: id,
    value,
    contentType: "application/json",
    touch: true,
    audit,
  };
}

function decode(record: StoredRecord): Profile {
  return JSON.parse(new TextDecoder().decode(record.value)) as Profile;
}

function statusOf(profile: Profile): "pending" | "active" | "stale" {
  if (profile.stale) return "stale";
  return profile.activated ? "active" : "pending";
}

function activated(profile: Profile): Profile | null {
  return profile.activated && !profile.stale ? null : { ...profile, activated: true, stale: false };
}

function recovered(profile: Profile): Profile | null {
  return profile.stale ? { ...profile, stale: false } : null;
}

/** Of an instance that was deregistered while its token was looked at. */
function departed(error: unknown): never {
  throw error instanceof KoorError && error.reason === "not_found" ? unknownInstance() : error;
}

/** Tokens are random, so a plain hash keeps them: there is nothing to guess that a slow hash would slow down. */
function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** An empty filter filters nothing; others match whole values, letter by letter. */
function matches(filter: string | undefined, value: string): boolean {
  return !filter || filter === value;
}

function absent(id: string): KoorError {
  return new KoorError("not_found", `instance not found: ${id}`, {
    hint: "List them: koor-cli instances list",
  });
}

function unknownInstance(): KoorError {
  return new KoorError("unknown_instance", "unknown instance token", {
    hint: "This server does not know it, or no more. Register, and use the token that gives: koor-cli register NAME",
  });
}
