import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Op, isLive } from "../core/commit.ts";
import { overlapOf } from "../core/path-glob.ts";
import { instanceService } from "../instances/service.ts";
import { openMemory } from "../store/memory/open.ts";
import { type Lease, excludes, putHeld, putWaiting, readLease } from "./lease.ts";
import type { Timer } from "./line.ts";
import { leaseService } from "./service.ts";

/** A clock whose timers fire when it is moved. */
function clockwork(start: number) {
  const clock = { now: start };
  const sleeping = new Set<{ at: number; wake: () => void }>();
  const timer: Timer = (ms, wake) => {
    const entry = { at: clock.now + ms, wake };
    sleeping.add(entry);
    return () => sleeping.delete(entry);
  };
  return {
    clock,
    timer,
    move(ms: number) {
      clock.now += ms;
      for (const entry of sleeping) {
        if (entry.at > clock.now) continue;
        sleeping.delete(entry);
        entry.wake();
      }
    },
  };
}

const nothing = { params: {}, query: {}, contentType: "", condition: {} };

/** Two servers on one store, whose own clocks may be wrong; the store's decides. */
async function house(skewMs = 0) {
  const { clock, timer, move } = clockwork(1_000_000);
  const store = openMemory({ now: () => clock.now });
  let ids = 0;
  const newId = () => `id-${++ids}`;
  const clocks = [() => clock.now, () => clock.now + skewMs];
  const servers = clocks.map((now) => leaseService({ store, now, newId, timer }));
  const server = (at: number) => servers[at % servers.length] as (typeof servers)[number];
  const instances = instanceService({ store, now: () => clock.now, newId, endAllOf: server(1).endAllOf });
  const register = async (name: string) => {
    const body = { name, workspace: "", intent: "", stack: "", capabilities: [] };
    return (await instances.register({ ...nothing, body, caller: { name: "" } })).id;
  };
  return { clock, move, store, server, instances, register };
}

type House = Awaited<ReturnType<typeof house>>;

interface Ask {
  holder: { id: string; name: string };
  paths: string[];
  mode?: "exclusive" | "shared";
  ttl?: number;
  wait?: number;
  at?: number;
  signal?: AbortSignal;
}

function acquire(
  at: House,
  { holder, paths, mode = "exclusive", ttl = 10_000, wait = 0, at: server = 0, signal }: Ask,
) {
  return at.server(server).acquire({
    ...nothing,
    body: { resource: "", paths, mode, ttl, wait, note: "" },
    caller: { name: holder.name, instanceId: holder.id },
    ...(signal && { signal }),
  });
}

/** Until nothing moves any more by itself. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function liveLeases({ store, clock }: House): Promise<Lease[]> {
  const records = await store.listValues("leases");
  return records
    .filter((record) => isLive(record, clock.now))
    .map(readLease)
    .sort((a, b) => a.fence - b.fence);
}

function conflict(a: Lease, b: Lease): boolean {
  return excludes(a, b) && a.globs.some((one) => b.globs.some((other) => overlapOf(one).with(other)));
}

const reasonOf = (error: unknown) => (error as { reason?: string }).reason;

describe("leases of two servers on one store", () => {
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("acquire" as const),
        at: fc.nat(1),
        holder: fc.nat(4),
        paths: fc.uniqueArray(fc.constantFrom("a", "b", "c", "*", "a/**", "a/b", "**/b"), {
          minLength: 1,
          maxLength: 2,
        }),
        mode: fc.constantFrom("exclusive" as const, "exclusive" as const, "shared" as const),
        ttl: fc.integer({ min: 1000, max: 8000 }),
        wait: fc.constantFrom(0, 500, 5000, 20_000),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("release" as const), which: fc.nat(20) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("renew" as const), which: fc.nat(20), at: fc.nat(1) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant("move" as const), ms: fc.integer({ min: 1, max: 6000 }) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("deregister" as const), holder: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), which: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("settle" as const) }) },
  );

  test("never conflict, keep the order of arrival, last as long as they say, and leave nobody waiting (LEASE-1)", async () => {
    let waited = 0;
    const run = async (
      steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[],
      skew: number,
    ) => {
      const at = await house(skew);
      const holders = await Promise.all(
        ["ada", "bob", "cyd", "dan", "eve"].map(async (name) => ({ name, id: await at.register(name) })),
      );
      const asked: AbortController[] = [];
      /** What was answered: each lasts until it says, unless it or its holder is among those ended. */
      const promised = new Map<string, { holder_id: string; expires_at: string }>();
      const answers: Promise<void>[] = [];
      const ended = new Set<string>();

      async function judge(): Promise<void> {
        const leases = await liveLeases(at);
        const held = leases.filter(({ state }) => state === "held");
        for (const [index, one] of held.entries())
          for (const other of held.slice(index + 1)) expect(conflict(one, other)).toBe(false);
        // Who waits is passed by nobody that came later.
        for (const waiting of leases.filter(({ state }) => state === "waiting"))
          for (const other of held)
            if (other.fence > waiting.fence) expect(conflict(waiting, other)).toBe(false);
        for (const [id, { holder_id, expires_at }] of promised) {
          const over = Date.parse(expires_at) <= at.clock.now || ended.has(id) || ended.has(holder_id);
          if (!over) expect(held.map((lease) => lease.id)).toContain(id);
        }
      }

      for (const act of steps) {
        if (act.do === "acquire") {
          const holder = holders[act.holder] as (typeof holders)[number];
          const leave = new AbortController();
          asked.push(leave);
          const before = at.clock.now;
          const answer = acquire(at, { ...act, holder, signal: leave.signal }).then(
            (lease) => {
              expect(lease.ttl_ms).toBe(act.ttl);
              if (at.clock.now > before) waited++;
              if (!leave.signal.aborted) promised.set(lease.id, lease);
              return undefined;
            },
            (error: unknown) =>
              expect(["conflict", "unknown_instance", "unavailable"]).toContain(String(reasonOf(error))),
          );
          answers.push(answer);
        } else if (act.do === "release") {
          const leases = await liveLeases(at);
          const lease = leases[act.which % leases.length];
          if (!lease) continue;
          ended.add(lease.id);
          await at
            .server(0)
            .release({ ...nothing, params: { id: lease.id }, body: undefined, caller: { name: "" } })
            .catch((error: unknown) => expect(reasonOf(error)).toBe("not_found"));
        } else if (act.do === "renew") {
          const leases = (await liveLeases(at)).filter(({ state }) => state === "held");
          const lease = leases[act.which % leases.length];
          if (!lease) continue;
          const caller = { name: lease.holder, instanceId: lease.holder_id };
          const renewed = await at
            .server(act.at)
            .renew({ ...nothing, params: { id: lease.id }, body: {}, caller })
            .catch((error: unknown) => expect(reasonOf(error)).toBe("lease_lost"));
          if (renewed) expect(renewed.fence).toBe(lease.fence);
          if (renewed && promised.has(lease.id)) promised.set(lease.id, renewed);
        } else if (act.do === "move") {
          at.move(act.ms);
        } else if (act.do === "deregister") {
          const holder = holders[act.holder] as (typeof holders)[number];
          const { id } = holder;
          ended.add(id);
          await at.instances
            .delete({ ...nothing, params: { id }, body: undefined, caller: { name: "" } })
            .catch((error: unknown) => expect(reasonOf(error)).toBe("not_found"));
          for (const lease of await liveLeases(at)) expect(lease.holder_id).not.toBe(id);
          holder.id = await at.register("again");
        } else if (act.do === "leave") {
          asked[act.which % (asked.length || 1)]?.abort();
        } else await settle();
        await judge();
      }

      await settle();
      await judge();
      if (skew === 0) {
        // Whoever still waits has somebody in front.
        const leases = await liveLeases(at);
        for (const waiting of leases.filter(({ state }) => state === "waiting"))
          expect(leases.some((other) => other.fence < waiting.fence && conflict(other, waiting))).toBe(true);
      }
      at.move(60_000);
      await settle();
      at.move(60_000);
      await settle();
      await Promise.all(answers);
      await at.server(0).expire();
      expect(await at.store.listValues("leases")).toHaveLength(0);
      at.server(0).close();
      at.server(1).close();
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.constantFrom(0, 0, 3000, -3000), run),
      { numRuns: 300 },
    );
    // The scenarios reach what they are about.
    expect(waited).toBeGreaterThan(50);
  }, 120_000);
});

describe("a lease", () => {
  async function two() {
    const at = await house();
    const [ada, bob] = await Promise.all(
      ["ada", "bob"].map(async (name) => ({ name, id: await at.register(name) })),
    );
    return { at, ada: ada as Ask["holder"], bob: bob as Ask["holder"] };
  }
  const person = { ...nothing, body: undefined, caller: { name: "" } };

  test("lasts exactly its TTL by the store's clock (LEASE-1)", async () => {
    const { at, ada, bob } = await two();
    await acquire(at, { holder: ada, paths: ["a"], ttl: 5000 });
    at.move(4999);
    expect(await acquire(at, { holder: bob, paths: ["a"] }).catch(reasonOf)).toBe("conflict");
    at.move(1);
    expect(await acquire(at, { holder: bob, paths: ["a"] })).toMatchObject({ holder: "bob" });
  });

  test("goes to who waits at another server when it is released, without a moment passing", async () => {
    const { at, ada, bob } = await two();
    const { id } = await acquire(at, { holder: ada, paths: ["a"] });
    const waiting = acquire(at, { holder: bob, paths: ["a"], wait: 5000, at: 1 });
    await settle();
    await at.server(0).release({ ...person, params: { id } });
    expect(await waiting).toMatchObject({ holder: "bob" });
  });

  test("goes to who waits when it ends, at that moment", async () => {
    const { at, ada, bob } = await two();
    await acquire(at, { holder: ada, paths: ["a"], ttl: 1000 });
    const waiting = acquire(at, { holder: bob, paths: ["a"], wait: 5000, at: 1 });
    await settle();
    at.move(1000);
    expect(await waiting).toMatchObject({
      holder: "bob",
      expires_at: new Date(at.clock.now + 10_000).toISOString(),
    });
  });

  /** Whatever comes between the steps of the one and of the other. */
  const offsets = Array.from({ length: 60 }, (_, index) => index);
  const turns = async (count: number) => {
    for (let turn = 0; turn < count; turn++) await Promise.resolve();
  };

  test("is never of an instance that left, whenever it left", async () => {
    for (const offset of offsets) {
      const { at, ada } = await two();
      const answer = acquire(at, { holder: ada, paths: ["a"] }).catch(reasonOf);
      await turns(offset);
      await at.instances.delete({ ...person, params: { id: ada.id } });
      await answer;
      expect(await liveLeases(at)).toEqual([]);
    }
  });

  test("is not held by who was sent away from the line, whenever that was", async () => {
    for (const offset of offsets) {
      const { at, ada, bob } = await two();
      const { id } = await acquire(at, { holder: ada, paths: ["a"] });
      const leave = new AbortController();
      const waits = [
        acquire(at, { holder: bob, paths: ["a"], wait: 5000, at: 1 }).catch(reasonOf),
        acquire(at, { holder: bob, paths: ["a"], wait: 5000, at: 1, signal: leave.signal }).catch(reasonOf),
      ];
      await settle();
      const [, removed] = await liveLeases(at);
      const release = (lease: string) => at.server(0).release({ ...person, params: { id: lease } });
      const over = release(id);
      await turns(offset);
      leave.abort();
      await Promise.all([over, release((removed as Lease).id)]);
      await settle();
      expect(await liveLeases(at)).toEqual([]);
      await Promise.all(waits);
    }
  });

  test("is refused while a thousand are held, or a thousand wait (LIMIT-1)", async () => {
    const { at, ada, bob } = await two();
    const claim = { holder_id: ada.id, holder: "ada", resource: "", mode: "exclusive", note: "" } as const;
    const put = (id: string, path: string, make: typeof putHeld) =>
      make(id, { ...claim, paths: [path], ttl_ms: 60_000 });
    const each = (make: (number: number) => Op) => Array.from({ length: 1000 }, (_, number) => make(number));
    const waiting: typeof putHeld = (id, what) => putWaiting(id, what, 60_000);
    await at.store.commit({ by: "", ops: each((number) => put(`h${number}`, `a${number}`, putHeld)) });
    await at.store.commit({ by: "", ops: each((number) => put(`w${number}`, "a7", waiting)) });
    expect(await acquire(at, { holder: bob, paths: ["b"] }).catch(reasonOf)).toBe("rate_limited");
    expect(await acquire(at, { holder: bob, paths: ["a7"], wait: 1 }).catch(reasonOf)).toBe("rate_limited");
    expect(await acquire(at, { holder: bob, paths: ["a7"] }).catch(reasonOf)).toBe("conflict");
    await at.server(0).release({ ...person, params: { id: "h3" } });
    expect(await acquire(at, { holder: bob, paths: ["b"] })).toMatchObject({ holder: "bob" });
  });

  test("that ended leaves one row in the audit, however many servers noticed", async () => {
    const { at, ada } = await two();
    const { id } = await acquire(at, { holder: ada, paths: ["a", "b"], ttl: 1000 });
    at.move(1000);
    await Promise.all([at.server(0).expire(), at.server(1).expire(), at.server(0).expire()]);
    const rows = await at.store.audit({ order: "oldest", limit: 100 });
    expect(rows.filter(({ resource }) => resource === id)).toMatchObject([
      { action: "lease.acquire", actor: "ada" },
      {
        action: "lease.expire",
        actor: "lease-monitor",
        detail: expect.stringContaining('"holder":"ada","paths":"a, b"'),
      },
    ]);
  });
});
