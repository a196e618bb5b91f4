import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { runCli } from "../src/cli/io-for-tests.ts";
import { countAgents } from "../src/metrics/agents.ts";
import { openMemory } from "../src/store/memory/open.ts";
import { type TestServer, startServer } from "./harness.ts";

const clock = { now: Date.UTC(2026, 10, 24, 9, 30) };
const hour = "2026-11-24T09";
let server: TestServer;
beforeAll(async () => {
  server = await startServer([], { now: () => clock.now });
});
afterAll(() => server.dispose());

const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  server.json(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
const rowsOf = async (id: string, period = "") =>
  (await send("GET", `/api/metrics/agents/${id}?period=${period}`)).body;
const countsOf = async (id: string) =>
  Object.fromEntries((await rowsOf(id)).map((row: any) => [row.metric_name, row.metric_value]));

async function agent(name: string) {
  const { id, token } = (await send("POST", "/api/instances/register", { name })).body;
  const headers = { "Koor-Instance-Token": token };
  return {
    id,
    headers,
    send: (method: string, path: string, body?: unknown, more = {}) =>
      send(method, path, body, { ...headers, ...more }),
  };
}

describe("agents' metrics", () => {
  test("count the calls that carry an instance's token, and their bytes, in the hour that it is", async () => {
    const ada = await agent("ada");
    await ada.send("PUT", "/api/state/a", 1);
    await ada.send("GET", "/api/state/a");
    await server.ask("/api/state/a");
    expect(await rowsOf(ada.id)).toEqual([
      { instance_id: ada.id, metric_name: "bytes", metric_value: expect.any(Number), period: hour },
      { instance_id: ada.id, metric_name: "calls", metric_value: 2, period: hour },
    ]);
    clock.now += 60 * 60 * 1000;
    await ada.send("GET", "/api/state/a");
    clock.now -= 60 * 60 * 1000;
    expect((await rowsOf(ada.id, "2026-11-24T10")).map((row: any) => row.period)).toEqual([
      "2026-11-24T10",
      "2026-11-24T10",
    ]);
    expect(await rowsOf(ada.id, "2026-11-24")).toHaveLength(4);
    expect(await rowsOf(ada.id, "2026-11-2_")).toEqual([]);
  });

  test("count conflicts, other refusals and violations", async () => {
    const bob = await agent("bob");
    await bob.send("PUT", "/api/state/b", 1);
    await bob.send("PUT", "/api/state/b", 1, { "X-Koor-If-Version": "7" });
    await bob.send("DELETE", "/api/state/nothing");
    await bob.send("POST", "/api/events/publish", {});
    await send("PUT", "/api/validate/shop/rules", [{ rule_id: "no-todo", pattern: "TODO" }]);
    await bob.send("POST", "/api/validate/shop", { content: "TODO\nTODO" });
    expect(await countsOf(bob.id)).toMatchObject({ calls: 5, conflicts: 1, errors: 2, violations: 2 });
    await send("PUT", "/api/specs/shop/api", {
      type: "object",
      required: ["a"],
      $schema: "https://json-schema.org/draft/2020-12/schema",
    });
    await bob.send("POST", "/api/contracts/shop/api/validate", { payload: {} });
    expect(await countsOf(bob.id)).toMatchObject({ violations: 3 });
  });

  test("count calls without a token for the instance that the path names, if it is there", async () => {
    const { id } = await agent("named");
    await send("POST", `/api/instances/${id}/heartbeat`);
    await send("GET", `/api/instances/${id}`);
    await send("GET", "/api/instances/made-up");
    expect(await countsOf(id)).toMatchObject({ calls: 2 });
    expect(await rowsOf("made-up")).toEqual([]);
  });

  test("count calls over MCP", async () => {
    const joan = await agent("joan");
    const call = {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "discover_instances", arguments: {} },
    };
    const headers = { "Content-Type": "application/json", Accept: "application/json, text/event-stream" };
    await joan.send("POST", "/mcp", call, headers);
    expect(await countsOf(joan.id)).toEqual({ mcp_calls: 1, bytes: expect.any(Number) });
    const { id } = await agent("over-mcp");
    const set = (instance_id: string) =>
      send(
        "POST",
        "/mcp",
        { ...call, params: { name: "set_intent", arguments: { instance_id, intent: "x" } } },
        headers,
      );
    await set(id);
    await set("made-up");
    expect(await countsOf(id)).toEqual({ mcp_calls: 1 });
    expect(await countsOf("made-up")).toEqual({});
  });

  test("count what was refused and found over MCP, once, for the instance whose token it carries", async () => {
    const amy = await agent("amy");
    const headers = { "Content-Type": "application/json", Accept: "application/json, text/event-stream" };
    const call = (name: string, args: object) => ({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name, arguments: args },
    });
    await amy.send("POST", "/mcp", call("set_intent", { instance_id: "made-up", intent: "x" }), headers);
    await amy.send("POST", "/mcp", call("set_intent", { intent: 7 }), headers);
    expect(await countsOf(amy.id)).toEqual({ mcp_calls: 2, errors: 2, bytes: expect.any(Number) });
  });

  test("do not count who asks for them", async () => {
    const grace = await agent("grace");
    await grace.send("GET", "/api/metrics/agents");
    await grace.send("GET", `/api/metrics/agents/${grace.id}`);
    await grace.send("GET", "/api/metrics");
    expect(await rowsOf(grace.id)).toEqual([]);
  });

  test("are summed for each agent where none is named", async () => {
    const eve = await agent("eve");
    for (let n = 0; n < 3; n++) await eve.send("GET", "/api/state");
    const all = (await send("GET", `/api/metrics/agents?period=${hour}`)).body;
    expect(all.find((one: any) => one.instance_id === eve.id)).toEqual({
      instance_id: eve.id,
      metrics: { bytes: expect.any(Number), calls: 3 },
    });
    expect((await send("GET", "/api/metrics/agents?period=1999")).body).toEqual([]);
  });

  test("survive a restart, and are no commits", async () => {
    const kim = await agent("kim");
    const before = (await send("GET", "/api/audit/summary")).body.total_entries;
    await kim.send("GET", "/api/state");
    expect(await countsOf(kim.id)).toMatchObject({ calls: 1 });
    // Its first use of the token activated it, and nothing else was written down.
    expect((await send("GET", "/api/audit/summary")).body.total_entries).toBe(before + 1);
    const { directory } = server;
    await server.close();
    server = await startServer([], { now: () => clock.now, directory });
    expect(await countsOf(kim.id)).toMatchObject({ calls: 1 });
  });

  test("without the server's token nobody reads them (AUTH-1)", async () => {
    const closed = await startServer(["--auth-token", "secret"]);
    for (const path of ["/api/metrics/agents", "/api/metrics/agents/x"])
      expect((await closed.ask(path)).status).toBe(401);
    await closed.dispose();
  });

  test("koor-cli metrics agents shows all, or one", async () => {
    const lee = await agent("lee");
    await lee.send("GET", "/api/state");
    const cli = (...argv: string[]) =>
      runCli(["metrics", "agents", ...argv], { env: { KOOR_SERVER: server.url } });
    const json = async (...argv: string[]) => JSON.parse((await cli(...argv)).stdout);
    expect((await json()).map((one: any) => one.instance_id)).toContain(lee.id);
    const rows = await rowsOf(lee.id, hour);
    expect(rows).toHaveLength(2);
    expect(await json(lee.id)).toEqual(rows);
    expect(await json("--instance_id", lee.id, "--period", hour)).toEqual(rows);
    expect(await json(lee.id, "--period", "1999")).toEqual([]);
    expect((await cli(lee.id, "--instance_id", lee.id)).exit).toBe(1);
  });
});

test("what could not be written is written with what comes after it", async () => {
  const store = openMemory({ now: () => clock.now });
  let broken = true;
  const agents = countAgents({
    ...store,
    addMetrics: (rows) => (broken ? Promise.reject(new Error("away")) : store.addMetrics(rows)),
  });
  agents.count("i", { calls: 1 });
  await expect(agents.flush()).rejects.toThrow("away");
  agents.count("i", { calls: 2, bytes: 5 });
  broken = false;
  await agents.flush();
  await agents.flush();
  expect(await store.metricTotals("")).toEqual([
    { instanceId: "i", name: "bytes", value: 5 },
    { instanceId: "i", name: "calls", value: 3 },
  ]);
});

test("what is older than a quarter of a year is removed", async () => {
  const time = { now: Date.UTC(2026, 0, 1) };
  const store = openMemory({ now: () => time.now });
  const agents = countAgents(store);
  agents.count("i", { calls: 1 });
  await agents.flush();
  time.now += 91 * 24 * 60 * 60 * 1000;
  agents.count("i", { calls: 1 });
  await agents.flush();
  expect(await agents.trim()).toBe(1);
  expect(await store.metricTotals("")).toEqual([{ instanceId: "i", name: "calls", value: 1 }]);
});
