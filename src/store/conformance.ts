import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { chainHash } from "../core/audit.ts";
import {
  type AuditRow,
  type Collection,
  type Commit,
  type Committed,
  type Guard,
  type KeptOnce,
  type Op,
  type Outcome,
  type RecordHead,
  onceTtlMs,
} from "../core/commit.ts";
import { type DumpRow, dumpOrder } from "../core/dump.ts";
import { compileGlob } from "../core/glob.ts";
import { expectCommitted } from "../core/guard.ts";
import {
  type UsageGrouping,
  type UsageRecord,
  type UsageTotals,
  addTo,
  groupOf,
  totalsOf,
  usageGroupings,
} from "../core/usage.ts";
import { pageRecords } from "./pages.ts";
import type { Store, TimeSpan } from "./store.ts";

/** A store under test, and the clock it goes by. */
export interface OpenStore {
  store: Store;
  clock: { now: number };
  dispose: () => Promise<void>;
}

export function put(key: string, value: string, guard?: Guard, collection: Collection = "state"): Op {
  return {
    kind: "put",
    collection,
    key,
    value: new TextEncoder().encode(value),
    contentType: "text/plain",
    audit: { action: "state.put", resource: key },
    ...(guard && { guard }),
  };
}

export function remove(key: string, guard?: Guard): Op {
  return {
    kind: "delete",
    collection: "state",
    key,
    audit: { action: "state.delete", resource: key },
    ...(guard && { guard }),
  };
}

export function publish(topic: string, data = "null", source = ""): Op {
  return { kind: "append", topic, data, source };
}

export function used(more: Partial<UsageRecord> = {}): Op {
  const usage: UsageRecord = {
    at: 0,
    provider: "p",
    model: "m",
    tokensIn: 1,
    tokensOut: 2,
    cacheRead: 0,
    cacheWrite: 0,
    cost: 3,
    costSource: "given",
    instanceId: "",
    project: "",
    sessionTag: "",
    requestType: "",
    ...more,
  };
  return { kind: "usage", usage, audit: false };
}

export function commit(...ops: Op[]): Commit {
  return { ops, by: "tester" };
}

/** Rows of the audit as a person asks for them: by globs. */
interface Trail extends TimeSpan {
  limit?: number;
  before?: number | undefined;
  actor?: string;
  action?: string;
  resource?: string;
  outcome?: string;
}
const trailOf = (store: Store, { actor, action, resource, outcome, limit = 10, ...rest }: Trail) => {
  const glob = (text: string | undefined) => (text === undefined ? undefined : compileGlob(text));
  return store.auditTrail({
    ...rest,
    limit,
    actor: glob(actor),
    action: glob(action),
    resource: glob(resource),
    outcome: glob(outcome),
  });
};
const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);
const versionOf = (outcome: Outcome) => {
  const [result] = expectCommitted(outcome).results;
  return result && "record" in result ? result.record.version : undefined;
};

/** Every promise of the port. Each adapter must pass all of it; there are no options that excuse one. */
export function testStore(name: string, open: () => Promise<OpenStore>): void {
  describe(`the store on ${name}`, () => {
    let opened: OpenStore;
    let store: Store;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.dispose());

    describe("records", () => {
      test("a value comes back as the bytes that were written, with version 1 and its hash", async () => {
        opened.clock.now = 1234;
        await store.commit(commit(put("plan", "hello")));
        const record = await store.get("state", "plan");
        expect(text(record?.value)).toBe("hello");
        expect(record).toMatchObject({
          key: "plan",
          version: 1,
          contentType: "text/plain",
          size: 5,
          updatedAt: 1234,
          updatedBy: "tester",
        });
        expect(record?.hash).toBe("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
      });

      test("what was never written is not there", async () => {
        expect(await store.get("state", "nothing")).toBeUndefined();
        expect(await store.head("state", "nothing")).toBeUndefined();
        expect(await store.history("state", "nothing", 10)).toEqual([]);
      });

      test("versions rise by one, and go on after delete and re-create", async () => {
        expect(versionOf(await store.commit(commit(put("k", "a"))))).toBe(1);
        expect(versionOf(await store.commit(commit(put("k", "b"))))).toBe(2);
        expect(versionOf(await store.commit(commit(remove("k"))))).toBe(3);
        expect(await store.get("state", "k")).toBeUndefined();
        expect(await store.head("state", "k")).toMatchObject({ deleted: true, version: 3 });
        expect(versionOf(await store.commit(commit(put("k", "c"))))).toBe(4);
      });

      test("every version stays readable, and a tombstone has none", async () => {
        await store.commit(commit(put("k", "a")));
        await store.commit(commit(remove("k")));
        await store.commit(commit(put("k", "c")));
        expect(text((await store.version("state", "k", 1))?.value)).toBe("a");
        expect(await store.version("state", "k", 2)).toBeUndefined();
        expect(await store.version("state", "k", 4)).toBeUndefined();
        const history = await store.history("state", "k", 2);
        expect(history.map(({ version, deleted }) => [version, deleted])).toEqual([
          [3, false],
          [2, true],
        ]);
      });

      test("a collection without history keeps only the latest bytes, and its versions still rise", async () => {
        await store.commit(commit(put("i", "a", undefined, "instances")));
        await store.commit(commit(put("i", "b", undefined, "instances")));
        expect(await store.version("instances", "i", 1)).toBeUndefined();
        expect(text((await store.get("instances", "i"))?.value)).toBe("b");
        expect((await store.head("instances", "i"))?.version).toBe(2);
      });

      test("collections do not see each other's keys", async () => {
        await store.commit(commit(put("k", "a")));
        expect(await store.get("specs", "k")).toBeUndefined();
      });

      test("any text is a key, and any bytes are a value", async () => {
        const keys = [
          "a/b",
          "ünï",
          "__proto__",
          "constructor",
          " ",
          "\t",
          "%",
          "_",
          "a'b\"c",
          "😀",
          "￿",
          "x".repeat(512),
        ];
        for (const key of keys) await store.commit(commit(put(key, key)));
        for (const key of keys) expect(text((await store.get("state", key))?.value)).toBe(key);
        const bytes = new Uint8Array([0, 255, 1, 254, 0]);
        const op = put("bytes", "");
        await store.commit(commit({ ...op, value: bytes } as Op));
        expect((await store.get("state", "bytes"))?.value).toEqual(bytes);
      });

      test("a value that the writer changes afterwards does not change in the store", async () => {
        const value = new Uint8Array([1, 2, 3]);
        await store.commit(commit({ ...put("k", ""), value } as Op));
        value[0] = 9;
        expect((await store.get("state", "k"))?.value).toEqual(new Uint8Array([1, 2, 3]));
      });
    });

    describe("guards", () => {
      test("of many writers with one expected version exactly one wins", async () => {
        await store.commit(commit(put("k", "0")));
        const outcomes = await Promise.all(
          Array.from({ length: 100 }, (_, index) =>
            store.commit(commit(put("k", String(index), { version: 1 }))),
          ),
        );
        expect(outcomes.filter((outcome) => outcome.ok)).toHaveLength(1);
        for (const outcome of outcomes) {
          if (!outcome.ok) expect(outcome).toMatchObject({ failure: "mismatch", current: { version: 2 } });
        }
      });

      test("version 0 means that the key does not exist, deleted or never written", async () => {
        expect((await store.commit(commit(put("k", "a", { version: 0 })))).ok).toBe(true);
        expect((await store.commit(commit(put("k", "b", { version: 0 })))).ok).toBe(false);
        await store.commit(commit(remove("k")));
        expect((await store.commit(commit(put("k", "c", { version: 0 })))).ok).toBe(true);
      });

      test("a commit whose guard fails changes nothing at all, and leaves its neighbours alone", async () => {
        const outcomes = await Promise.all([
          store.commit(commit(put("a", "1"), publish("t"))),
          store.commit(commit(put("a", "2"), publish("t"), put("b", "2", { exists: true }))),
          store.commit(commit(put("c", "3"), publish("t"))),
        ]);
        expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true]);
        expect(outcomes[1]).toMatchObject({ op: 2, failure: "absent" });
        expect(text((await store.get("state", "a"))?.value)).toBe("1");
        expect(await store.heads()).toMatchObject({ events: 2, revision: 2, audit: 2 });
      });

      test("a delete of what does not exist is told apart from a failed condition", async () => {
        expect(await store.commit(commit(remove("k", { exists: true })))).toMatchObject({
          failure: "absent",
        });
        await store.commit(commit(put("k", "a")));
        expect(await store.commit(commit(remove("k", { exists: true, version: 7 })))).toMatchObject({
          failure: "mismatch",
        });
      });
    });

    describe("lists", () => {
      test("are sorted by the bytes of their keys, and leave deleted ones out", async () => {
        const keys = ["b", "a/2", "a/1", "Z", "é", "😀", "￿", "a"];
        for (const key of keys) await store.commit(commit(put(key, key)));
        await store.commit(commit(remove("b")));
        const listed = (await store.list("state")).map(({ key }) => key);
        expect(listed).toEqual(["Z", "a", "a/1", "a/2", "é", "￿", "😀"]);
      });

      test("take a prefix literally, a start and a limit", async () => {
        for (const key of ["a%", "a%b", "ab", "a_", "a", "b"]) await store.commit(commit(put(key, key)));
        const keys = async (range: Parameters<Store["list"]>[1]) =>
          (await store.list("state", range)).map(({ key }) => key);
        expect(await keys({ prefix: "a%" })).toEqual(["a%", "a%b"]);
        expect(await keys({ after: "a%" })).toEqual(["a%b", "a_", "ab", "b"]);
        expect(await keys({ prefix: "a", after: "a%", limit: 2 })).toEqual(["a%b", "a_"]);
        expect(await keys({ prefix: "zzz" })).toEqual([]);
      });

      test("come in pages out of one snapshot, whatever is written between two of them", async () => {
        const keys = Array.from(
          { length: 3 * pageRecords + 1 },
          (_, at) => `k${String(at).padStart(4, "0")}`,
        );
        for (let at = 0; at < keys.length; at += 100)
          await store.commit(commit(...keys.slice(at, at + 100).map((key) => put(key, "v"))));
        const seen: { key: string; version: number }[] = [];
        for await (const page of store.pages("state", { prefix: "k" })) {
          expect(page.length).toBeLessThanOrEqual(pageRecords);
          seen.push(...page);
          await store.commit(
            commit(
              remove(keys.at(-1) as string),
              put(keys.at(-2) as string, "w"),
              put(`k9${seen.length}`, "new"),
            ),
          );
        }
        expect(seen.map(({ key, version }) => [key, version])).toEqual(keys.map((key) => [key, 1]));
        // Whoever leaves early takes no place from those who come.
        for (let time = 0; time < 10; time++)
          for await (const page of store.pages("state")) if (page.length > 0) break;
        const some = [];
        for await (const page of store.pages("state", { after: keys[4], limit: 300 })) some.push(...page);
        expect(some.map(({ key }) => key)).toEqual(keys.slice(5, 305));
      });

      test("can bring the values along", async () => {
        await store.commit(commit(put("i", "v", undefined, "instances")));
        expect((await store.listValues("instances")).map(({ value }) => text(value))).toEqual(["v"]);
      });
    });

    describe("events", () => {
      test("ids begin at 1, have no gaps, and are in the order of the commits", async () => {
        const outcomes = await Promise.all(
          Array.from({ length: 200 }, (_, index) => store.commit(commit(publish("t", String(index))))),
        );
        const ids = outcomes.map((outcome) => {
          const [result] = expectCommitted(outcome).results;
          return result && "event" in result ? result.event.id : 0;
        });
        expect(ids).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
        const rows = await store.events({ order: "oldest", limit: 1000 });
        expect(rows.map(({ id, data }) => [id, data])).toEqual(ids.map((id, index) => [id, String(index)]));
      });

      test("data is kept as the text that came in", async () => {
        await store.commit(commit(publish("t", '{"n":12345678901234567890,"d":1.10}', "alice")));
        const [event] = await store.events({ order: "newest", limit: 1 });
        expect(event).toMatchObject({
          data: '{"n":12345678901234567890,"d":1.10}',
          source: "alice",
          topic: "t",
        });
      });

      test("data of every size comes with its event, whatever is asked for", async () => {
        const data = [
          "",
          "é".repeat(128),
          "é".repeat(129),
          "x".repeat(256),
          "x".repeat(257),
          "y".repeat(50_000),
        ];
        for (const one of data) await store.commit(commit(publish("sizes", one)));
        for (const topic of [undefined, compileGlob("sizes"), compileGlob("s*s")]) {
          const rows = await store.events({ order: "oldest", limit: 100, topic });
          expect(rows.map((row) => row.data)).toEqual(data);
        }
      });

      test("filters apply to the whole log, together, and a limit counts what passes", async () => {
        for (let index = 1; index <= 50; index++) {
          opened.clock.now = index * 1000;
          await store.commit(
            commit(publish(index % 10 === 0 ? "api.change" : "build.ok", "1", index % 20 === 0 ? "a" : "b")),
          );
        }
        const ids = async (query: Partial<Parameters<Store["events"]>[0]>) =>
          (await store.events({ order: "newest", limit: 100, ...query })).map(({ id }) => id);
        expect(await ids({ topic: compileGlob("api.change") })).toEqual([50, 40, 30, 20, 10]);
        expect(await ids({ topic: compileGlob("api.*"), limit: 2 })).toEqual([50, 40]);
        expect(await ids({ topic: compileGlob("*.ch?nge"), order: "oldest", limit: 2 })).toEqual([10, 20]);
        expect(await ids({ topic: compileGlob("api.*"), source: "a" })).toEqual([40, 20]);
        expect(await ids({ from: 48_000, to: 49_000 })).toEqual([49, 48]);
        expect(await ids({ order: "oldest", after: 47 })).toEqual([48, 49, 50]);
        expect(await ids({ after: 48 })).toEqual([50, 49]);
        expect(await ids({ before: 3 })).toEqual([2, 1]);
        expect(await ids({ before: 50, after: 47, order: "oldest" })).toEqual([48, 49]);
        expect(await ids({ topic: compileGlob("nothing") })).toEqual([]);
      });

      test("a glob finds what thousands of others stand before", async () => {
        const many = Array.from({ length: 5000 }, () => publish("noise"));
        await store.commit(commit(publish("api.first.change")));
        await store.commit(commit(...many));
        const found = await store.events({ order: "newest", limit: 1, topic: compileGlob("*.first.*") });
        expect(found.map(({ id }) => id)).toEqual([1]);
      });

      test("trimming keeps the newest, and ids go on", async () => {
        await store.commit(commit(...Array.from({ length: 2500 }, () => publish("t"))));
        expect(await store.trimEvents(10)).toBe(2490);
        expect(await store.trimEvents(10)).toBe(0);
        expect(await store.heads()).toMatchObject({ events: 2500, firstEvent: 2491 });
        expect(await store.events({ order: "oldest", limit: 1 })).toMatchObject([{ id: 2491 }]);
        const outcome = expectCommitted(await store.commit(commit(publish("t"))));
        expect(outcome.results[0]).toMatchObject({ event: { id: 2501 } });
      });

      test("watchers hear of commits after they can be read", async () => {
        const heard = Promise.withResolvers<number>();
        const unwatch = store.watch(({ events }) => {
          void store
            .events({ order: "newest", limit: 1 })
            .then(([event]) => heard.resolve((event?.id ?? 0) - events));
        });
        await store.commit(commit(publish("t")));
        expect(await heard.promise).toBe(0);
        unwatch();
      });

      test("says what the database takes up", async () => {
        expect(await store.size()).toBeGreaterThanOrEqual(0);
      });

      test("an empty log begins at 1", async () => {
        expect(await store.heads()).toMatchObject({ events: 0, firstEvent: 1 });
      });
    });

    describe("counts, audit and signs of life", () => {
      test("live records are counted, tombstones are not", async () => {
        await store.commit(commit(put("a", "1"), put("b", "1")));
        await store.commit(commit(put("a", "2")));
        await store.commit(commit(remove("b")));
        await store.commit(commit(remove("b")));
        expect((await store.heads()).live.state).toBe(1);
        await store.commit(commit(put("b", "3")));
        expect((await store.heads()).live.state).toBe(2);
      });

      test("each write of an audited collection leaves a row, publishing and tokens do not", async () => {
        const { audit: _, ...token } = put("hash", "id", undefined, "instance_tokens") as Extract<
          Op,
          { kind: "put" }
        >;
        await store.commit(commit(put("a", "1"), remove("a"), publish("t"), token));
        const heads = await store.heads();
        expect(heads.audit).toBe(2);
        expect(heads.auditHash).toMatch(/^[0-9a-f]{64}$/);
      });

      test("a write without an audit label is refused as a fault of the program, and writes nothing", async () => {
        const { audit: _, ...bare } = put("a", "1") as Extract<Op, { kind: "put" }>;
        await expect(store.commit(commit(bare))).rejects.toThrow("audit label");
        expect(await store.get("state", "a")).toBeUndefined();
        expect((await store.commit(commit(put("a", "1")))).ok).toBe(true);
      });

      test("a fault of the program in one commit takes no neighbour along", async () => {
        const { audit: _, ...bare } = put("bad", "1") as Extract<Op, { kind: "put" }>;
        const outcomes = await Promise.allSettled([
          store.commit(commit(put("a", "1"))),
          store.commit(commit(bare)),
          store.commit(commit(put("b", "1"))),
        ]);
        expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
        expect((await store.list("state")).map(({ key }) => key)).toEqual(["a", "b"]);
      });

      test("a sign of life moves forward only, makes no version, and leaves the dead alone", async () => {
        await store.commit(commit(put("i", "a", undefined, "instances")));
        await store.touch(
          "instances",
          new Map([
            ["i", 500],
            ["nobody", 500],
          ]),
        );
        await store.touch("instances", new Map([["i", 400]]));
        expect(await store.head("instances", "i")).toMatchObject({ touchedAt: 500, version: 1 });
        expect(await store.head("instances", "nobody")).toBeUndefined();
        const silent = put("i", "b", { untouchedSince: 450 }, "instances");
        expect(await store.commit(commit(silent))).toMatchObject({ ok: false, failure: "alive" });
      });
    });

    describe("lifetimes, and commits that take effect once", () => {
      const lease = (key: string, ttlMs: number, guard?: Guard): Op => ({
        ...(put(key, "{}", guard, "leases") as Extract<Op, { kind: "put" }>),
        ttlMs,
      });
      const fence = (key: string, revision: number): Op => ({
        kind: "guard",
        collection: "leases",
        key,
        guard: { fence: revision },
      });

      test("a record past its end counts as deleted, by the store's clock", async () => {
        opened.clock.now = 1000;
        await store.commit(commit(lease("l", 500)));
        expect(await store.head("leases", "l")).toMatchObject({ expiresAt: 1500, deleted: false });
        opened.clock.now = 1499;
        expect((await store.commit(commit(put("a", "1"), fence("l", 1)))).ok).toBe(true);
        expect(await store.commit(commit(lease("l", 500, { ended: true })))).toMatchObject({
          failure: "alive",
        });
        opened.clock.now = 1500;
        expect(await store.commit(commit(put("a", "2"), fence("l", 1)))).toMatchObject({
          failure: "lost",
          op: 1,
        });
        expect(text((await store.get("state", "a"))?.value)).toBe("1");
        expect((await store.commit(commit(lease("l", 500, { ended: true })))).ok).toBe(true);
      });

      test("a fence holds while the record exists without a break, whatever is written to it", async () => {
        await store.commit(commit(lease("l", 500)));
        const { createRevision } = (await store.head("leases", "l")) as RecordHead;
        await store.commit(commit(lease("l", 900)));
        expect((await store.commit(commit(fence("l", createRevision)))).ok).toBe(true);
        await store.commit(commit({ ...remove("l"), collection: "leases" } as Op));
        await store.commit(commit(lease("l", 500)));
        expect(await store.commit(commit(fence("l", createRevision)))).toMatchObject({ failure: "lost" });
        expect((await store.head("leases", "l"))?.createRevision).toBeGreaterThan(createRevision);
      });

      test("what has ended is removed and no longer counted, the rest stays", async () => {
        opened.clock.now = 1000;
        await store.commit(commit(lease("a", 10), lease("b", 20), put("c", "1", undefined, "leases")));
        expect(await store.dropExpired("leases", 1010)).toBe(1);
        expect((await store.list("leases")).map(({ key }) => key)).toEqual(["b", "c"]);
        expect((await store.heads()).live.leases).toBe(2);
        expect(await store.dropExpired("leases", 1010)).toBe(0);
      });

      test("of collections whose keys are never used twice no tombstone stays", async () => {
        await store.commit(commit(put("l", "1", undefined, "leases")));
        await store.commit(commit({ ...remove("l"), collection: "leases" } as Op));
        expect(await store.head("leases", "l")).toBeUndefined();
        expect((await store.heads()).live.leases).toBe(0);
      });

      test("a collection that is unchanged since a revision, and one that is not", async () => {
        await store.commit(commit(put("a", "1", undefined, "leases")));
        const { revision } = await store.heads();
        const unchanged: Op = { kind: "unchanged", collection: "leases", since: revision };
        expect((await store.commit(commit(unchanged, put("s", "1")))).ok).toBe(true);
        expect((await store.commit(commit(unchanged, put("b", "1", undefined, "leases")))).ok).toBe(true);
        expect(await store.commit(commit(unchanged, put("s", "2")))).toMatchObject({ ok: false, op: 0 });
        expect(text((await store.get("state", "s"))?.value)).toBe("1");
      });

      test("a commit under a key takes effect once, also within one batch, until the key is forgotten (IDEM-1)", async () => {
        const once = { key: "k", fingerprint: "f", note: '"n"' };
        const twice = await Promise.all([
          store.commit({ ...commit(put("a", "1"), publish("t")), once }),
          store.commit({ ...commit(put("a", "2"), publish("t")), once }),
        ]);
        expect(twice).toMatchObject([{ ok: true }, { ok: false, failure: "repeated" }]);
        const kept = JSON.parse(text((await store.get("idempotency", "k"))?.value) as string) as KeptOnce;
        const { results } = twice[0] as Committed;
        expect(kept).toEqual({ fingerprint: "f", note: '"n"', results: [...results] });
        opened.clock.now += onceTtlMs;
        expect((await store.commit({ ...commit(put("a", "3")), once })).ok).toBe(true);
        expect(await store.head("state", "a")).toMatchObject({ version: 2 });
        expect((await store.heads()).events).toBe(1);
      });

      test("a commit that fails its guard leaves its key free", async () => {
        const once = { key: "k", fingerprint: "f", note: "null" };
        expect((await store.commit({ ...commit(put("a", "1", { version: 7 })), once })).ok).toBe(false);
        expect((await store.commit({ ...commit(put("a", "1")), once })).ok).toBe(true);
      });
    });

    describe("trimming history", () => {
      const day = 24 * 60 * 60 * 1000;
      const retention = { keep: 3, spareMs: 1000, spareBytes: 100 };
      const versions = async (key: string, collection: Collection = "state") =>
        (await store.history(collection, key, 10_000)).map(({ version }) => version);
      const write = async (key: string, times: number, value = "v") => {
        for (let n = 0; n < times; n++) await store.commit(commit(put(key, value)));
      };

      test("keeps the newest versions of each key, the current one always, and leaves what is current as it is", async () => {
        await write("many", 6);
        await write("few", 2);
        await store.commit(
          commit(...["a", "b", "c", "d"].map((key) => put("i", key, undefined, "instances"))),
        );
        opened.clock.now += day;
        expect(await store.trimHistory(retention, opened.clock.now)).toBe(3);
        expect(await store.trimHistory(retention, opened.clock.now)).toBe(0);
        expect(await versions("many")).toEqual([6, 5, 4]);
        expect(await versions("few")).toEqual([2, 1]);
        expect(await store.version("state", "many", 3)).toBeUndefined();
        expect(text((await store.get("state", "many"))?.value)).toBe("v");
        expect(await store.trimHistory({ ...retention, keep: 1 }, opened.clock.now)).toBe(3);
        expect(await versions("many")).toEqual([6]);
        expect(text((await store.get("state", "few"))?.value)).toBe("v");
        expect(versionOf(await store.commit(commit(put("many", "w"))))).toBe(7);
      });

      test("a deleted key keeps its tombstone, and goes on after it", async () => {
        await write("k", 4);
        await store.commit(commit(remove("k")));
        opened.clock.now += day;
        await store.trimHistory({ ...retention, keep: 1 }, opened.clock.now);
        expect(await store.history("state", "k", 10)).toMatchObject([{ version: 5, deleted: true }]);
        expect(versionOf(await store.commit(commit(put("k", "w"))))).toBe(6);
      });

      test("is for every collection with a history", async () => {
        for (const collection of ["state", "specs", "rules"] as const) {
          for (let n = 0; n < 5; n++) await store.commit(commit(put("k", "v", undefined, collection)));
        }
        opened.clock.now += day;
        expect(await store.trimHistory(retention, opened.clock.now)).toBe(6);
        for (const collection of ["state", "specs", "rules"] as const)
          expect(await versions("k", collection)).toEqual([5, 4, 3]);
      });

      test("spares young versions until they are old, but not more than so many bytes of a key", async () => {
        await write("small", 6);
        await write("large", 6, "x".repeat(30));
        opened.clock.now += 999;
        // 100 bytes are three of thirty, and the newest three stay anyway.
        expect(await store.trimHistory(retention, opened.clock.now)).toBe(3);
        expect(await versions("small")).toHaveLength(6);
        expect(await versions("large")).toEqual([6, 5, 4]);
        await write("small", 1);
        opened.clock.now += 1;
        expect(await store.trimHistory(retention, opened.clock.now)).toBe(4);
        expect(await versions("small")).toEqual([7, 6, 5]);
      });

      test("a key with thousands of versions is trimmed to the end", async () => {
        const puts = Array.from({ length: 100 }, (_, index) => put("hot", String(index)));
        for (let round = 0; round < 30; round++) await store.commit(commit(...puts, put(`k${round}`, "v")));
        expect(await store.trimHistory({ ...retention, spareBytes: 1e9 }, opened.clock.now)).toBe(0);
        opened.clock.now += day;
        expect(await store.trimHistory({ ...retention, spareBytes: 1e9 }, opened.clock.now)).toBe(2997);
        expect(await versions("hot")).toEqual([3000, 2999, 2998]);
      });

      test("what stays is what the rule says, whatever was written and whenever it is trimmed", async () => {
        const step = fc.oneof(
          { weight: 5, arbitrary: fc.record({ key: fc.nat(2), size: fc.nat(60), remove: fc.boolean() }) },
          { weight: 1, arbitrary: fc.record({ wait: fc.nat(1500) }) },
          { weight: 1, arbitrary: fc.constant("trim" as const) },
        );
        let run = 0;
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
            run += 1;
            const model = new Map<string, { version: number; size: number; at: number }[]>();
            const newest = new Map<string, number>();
            for (const act of [...steps, "trim" as const]) {
              if (act === "trim") {
                await store.trimHistory(retention, opened.clock.now);
                for (const [key, kept] of model) {
                  const stays = kept.filter(({ at }, index) => {
                    const bytes = kept.slice(index).reduce((sum, { size }) => sum + size, 0);
                    const young = at > opened.clock.now - retention.spareMs;
                    return kept.length - index <= retention.keep || (young && bytes <= retention.spareBytes);
                  });
                  model.set(key, stays);
                  expect(await versions(key)).toEqual(stays.map(({ version }) => version).reverse());
                }
              } else if ("wait" in act) opened.clock.now += act.wait;
              else {
                const key = `${run}/${act.key}`;
                const version = (newest.get(key) ?? 0) + 1;
                newest.set(key, version);
                await store.commit(commit(act.remove ? remove(key) : put(key, "x".repeat(act.size))));
                const size = act.remove ? 0 : act.size;
                model.set(key, [...(model.get(key) ?? []), { version, size, at: opened.clock.now }]);
              }
            }
          }),
          { numRuns: 40 },
        );
      });
    });

    describe("dump and restore", () => {
      const rowsOf = async (from: Store = store) => {
        const rows: DumpRow[] = [];
        for await (const row of from.dump()) rows.push(row);
        return rows;
      };
      async function* given(rows: readonly DumpRow[]): AsyncGenerator<DumpRow> {
        yield* rows;
      }
      /** Something of everything. */
      async function fill(): Promise<void> {
        opened.clock.now = 1000;
        await store.commit(commit(put("a", "1"), put("gone", "1"), put("s", "spec", undefined, "specs")));
        await store.commit(commit(put("a", "2"), publish("t", '{"n":1.10}', "alice")));
        await store.commit(commit(remove("gone"), put("i", "{}", undefined, "instances"), publish("u")));
        await store.commit({
          by: "tester",
          ops: [put("b", "\u0000\u{1F600}"), used({ project: "p", cost: 7 })],
          once: { key: "k", fingerprint: "f", note: "1" },
        });
        await store.commit(commit({ ...put("l", "{}", undefined, "leases"), ttlMs: 9000 } as Op));
        await store.touch("instances", new Map([["i", 700]]));
        await store.addMetrics([{ instanceId: "i", period: "2026-11-24T09", name: "calls", value: 3 }]);
      }
      const sections = (rows: readonly DumpRow[]) => [...new Set(rows.map(({ kind }) => kind))];

      test("a dump holds every version, record, event and audit row, in this order, but no leases", async () => {
        await fill();
        const rows = await rowsOf();
        expect(sections(rows)).toEqual([...dumpOrder]);
        const heads = await store.heads();
        expect(rows[0]).toMatchObject({
          epoch: heads.epoch,
          heads: { revision: 5, events: 2, live: { leases: 0, state: 2 } },
        });
        const versions = rows.flatMap((row) => (row.kind === "version" ? [row.version] : []));
        expect(
          versions.map(({ collection, key, version }) => `${collection} ${key} ${version}`).sort(),
        ).toEqual([
          "idempotency k 1",
          "instances i 1",
          "specs s 1",
          "state a 1",
          "state a 2",
          "state b 1",
          "state gone 1",
          "state gone 2",
        ]);
        expect(versions.find(({ key, version }) => key === "a" && version === 2)?.value).toEqual(
          new TextEncoder().encode("2"),
        );
        const records = rows.flatMap((row) => (row.kind === "record" ? [row.record] : []));
        expect(records.find(({ key }) => key === "i")).toMatchObject({
          version: 1,
          touchedAt: 700,
          createRevision: 3,
        });
        expect(rows.filter(({ kind }) => kind === "audit")).toHaveLength(8);
      });

      test("restoring brings back what was dumped and nothing else, under a new epoch, and says so in the audit", async () => {
        await fill();
        const rows = await rowsOf();
        const before = await store.heads();
        const [a, history] = [await store.get("state", "a"), await store.history("state", "gone", 9)];
        await store.commit(commit(put("a", "later"), put("new", "later"), remove("b"), publish("later")));
        opened.clock.now = 2000;
        let heard = 0;
        const unwatch = store.onReplaced(() => (heard += 1));
        await store.restore(given(rows), "alice");
        unwatch();
        expect(heard).toBe(1);
        const after = await store.heads();
        expect(after.epoch).not.toBe(before.epoch);
        // Above both, so that no fence comes twice.
        expect(after).toMatchObject({
          revision: 7,
          events: 2,
          audit: 9,
          live: { ...before.live, leases: 0 },
        });
        expect(await store.usage({ limit: 2 })).toMatchObject([{ id: 1, project: "p", cost: 7 }]);
        expect((await store.usageTotals({ by: "day" })).size).toBe(1);
        expect(await store.metricTotals("")).toEqual([{ instanceId: "i", name: "calls", value: 3 }]);
        expect(await store.get("state", "a")).toEqual(a);
        expect(await store.history("state", "gone", 9)).toEqual(history);
        expect(await store.get("state", "new")).toBeUndefined();
        expect(text((await store.get("state", "b"))?.value)).toBe("\u0000\u{1F600}");
        expect(await store.head("leases", "l")).toBeUndefined();
        expect(await store.get("idempotency", "k")).toMatchObject({ expiresAt: 1000 + onceTtlMs });
        const audit = await store.audit({ order: "newest", limit: 2 });
        expect(audit[0]).toMatchObject({
          id: 9,
          at: 2000,
          actor: "alice",
          action: "store.restore",
          resource: before.epoch,
        });
        const { hash, ...row } = audit[0] as AuditRow;
        expect(hash).toBe(chainHash((audit[1] as AuditRow).hash, row));
        expect(hash).toBe(after.auditHash);
        // And it goes on from there.
        expect(versionOf(await store.commit(commit(put("gone", "again"), publish("next"))))).toBe(3);
        expect(await store.heads()).toMatchObject({ revision: 8, events: 3, audit: 10 });
      });

      test("a dump of what was restored is the same, but for the heads and the row that says so", async () => {
        await fill();
        const first = await rowsOf();
        await store.restore(given(first), "");
        const second = await rowsOf();
        expect(second.slice(1, -1)).toEqual(first.slice(1));
      });

      test("a restore that fails changes nothing, whatever it fails of", async () => {
        await fill();
        const rows = await rowsOf();
        const broken = async function* () {
          yield* rows.slice(0, -1);
          throw new Error("cut off");
        };
        await expect(store.restore(broken(), "")).rejects.toThrow("cut off");
        const twice = [...rows.slice(0, 2), rows[1] as DumpRow, ...rows.slice(2)];
        await expect(store.restore(given(twice), "")).rejects.toMatchObject({ reason: "bad_request" });
        const missing = rows.filter((row) => row.kind !== "version");
        await expect(store.restore(given(missing), "")).rejects.toMatchObject({ reason: "bad_request" });
        await expect(store.restore(given(rows.slice(1)), "")).rejects.toMatchObject({
          reason: "bad_request",
        });
        expect(await rowsOf()).toEqual(rows);
        expect((await store.commit(commit(put("a", "3")))).ok).toBe(true);
      });

      test("a dump is one moment, whatever is written meanwhile: a prefix of the history", async () => {
        for (let n = 0; n < 300; n++)
          await store.commit(commit(put(`k${n % 50}`, String(n)), publish("t", String(n))));
        let writing = true;
        const writer = (async () => {
          for (let n = 300; writing; n++) {
            await store.commit(commit(put(`k${n % 50}`, String(n)), publish("t", String(n))));
            await new Promise((resolve) => setImmediate(resolve));
          }
        })();
        const rows: DumpRow[] = [];
        for await (const row of store.dump()) {
          rows.push(row);
          if (rows.length % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        }
        writing = false;
        await writer;
        const [head] = rows;
        if (head?.kind !== "heads") throw new Error("no heads");
        const { revision } = head.heads;
        expect((await store.heads()).revision).toBeGreaterThan(revision);
        const numbers = rows.flatMap((row) =>
          row.kind === "version" ? [Number(new TextDecoder().decode(row.version.value))] : [],
        );
        expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: revision }, (_, n) => n));
        const data = rows.flatMap((row) => (row.kind === "event" ? [Number(row.event.data)] : []));
        expect(data).toEqual(Array.from({ length: revision }, (_, n) => n));
        expect(rows.filter(({ kind }) => kind === "audit")).toHaveLength(revision);
      });

      test("a dump that nobody reads to its end holds up nothing", async () => {
        await fill();
        for await (const row of store.dump()) if (row.kind === "version") break;
        expect((await store.commit(commit(put("a", "3")))).ok).toBe(true);
      });

      test("what was trimmed and restored is trimmed again by what is there now", async () => {
        for (let n = 0; n < 5; n++) await store.commit(commit(put("k", String(n))));
        const rows = await rowsOf();
        const retention = { keep: 2, spareMs: 0, spareBytes: 0 };
        expect(await store.trimHistory(retention, 1)).toBe(3);
        await store.restore(given(rows), "");
        expect(await store.trimHistory(retention, 1)).toBe(3);
      });
    });

    describe("usage", () => {
      const hour = 60 * 60 * 1000;

      test("ids have no gaps, and the newest calls come first, by all filters together", async () => {
        const results = await store.commit(
          commit(
            used({ at: 300, project: "a", instanceId: "i", sessionTag: "s" }),
            used({ at: 100, project: "a", instanceId: "j" }),
            used({ at: 200, project: "b", instanceId: "i", sessionTag: "s" }),
          ),
        );
        await store.commit(commit(used({ at: 300, project: "a", instanceId: "i", costSource: "prices" })));
        expect(results).toMatchObject({ results: [{ usage: { id: 1 } }, { usage: { id: 2 } }, {}] });
        const ids = async (query: object) => (await store.usage({ limit: 9, ...query })).map(({ id }) => id);
        expect(await ids({})).toEqual([4, 1, 3, 2]);
        expect(await ids({ limit: 2 })).toEqual([4, 1]);
        expect(await ids({ project: "a" })).toEqual([4, 1, 2]);
        expect(await ids({ project: "a", instanceId: "i", sessionTag: "s" })).toEqual([1]);
        expect(await ids({ from: 200, to: 299 })).toEqual([3]);
        expect(await ids({ sessionTag: "" })).toEqual([4, 2]);
        const [newest] = await store.usage({ limit: 1 });
        expect(newest).toEqual({
          ...(used({ at: 300, project: "a", instanceId: "i" }) as any).usage,
          id: 4,
          costSource: "prices",
        });
        expect((await store.heads()).usage).toBe(4);
      });

      test("sums are those of the rows, whatever they are summed by and in whatever span of time", async () => {
        const names = fc.constantFrom("", "a", "b", "ü", "__proto__");
        const call = fc.record({
          at: fc.integer({ min: 0, max: 4 * 24 }).map((n) => n * hour),
          project: names,
          model: names,
          instanceId: names,
          sessionTag: names,
          tokensIn: fc.nat(10 ** 9),
          tokensOut: fc.nat(10 ** 9),
          cost: fc.nat(10 ** 12),
        });
        const calls = fc.sample(call, { numRuns: 60, seed: 7 });
        for (let at = 0; at < calls.length; at += 20)
          await store.commit(commit(...calls.slice(at, at + 20).map((more) => used(more))));
        const spans = [undefined, 0, 5 * hour, 24 * hour - 1, 24 * hour, 30 * hour, 72 * hour, 73 * hour];
        const all = calls.map((more) => (used(more) as Extract<Op, { kind: "usage" }>).usage);
        const expected = (by: UsageGrouping, from = 0, to = Infinity, name?: string) => {
          const totals = new Map<string, UsageTotals>();
          for (const call of all.filter(({ at }) => at >= from && at <= to))
            if (name === undefined || groupOf(call, by) === name)
              addTo(totals, groupOf(call, by), totalsOf(call));
          return totals;
        };
        const asked = usageGroupings.flatMap((by) =>
          spans.flatMap((from) => spans.map((to) => ({ by, from, to }))),
        );
        for (const { by, from, to } of asked) {
          expect(await store.usageTotals({ by, from, to })).toEqual(expected(by, from, to));
          const one = { by: "project", from, to, name: "a" } as const;
          expect(await store.usageTotals(one)).toEqual(expected("project", from, to, "a"));
        }
      });

      test("a commit that is refused used nothing", async () => {
        await store.commit(commit(put("k", "1", { version: 7 }), used()));
        expect(await store.usage({ limit: 1 })).toEqual([]);
        expect((await store.usageTotals({ by: "day" })).size).toBe(0);
      });
    });

    describe("metrics", () => {
      const row = (instanceId: string, period: string, name: string, value: number) => ({
        instanceId,
        period,
        name,
        value,
      });

      test("are added up by instance, hour and name, and found by the beginning of the hour", async () => {
        await store.addMetrics([
          row("i", "2026-11-24T09", "calls", 2),
          row("i", "2026-11-24T09", "bytes", 9),
        ]);
        await store.addMetrics([
          row("i", "2026-11-24T09", "calls", 3),
          row("i", "2026-11-25T00", "calls", 1),
        ]);
        await store.addMetrics([row("j", "2026-11-24T09", "calls", 7)]);
        const found = (period: string) => store.metrics({ instanceId: "i", period });
        expect(await found("")).toEqual([
          row("i", "2026-11-24T09", "bytes", 9),
          row("i", "2026-11-24T09", "calls", 5),
          row("i", "2026-11-25T00", "calls", 1),
        ]);
        expect(await found("2026-11-25")).toEqual([row("i", "2026-11-25T00", "calls", 1)]);
        expect(await found("2026-11-2_")).toEqual([]);
        expect(await store.metricTotals("2026-11")).toEqual([
          { instanceId: "i", name: "bytes", value: 9 },
          { instanceId: "i", name: "calls", value: 6 },
          { instanceId: "j", name: "calls", value: 7 },
        ]);
        const { revision, audit } = await store.heads();
        expect([revision, audit]).toEqual([0, 0]);
      });

      test("of hours before one are removed, the rest stays", async () => {
        await store.addMetrics([
          row("i", "2026-01-01T00", "calls", 1),
          row("i", "2026-11-24T09", "calls", 1),
        ]);
        expect(await store.trimMetrics("2026-06-01T00")).toBe(1);
        expect(await store.metrics({ instanceId: "i", period: "" })).toHaveLength(1);
        expect(await store.trimMetrics("2026-06-01T00")).toBe(0);
      });
    });

    describe("the audit log", () => {
      test("is read in both directions, by the topics of what changed", async () => {
        opened.clock.now = 7;
        await store.commit(commit(put("a/b", "1"), put("a/c", "1")));
        await store.commit(commit(remove("a/b")));
        const ids = async (query: Partial<Parameters<Store["audit"]>[0]>) =>
          (await store.audit({ order: "oldest", limit: 10, ...query })).map(({ id }) => id);
        expect(await ids({})).toEqual([1, 2, 3]);
        expect(await ids({ order: "newest", limit: 2 })).toEqual([3, 2]);
        expect(await ids({ after: 1, limit: 1 })).toEqual([2]);
        expect(await ids({ topic: compileGlob("state.a/b") })).toEqual([1, 3]);
        expect(await ids({ order: "newest", topic: compileGlob("state.a/?"), limit: 2 })).toEqual([3, 2]);
        expect(await ids({ topic: compileGlob("specs.*") })).toEqual([]);
        expect((await store.audit({ order: "newest", limit: 1 }))[0]).toMatchObject({
          at: 7,
          actor: "tester",
          action: "state.delete",
          resource: "a/b",
          detail: '{"version":2}',
          outcome: "ok",
        });
        expect(await store.heads()).toMatchObject({ audit: 3, firstAudit: 1 });
      });

      test("is searched by actor, action, resource and time together, newest first", async () => {
        const by = (actor: string, ...ops: Op[]) => store.commit({ ops, by: actor });
        opened.clock.now = 100;
        await by("ada", put("a", "1"), put("b", "1"));
        opened.clock.now = 200;
        await by("bob", put("a", "2"));
        await by("ada", remove("a"));
        // A clock that was set back: what is newest is told by the time.
        opened.clock.now = 150;
        await by("ada", put("c", "1"));
        const ids = async (query: Trail) =>
          (await trailOf(store, { limit: 10, ...query })).map(({ id }) => id);
        expect(await ids({})).toEqual([4, 3, 5, 2, 1]);
        expect(await ids({ limit: 2 })).toEqual([4, 3]);
        expect(await ids({ actor: "ada" })).toEqual([4, 5, 2, 1]);
        expect(await ids({ actor: "ada", from: 101, to: 199 })).toEqual([5]);
        expect(await ids({ resource: "a" })).toEqual([4, 3, 1]);
        expect(await ids({ resource: "a", actor: "ada", limit: 1 })).toEqual([4]);
        expect(await ids({ action: "state.put", to: 150 })).toEqual([5, 2, 1]);
        expect(await ids({ action: "state.delete", resource: "a", actor: "bob" })).toEqual([]);
        expect(await ids({ from: 200, to: 200 })).toEqual([4, 3]);
        expect(await ids({ actor: "nobody" })).toEqual([]);
        expect(await ids({ actor: "*d*" })).toEqual([4, 5, 2, 1]);
        expect(await ids({ actor: "{bob,eve}", action: "*", resource: "?" })).toEqual([3]);
        expect(await ids({ action: "state.p*", limit: 2 })).toEqual([3, 5]);
        expect(await ids({ action: "*.delete", resource: "a", actor: "a*" })).toEqual([4]);
        expect(await ids({ action: "*.delete", from: 0, to: 199 })).toEqual([]);
        expect(await ids({ resource: "[bc]" })).toEqual([5, 2]);
        const found = await store.auditTrail({ limit: 10 });
        expect(found).toEqual(
          (await store.audit({ order: "oldest", limit: 10 })).sort((a, b) => b.at - a.at || b.id - a.id),
        );
      });

      test("is searched by what came of it, alone and beside the other filters", async () => {
        const refused = (resource: string, by: string, outcome: "denied" | "conflict") => {
          const audit = { action: "state.put", resource, detail: { reason: "version_mismatch" } };
          return store.commit({ ops: [{ kind: "note", audit, outcome }], by });
        };
        opened.clock.now = 100;
        await store.commit({ ops: [put("a", "1")], by: "ada" });
        await refused("a", "bob", "conflict");
        opened.clock.now = 200;
        await refused("a", "ada", "denied");
        await refused("b", "bob", "conflict");
        await store.commit({ ops: [put("b", "1")], by: "bob" });
        const ids = async (query: Trail) => (await trailOf(store, query)).map(({ id }) => id);
        expect(await ids({ outcome: "ok" })).toEqual([5, 1]);
        expect(await ids({ outcome: "conflict" })).toEqual([4, 2]);
        expect(await ids({ outcome: "conflict", limit: 1 })).toEqual([4]);
        expect(await ids({ outcome: "conflict", before: 4 })).toEqual([2]);
        expect(await ids({ outcome: "conflict", to: 199 })).toEqual([2]);
        expect(await ids({ outcome: "{denied,conflict}" })).toEqual([4, 3, 2]);
        expect(await ids({ outcome: "{denied,conflict}", resource: "a" })).toEqual([3, 2]);
        expect(await ids({ outcome: "denied", actor: "ada", action: "state.*" })).toEqual([3]);
        expect(await ids({ outcome: "denied", actor: "bob" })).toEqual([]);
        expect(await ids({ outcome: "other" })).toEqual([]);
      });

      test("a filter without an index finds what thousands of rows stand before", async () => {
        await store.commit({ ops: [remove("gone"), put("needle", "1")], by: "ada" });
        for (let round = 0; round < 25; round++) {
          const ops = Array.from({ length: 512 }, (_, at) => put(`k${at}`, "1"));
          await store.commit({ ops, by: round % 2 ? "ada" : "bob" });
        }
        await store.commit({ ops: [remove("k1"), remove("k2")], by: "bob" });
        const trail = async (query: Trail) =>
          (await trailOf(store, { limit: 3, ...query })).map(({ resource }) => resource);
        expect(await trail({ action: "state.delete" })).toEqual(["k2", "k1", "gone"]);
        expect(await trail({ action: "state.delete", actor: "ada" })).toEqual(["gone"]);
        expect(await trail({ actor: "bob", action: "state.delete", resource: "k1" })).toEqual(["k1"]);
        expect(await trail({ resource: "needle", action: "state.put" })).toEqual(["needle"]);
        expect(await trail({ resource: "*eed*" })).toEqual(["needle"]);
        expect(await trail({ resource: "*eed*", actor: "ada", action: "state.*" })).toEqual(["needle"]);
        expect(await trail({ action: "*.delete", actor: "a*" })).toEqual(["gone"]);
        expect(await trail({ action: "*.delete", actor: "a*", limit: 1 })).toEqual(["gone"]);
      });

      test("is read page by page without a hole, also where the clock was set back", async () => {
        for (const [at, now] of [5, 9, 9, 9, 7, 9, 6, 9].entries()) {
          opened.clock.now = now;
          await store.commit({ ops: [put(`k${at % 3}`, "1")], by: at % 2 ? "bob" : "ada" });
        }
        const queries: Trail[] = [
          {},
          { actor: "ada" },
          { resource: "k1", action: "state.put" },
          { actor: "a*" },
          { from: 6, to: 8 },
          { to: 8, resource: "k*" },
        ];
        for (const query of queries) {
          const all = await trailOf(store, { limit: 20, ...query });
          const pages: AuditRow[] = [];
          for (;;) {
            const page = await trailOf(store, { limit: 2, ...query, before: pages.at(-1)?.id });
            if (page.length === 0) break;
            pages.push(...page);
          }
          expect(pages).toEqual(all);
          expect(await trailOf(store, { limit: 20, ...query, before: 1000 })).toEqual(all);
        }
        expect((await trailOf(store, {})).map(({ id }) => id)).toEqual([8, 6, 4, 3, 2, 5, 7, 1]);
      });

      test("is counted by action and outcome, with how many actors and resources there were", async () => {
        const span = async (query: object) => {
          const { actions, outcomes, ...rest } = await store.auditSummary(query);
          return { ...rest, ...Object.fromEntries(actions), ...Object.fromEntries(outcomes) } as object;
        };
        expect(await span({})).toEqual({ total: 0, actors: 0, resources: 0 });
        opened.clock.now = 100;
        await store.commit({ ops: [put("a", "1"), put("b", "1")], by: "ada" });
        opened.clock.now = 200;
        const audit = { action: "state.put", resource: "", detail: { reason: "version_mismatch" } };
        await store.commit({ ops: [remove("a"), { kind: "note", audit, outcome: "conflict" }], by: "bob" });
        const all = { total: 4, actors: 2, resources: 3, ok: 3, conflict: 1 };
        expect(await span({})).toEqual({ ...all, "state.put": 3, "state.delete": 1 });
        expect(await span({ from: 101 })).toEqual({
          total: 2,
          actors: 1,
          resources: 2,
          ok: 1,
          conflict: 1,
          "state.put": 1,
          "state.delete": 1,
        });
        expect(await span({ to: 100 })).toEqual({ total: 2, actors: 1, resources: 2, ok: 2, "state.put": 2 });
      });

      test("what was refused is a row like others, in the chain, and changes nothing else", async () => {
        await store.commit(commit(put("a", "1")));
        const audit = {
          action: "state.put",
          resource: "a",
          detail: { reason: "version_mismatch", current: 1 },
        };
        const outcome = await store.commit({ ops: [{ kind: "note", audit, outcome: "conflict" }], by: "" });
        expect(outcome).toMatchObject({ ok: true, results: [null] });
        const [row, before] = await store.audit({ order: "newest", limit: 2 });
        const { hash, ...fields } = row as AuditRow;
        expect(fields).toMatchObject({
          actor: "local",
          action: "state.put",
          resource: "a",
          detail: '{"reason":"version_mismatch","current":1}',
          outcome: "conflict",
        });
        expect(hash).toBe(chainHash((before as AuditRow).hash, fields));
        expect((await store.head("state", "a"))?.version).toBe(1);
      });

      test("who only says who it is, is named as that, unverified; who proves it is not", async () => {
        const claimed = (by: string, claimedBy: string) =>
          store.commit({
            by,
            ops: [{ kind: "note", outcome: "ok", audit: { action: "x", resource: "r", claimedBy } }],
          });
        await claimed("", "eve");
        await claimed("ada", "eve");
        await claimed("", "");
        const rows = await store.audit({ order: "oldest", limit: 3 });
        expect(rows.map(({ actor, detail }) => [actor, detail])).toEqual([
          ["eve", '{"unverified":true}'],
          ["ada", "{}"],
          ["local", "{}"],
        ]);
      });
    });

    test("reads that begin after an acknowledged write see it, under load", async () => {
      await Promise.all(
        Array.from({ length: 300 }, async (_, index) => {
          const key = `k${index % 7}`;
          const version = versionOf(await store.commit(commit(put(key, String(index))))) as number;
          const head = await store.head("state", key);
          expect(head?.version).toBeGreaterThanOrEqual(version);
        }),
      );
    });
  });
}
