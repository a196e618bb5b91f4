import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import type { Caller, Handlers, Terms } from "../contract/operation.ts";
import { ownNames, stampOf } from "../core/own-names.ts";
import type { Op, StoredRecord } from "../core/commit.ts";
import { expectCommitted } from "../core/guard.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import type { Store } from "../store/store.ts";
import { perform } from "../store/write.ts";
import type { instanceOperations } from "./contract.ts";
import {
  type Edit,
  type Profile,
  activated,
  awake,
  decode,
  hashToken,
  putInstance,
  recovered,
  statusOf,
  tell,
} from "./profile.ts";
import { openSigns, putSign, unknownSign } from "./signs.ts";

/** Silence after which an instance counts as stale, in milliseconds. */
export const staleAfter = 5 * 60 * 1000;

/** Registered at once: lists of them, and the look for silence each minute, go through all. */
export const registeredInstances = 10_000;

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
   * @param doing what it is used for: `state.put`
   * @throws KoorError `unknown_instance`
   */
  identify(token: string, doing: string): Promise<Caller>;
  /** Those that are at work, in order of registration. */
  active(): Promise<{ id: string; workspace: string }[]>;
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
  const signs = openSigns(store, now);
  const inTurn = oneAtATime();

  function show(record: StoredRecord, sign: string) {
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
      last_seen: showTime(Math.max(record.touchedAt, signs.seenAt(record.key))),
      last_sign: sign,
    };
  }

  const showOne = async (record: StoredRecord) => show(record, await signs.of(record.key));

  async function showAll(records: readonly StoredRecord[]) {
    const known = await signs.all();
    return records.map((record) => show(record, known.get(record.key) ?? unknownSign));
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
      const profile = decode(record);
      const edited = edit(profile);
      if (edited === null) return { ops: [], note: answer(await showOne(record)) };
      const guard = { version: record.version, exists: true };
      const put = { ...putInstance(id, edited, { action, resource: id }), guard };
      const note = answer(await showOne({ ...record, value: put.value }));
      return { ops: [put, ...(await newsOf(record, profile, edited))], note, optimistic: true };
    };
    return perform(store, terms, plan, (_, note) => note);
  }

  /** What others are told of a change: that a silence is over. */
  async function newsOf(record: StoredRecord, before: Profile, profile: Profile): Promise<Op[]> {
    if (!before.stale || profile.stale) return [];
    const lastSeen = before.silent_since ?? record.touchedAt;
    const sign = await signs.of(record.key);
    return [tell("agent.recovered", { id: record.key, profile, lastSeen, now: now(), sign })];
  }

  const change: typeof changeNow = (id, ...rest) => inTurn(id, () => changeNow(id, ...rest));

  /** A change that nobody asked for by itself: a sign of life of the instance's own. */
  const revive = (id: string, name: string, action: string, edit: Edit) =>
    change(id, action, { caller: { name } }, edit, () => null).catch(departed);

  /** Notes a request that names an instance, which must be there, as a sign of its life. */
  async function hear(id: string, what: string): Promise<void> {
    await read(id);
    signs.note(id, what);
  }

  /** In order of registration. */
  async function all(): Promise<StoredRecord[]> {
    const records = await store.listValues("instances");
    // Decoded once each, not at each comparison.
    const times = new Map(records.map((record) => [record, decode(record).registered_at]));
    return records.sort((a, b) => (times.get(a) as number) - (times.get(b) as number));
  }

  async function markStale(): Promise<string[]> {
    await signs.flush();
    const silentSince = now() - staleAfter;
    const newlyStale: string[] = [];
    for (const record of await all()) {
      const profile = decode(record);
      if (profile.stale || record.touchedAt > silentSince) continue;
      const { key: id, touchedAt: lastSeen } = record;
      // A sign of life that another server flushed in between wins.
      const guard = { version: record.version, exists: true, untouchedSince: silentSince };
      const stale = { ...profile, stale: true, silent_since: lastSeen };
      const put = putInstance(id, stale, { action: "instance.stale", resource: id });
      // The event says what it was before: that it is stale, its topic says.
      const evidence = { id, profile, lastSeen, now: now(), sign: await signs.of(id) };
      const outcome = await store.commit({
        by: ownNames.liveness,
        ops: [{ ...put, touch: false, guard }, tell("agent.stale", evidence)],
      });
      if (outcome.ok) newlyStale.push(id);
    }
    return newlyStale;
  }

  return {
    flush: signs.flush,

    async identify(token, doing) {
      const pointer = await store.get("instance_tokens", hashToken(token));
      if (!pointer) throw unknownInstance();
      const id = new TextDecoder().decode(pointer.value);
      const record = await store.get("instances", id);
      if (!record) throw unknownInstance();
      const profile = decode(record);
      const name = stampOf(profile.name);
      signs.note(id, doing);
      if (!profile.activated) await revive(id, name, "instance.activate", activated);
      else if (profile.stale) await revive(id, name, "instance.recover", recovered);
      return { instanceId: id, name };
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
      const put = putInstance(id, profile, {
        action: "instance.register",
        resource: id,
        claimedBy: body.name,
      });
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
          putSign(id, "instances.register"),
        ],
      });
      expectCommitted(outcome);
      const { status: _, ...shown } = show(await read(id), "instances.register");
      return { ...shown, status: "pending" as const, token };
    },

    async list({ query }) {
      const instances = await showAll(await all());
      return instances.filter(
        (instance) =>
          matches(query.name, instance.name) &&
          matches(query.workspace, instance.workspace) &&
          matches(query.stack, instance.stack) &&
          matches(query.status, instance.status) &&
          (!query.capability || instance.capabilities.includes(query.capability)),
      );
    },

    async active() {
      const profiles = (await all()).map((record) => ({ id: record.key, ...decode(record) }));
      return profiles.filter((profile) => statusOf(profile) === "active");
    },

    async stale() {
      const records = await all();
      return showAll(records.filter((record) => decode(record).stale));
    },

    async get({ params }) {
      return showOne(await read(params.id));
    },

    async update({ params: { id }, body, ...terms }) {
      const changes = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
      await hear(id, "instances.update");
      const edit: Edit = (profile) => ({ ...awake(profile), ...changes });
      return change(id, "instance.update", terms, edit, (instance) => instance);
    },

    async heartbeat({ params: { id }, ...terms }) {
      const answer = { id, status: "ok" as const };
      await hear(id, "instances.heartbeat");
      await change(id, "instance.recover", terms, recovered, () => answer);
      return answer;
    },

    async activate({ params: { id }, ...terms }) {
      const answer = { id, status: "active" as const };
      await hear(id, "instances.activate");
      await change(id, "instance.activate", terms, activated, () => answer);
      return answer;
    },

    async capabilities({ params: { id }, body: { capabilities }, ...terms }) {
      await hear(id, "instances.capabilities");
      const edit: Edit = (profile) => ({ ...awake(profile), capabilities });
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
          { kind: "delete", collection: "instance_signs", key: id },
          ...(await endAllOf(id)),
        ];
        return { ops, note: { deleted: id }, optimistic: true };
      };
      const answer = await perform(store, terms, plan, (_, note) => note);
      signs.forget(id);
      return answer;
    },

    markStale,

    async checkLiveness() {
      const newlyStale = await markStale();
      return { checked: true as const, newly_stale: newlyStale, count: newlyStale.length };
    },
  };
}

/** Of an instance that was deregistered while its token was looked at. */
function departed(error: unknown): never {
  throw error instanceof KoorError && error.reason === "not_found" ? unknownInstance() : error;
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
