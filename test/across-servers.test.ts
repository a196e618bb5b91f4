import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { ServerProcess } from "../demo/compiled.ts";
import { newDatabase, postgresUrl } from "../src/store/postgres/database-for-tests.ts";
import { historiesOf, linearizable } from "./proof/over-http.ts";
import { seeded } from "./proof/random.ts";
import { follow, insist, openFleet, openWay, publish, put, until } from "./several-servers.ts";

/** What holds across real servers over one database that nothing happens to: see several-servers.test.ts for the rest. */

let database: Awaited<ReturnType<typeof newDatabase>>;
const { serve, end, close } = openFleet(() => database.url);

async function send(server: ServerProcess, method: string, path: string, body: unknown, headers = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(server.url + path, {
    method,
    headers,
    ...(body !== undefined && { body: text }),
  });
  return { status: response.status, body: await response.json() };
}

async function register(server: ServerProcess, name: string) {
  const { body } = await send(server, "POST", "/api/instances/register", { name });
  return { "Koor-Instance-Token": body.token as string };
}

describe.if(postgresUrl !== undefined)("across servers over one database", () => {
  beforeAll(async () => {
    database = await newDatabase();
  });
  const started: ServerProcess[] = [];
  const fleet = async (count: number) => {
    const servers = await Promise.all(Array.from({ length: count }, () => serve()));
    started.push(...servers);
    return servers as [ServerProcess, ServerProcess, ServerProcess];
  };
  afterEach(async () => {
    await Promise.all(started.splice(0).map((server) => end(server, "SIGKILL")));
  });
  afterAll(async () => {
    await close();
    await database.drop();
  });

  test("reads, writes, conditional writes and deletes of a key are linearizable, each through any server (LIN-1)", async () => {
    const servers = await fleet(3);
    const random = seeded("any server");
    const ask = (path: string, init?: RequestInit) => fetch(random.pick(servers).url + path, init);
    const histories = await historiesOf(ask, "linear", "across servers", 120);
    expect(histories).toHaveLength(8);
    const kinds = new Set(histories.flat().map(({ answer }) => answer?.kind));
    for (const kind of ["read", "absent", "written", "deleted", "mismatch"] as const)
      expect(kinds).toContain(kind);
    for (const history of histories) expect(linearizable(history)).toBe(true);
  }, 120_000);

  test("a server that is paused past a lease's TTL refuses the write with its fence that it was sent meanwhile, while another's holder works (LEASE-1)", async () => {
    const [paused, other] = await fleet(2);
    const [ada, bob] = [await register(paused, "ada"), await register(other, "bob")];
    const { body: lost } = await send(paused, "POST", "/api/leases", { paths: ["src/**"] }, ada);
    const lostFence = { ...ada, "Koor-Fence": `${lost.id}:${lost.fence}` };
    expect((await put(paused, "doc", "from ada", lostFence)).status).toBe(200);
    // Only now, so that the write before is within the TTL however slow it was.
    const shortened = await send(paused, "POST", `/api/leases/${lost.id}/renew`, { ttl: "2s" }, ada);
    expect(shortened.status).toBe(200);
    paused.kill("SIGSTOP");
    const late = put(paused, "doc", "from ada, late", lostFence);

    const taken = await send(other, "POST", "/api/leases", { paths: ["src/a"], wait: "60s" }, bob);
    expect(taken.status).toBe(200);
    expect(taken.body.fence).toBeGreaterThan(lost.fence);
    const fence = { ...bob, "Koor-Fence": `${taken.body.id}:${taken.body.fence}` };
    const written = await send(other, "PUT", "/api/state/doc", "from bob", fence);
    expect(written.status).toBe(200);

    paused.kill("SIGCONT");
    const refused = await late;
    expect([refused.status, (await refused.json()).reason]).toEqual([412, "lease_lost"]);
    const renewed = await send(paused, "POST", `/api/leases/${lost.id}/renew`, {}, ada);
    expect(renewed.body.reason).toBe("lease_lost");
    for (const server of [paused, other]) {
      const now = await fetch(`${server.url}/api/state/doc`);
      expect(await now.text()).toBe("from bob");
      expect(now.headers.get("x-koor-version")).toBe(String(written.body.version));
    }
  });

  test("who waits at one server is woken by a change at another: for a version, an event, a change, a lease", async () => {
    const [here, there] = await fleet(2);
    const [ada, bob] = [await register(here, "ada"), await register(there, "bob")];
    const { body: held } = await send(there, "POST", "/api/leases", { resource: "tests" }, bob);
    const version = fetch(`${here.url}/api/state/awaited?after_version=0&wait=60s`);
    const event = fetch(`${here.url}/api/events/next?pattern=awaited&wait=60s`);
    const change = fetch(`${here.url}/api/changes/next?pattern=state.awaited&wait=60s`);
    const lease = send(here, "POST", "/api/leases", { resource: "tests", wait: "60s" }, ada);
    const waits = async () => (await (await fetch(`${there.url}/api/leases`)).json()) as { state: string }[];
    await until(async () => (await waits()).some(({ state }) => state === "waiting"));
    // What is asked without a position begins where the log ends then: the events until one comes through.
    let over = false;
    const publishing = (async () => {
      while (!over) {
        await publish(there, "awaited", 1);
        await put(there, "awaited", "here it is");
      }
    })();
    expect(await (await version).text()).toBe("here it is");
    expect((await (await event).json()).events[0].topic).toBe("awaited");
    expect((await (await change).json()).events[0].topic).toBe("state.awaited");
    over = true;
    await publishing;
    expect((await send(there, "DELETE", `/api/leases/${held.id}`, undefined, bob)).status).toBe(200);
    expect((await lease).status).toBe(200);
  });

  test("when one server restores a backup, those who wait and follow at another go on with what is there then", async () => {
    const [here, there] = await fleet(2);
    await put(there, "restored", "1");
    const backup = await (await fetch(`${there.url}/api/backup`)).arrayBuffer();
    const reader = await follow(here.url, 0);
    const version = fetch(`${here.url}/api/state/restored?after_version=1&wait=60s`);
    const restored = await fetch(`${there.url}/api/restore`, { method: "POST", body: backup });
    expect(restored.status).toBe(200);
    await until(reader.closed);
    await put(there, "restored", "2");
    expect(await (await version).text()).toBe("2");
  });

  test("a database that is cut off without a word is 503, and when it can be reached again all goes on (LOG-2)", async () => {
    const way = openWay(database.url);
    const [other] = await fleet(1);
    const server = await serve({ KOOR_DATABASE: way.url });
    started.push(server);
    const first = await publish(server, "cut", 1);
    const reader = await follow(server.url, first - 1);
    way.cut();
    const refused = await Promise.all([put(server, "cut", "1"), fetch(`${server.url}/api/state/cut`)]);
    expect(refused.map(({ status }) => status)).toEqual([503, 503]);
    expect(refused.map(({ headers }) => headers.get("retry-after"))).toEqual(["1", "1"]);
    const second = await publish(other, "cut", 2);
    way.mend();
    const third = await insist(() => publish(server, "cut", 3));
    await until(() => reader.ids.length >= 3);
    expect(reader.ids).toEqual([first, second, third]);
    expect(reader.closed()).toBe(false);
    way.close();
  });

  test("a server whose database is cut off without a word stops all the same (STOP-1)", async () => {
    const way = openWay(database.url);
    const server = await serve({ KOOR_DATABASE: way.url });
    started.push(server);
    expect((await put(server, "stopping", "1")).status).toBe(200);
    way.cut();
    server.kill("SIGTERM");
    expect((await server.exited).code).toBe(0);
    way.close();
  });
});
