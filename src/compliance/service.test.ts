import { describe, expect, test } from "bun:test";
import { joinKey } from "../core/composite-key.ts";
import type { Fault } from "../core/contract-judge.ts";
import { openMemory } from "../store/memory/open.ts";
import { checkEvents, checkMs, checkRuns, complianceService, keptChecks } from "./service.ts";

const nothing = { params: {}, body: undefined, contentType: "", condition: {}, caller: { name: "" } };

/** Two servers on one store, whose contracts are sound unless they are among the bad. */
async function house({ instances = 1, contracts = 1 } = {}) {
  const clock = { now: 1_000_000 };
  const store = openMemory({ now: () => clock.now });
  const ops = Array.from({ length: contracts }, (_, index) => ({
    kind: "put" as const,
    collection: "specs" as const,
    key: joinKey("shop", `c${String(index).padStart(4, "0")}`),
    value: new Uint8Array([index]),
    contentType: "application/json",
    audit: { action: "spec.put", resource: "" },
  }));
  await store.commit({ by: "", ops });
  const bad = new Set<string>();
  const judging = { ms: 0 };
  const judge = async ({ key }: { key: string }): Promise<Fault[]> => {
    clock.now += judging.ms;
    return bad.has(key) ? [{ path: "GET /x", message: "no schema" }] : [];
  };
  const active = Array.from({ length: instances }, (_, index) => ({ id: `i${index}`, workspace: "shop" }));
  const server = () => complianceService({ store, judge, activeInstances: async () => active });
  const servers = [server(), server()] as const;
  const [service] = servers;
  const run = () => service.run({ ...nothing, query: {} });
  const history = (limit: number) => service.history({ ...nothing, query: { limit } });
  return { clock, store, ops, bad, judging, servers, service, run, history };
}

describe("a check", () => {
  test("that comes round by itself leaves its runs in the history and no row in the audit", async () => {
    const { service, store, history } = await house();
    const before = (await store.heads()).audit;
    await service.check();
    expect(await history(10)).toMatchObject([
      { id: "1.1", instance_id: "i0", contract: "c0000", pass: true },
    ]);
    expect((await store.heads()).audit).toBe(before);
    expect((await store.head("compliance", "head"))?.updatedBy).toBe("compliance-scheduler");
  });

  test("keeps the runs of a day, and forgets the oldest", async () => {
    const { service, store, history } = await house();
    for (let at = 0; at < keptChecks + 20; at++) await service.check();
    expect((await store.heads()).live.compliance_checks).toBe(keptChecks);
    const runs = await history(1000);
    expect(runs).toHaveLength(keptChecks);
    expect(runs[0]?.id).toBe(`${keptChecks + 20}.1`);
    expect(runs.at(-1)?.id).toBe("21.1");
  });

  test("of too many runs keeps one of every contract, and says that there were more", async () => {
    const { run, history } = await house({ instances: 60, contracts: 30 });
    const { runs, count, truncated } = await run();
    expect([runs.length, count, truncated]).toEqual([checkRuns, checkRuns, true]);
    expect(new Set(runs.map(({ contract }) => contract)).size).toBe(30);
    expect(await history(1000)).toHaveLength(checkRuns);
  });

  test("ends when its time is up, and says that there was more", async () => {
    const { run, judging } = await house({ contracts: 10 });
    judging.ms = checkMs / 5;
    expect(await run()).toMatchObject({ count: 5, truncated: true });
  });

  test("of very many contracts that fail leaves room in the event log, and tells first what is new", async () => {
    const { run, bad, ops, store } = await house({ contracts: checkEvents + 50 });
    for (const { key } of ops.slice(0, checkEvents)) bad.add(key);
    await run();
    const newest = ops.at(-1)?.key as string;
    bad.add(newest);
    await run();
    const events = await store.events({ order: "oldest", limit: 1000 });
    expect(events).toHaveLength(2 * checkEvents);
    expect(JSON.parse(events[checkEvents]?.data ?? "")).toMatchObject({
      contract: `c${String(checkEvents + 49).padStart(4, "0")}`,
      pass: false,
    });
  });

  test("on two servers at once is two checks, one after the other", async () => {
    const { servers, bad, ops, history, store } = await house();
    bad.add(ops[0]?.key as string);
    await Promise.all(servers.flatMap((server) => [server.check(), server.check()]));
    expect((await history(10)).map(({ id }) => id)).toEqual(["4.1", "3.1", "2.1", "1.1"]);
    expect((await store.heads()).events).toBe(4);
  });

  test("of which too many wait is refused (LIMIT-1)", async () => {
    const { run } = await house();
    const asked = await Promise.allSettled(Array.from({ length: 20 }, run));
    const refused = asked.filter(({ status }) => status === "rejected");
    expect(refused).toHaveLength(4);
    expect(refused[0]).toMatchObject({ reason: { reason: "rate_limited" } });
  });
});
