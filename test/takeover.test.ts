import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startPostgres } from "../scripts/postgres.mjs";
import type { ServerProcess } from "../demo/compiled.ts";
import { postgresUrl } from "../src/store/postgres/database-for-tests.ts";
import { insist, openFleet, publish, until } from "./several-servers.ts";
import { type Received, startReceiver } from "./webhooks-harness.ts";

/** Background work of two real servers over one real PostgreSQL: one does it, and the other goes on where it was killed. */

const events = 300;

let cluster: Awaited<ReturnType<typeof startPostgres>>;
const { serve, end, close } = openFleet(() => cluster.url);

const get = async (server: ServerProcess, path: string) => (await fetch(server.url + path)).json() as any;
const post = (server: ServerProcess, path: string, body: object) =>
  fetch(server.url + path, { method: "POST", body: JSON.stringify(body) });

/** Whether it is the one that delivers. */
async function delivers(server: ServerProcess): Promise<boolean> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return /^koor_webhooks_served [1-9]/m.test(text);
}

describe.if(postgresUrl !== undefined)("the work of two servers over one database", () => {
  beforeAll(async () => {
    cluster = await startPostgres();
  });
  afterAll(async () => {
    await close();
    await cluster.stop();
  });

  test("of two servers one delivers; killed in the middle, the other goes on, loses none and repeats at most the one in flight (HOOK-1)", async () => {
    const [halfWay, killed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const receiver = startReceiver(async (_, index) => {
      if (index === 120) {
        halfWay.resolve();
        await killed.promise;
      }
      return 200;
    });
    const fleet = await Promise.all([serve(), serve()]);
    const numbers = () => receiver.received.map(({ body }: Received) => body.data as number);
    await post(fleet[0], "/api/webhooks", { id: "w", url: receiver.url, patterns: ["t"] });
    await until(async () => (await delivers(fleet[0])) || (await delivers(fleet[1])));

    // In peace: what both could send comes once.
    for (let n = 0; n < 50; n++) await publish(fleet[n % 2] as ServerProcess, "t", n);
    await until(() => receiver.received.length >= 50);
    expect(numbers()).toEqual(Array.from({ length: 50 }, (_, n) => n));
    const [first, second] = (await delivers(fleet[0])) ? fleet : [fleet[1], fleet[0]];
    expect(await delivers(second)).toBe(false);

    const publishing = (async () => {
      for (let n = 50; n < events; n++) await insist(() => publish(second, "t", n));
    })();
    await halfWay.promise;
    await end(first, "SIGKILL");
    killed.resolve();
    expect(numbers()).toHaveLength(121);
    await publishing;
    await until(() => new Set(numbers()).size === events);
    expect(await delivers(second)).toBe(true);
    // The one in flight came again as the first of the second server's; all else once, and all in order.
    expect(numbers().length).toBeLessThanOrEqual(events + 1);
    expect(numbers()).toEqual(numbers().toSorted((a, b) => a - b));
    const ids = new Map(receiver.received.map(({ body, headers }) => [body.data, headers["webhook-id"]]));
    expect(new Set(ids.values()).size).toBe(events);
    for (const { body, headers } of receiver.received)
      expect(headers["webhook-id"]).toBe(ids.get(body.data) as string);
    await end(second, "SIGTERM");
    await receiver.stop();
  });

  test("an agent that fell silent is said to be stale once, however many servers look at once, and to be back once", async () => {
    const fleet = await Promise.all([serve(), serve()]);
    const { id }: any = await (await post(fleet[0], "/api/instances/register", { name: "quiet" })).json();
    const sql = new Bun.SQL(cluster.url, { max: 1 });
    await sql`update koor.records set touched_at = touched_at - 600000 where collection = 'instances' and key = ${id}`;
    await sql.close();
    const checks = await Promise.all(
      Array.from({ length: 20 }, (_, n) => post(fleet[n % 2] as ServerProcess, "/api/liveness/check", {})),
    );
    const answers: any[] = await Promise.all(checks.map((check) => check.json()));
    expect(answers.flatMap(({ newly_stale }) => newly_stale)).toEqual([id]);
    const said = (topic: string) => get(fleet[1], `/api/events/history?topic=${topic}`);
    expect(await said("agent.stale")).toHaveLength(1);
    await Promise.all(fleet.map((server) => post(server, `/api/instances/${id}/heartbeat`, {})));
    await until(async () => (await said("agent.recovered")).length > 0);
    expect(await said("agent.recovered")).toHaveLength(1);
    for (const server of fleet) await end(server, "SIGTERM");
  });
});
