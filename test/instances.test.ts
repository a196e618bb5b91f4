import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
const clock = { now: Date.parse("2026-11-01T12:00:00Z") };
beforeAll(async () => {
  server = await startServer([], { now: () => clock.now });
});
afterAll(() => server.dispose());

const post = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
  server.json(path, { method: "POST", headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
const register = async (name: string, more: object = {}) =>
  (await post("/api/instances/register", { name, ...more })).body;
const get = async (id: string) => (await server.json(`/api/instances/${id}`)).body;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const minutes = (count: number) => {
  clock.now += count * 60_000;
};

describe("registering", () => {
  test("gives an id and a token, which is shown nowhere else", async () => {
    const { token, ...instance } = await register("alice", {
      workspace: "shop",
      stack: "go",
      intent: "login",
      capabilities: ["api"],
    });
    expect(instance).toEqual({
      id: expect.stringMatching(uuid),
      name: "alice",
      workspace: "shop",
      intent: "login",
      stack: "go",
      capabilities: ["api"],
      status: "pending",
      registered_at: "2026-11-01T12:00:00.000Z",
      last_seen: "2026-11-01T12:00:00.000Z",
      last_sign: "instances.register",
    });
    expect(token).toMatch(uuid);
    expect(await get(instance.id)).toEqual(instance);
    expect(JSON.stringify((await server.json("/api/instances")).body)).not.toContain(token);
  });

  test("two of one name are two instances", async () => {
    expect((await register("twin")).id).not.toBe((await register("twin")).id);
  });

  test.each([
    [{}, "name is required"],
    [{ name: "" }, "name is required"],
    [{ name: 7 }, "name must be a text"],
    [{ name: "x".repeat(513) }, "name is longer than 512 bytes"],
    [{ name: "x", capabilities: "api" }, "capabilities must be an array of texts"],
    [{ name: "x", capabilities: [1] }, "capabilities.0 must be a text"],
    [{ name: "x", workspace: {} }, "workspace must be a text"],
  ])("refuses %p", async (body, error) => {
    expect(await post("/api/instances/register", body)).toMatchObject({
      status: 400,
      body: { error, reason: "bad_request" },
    });
  });
});

describe("finding", () => {
  test("filters match whole values, together", async () => {
    await register("f1", { workspace: "w%", stack: "go", capabilities: ["api", "db"] });
    await register("f2", { workspace: "w_", stack: "go", capabilities: ["ui"] });
    const names = async (query: string) =>
      (await server.json(`/api/instances?${query}`)).body.map(({ name }: { name: string }) => name);
    expect(await names("workspace=w%25")).toEqual(["f1"]);
    expect(await names("workspace=w")).toEqual([]);
    expect(await names("stack=go&capability=ui")).toEqual(["f2"]);
    expect(await names("name=f1&stack=ts")).toEqual([]);
    expect(await names("name=f1&status=pending&workspace=")).toEqual(["f1"]);
    expect((await server.json("/api/instances?status=dead")).body).toMatchObject({
      code: 400,
      path: "status",
    });
  });

  test("an unknown id is 404 everywhere", async () => {
    for (const [method, path, body] of [
      ["GET", "", undefined],
      ["DELETE", "", undefined],
      ["PATCH", "", "{}"],
      ["POST", "/heartbeat", undefined],
      ["POST", "/activate", undefined],
      ["POST", "/capabilities", '{"capabilities":[]}'],
    ] as const) {
      const answer = await server.json(`/api/instances/nobody${path}`, { method, ...(body && { body }) });
      expect(answer).toMatchObject({
        status: 404,
        body: { error: "instance not found: nobody", hint: expect.any(String) },
      });
    }
  });
});

describe("changing", () => {
  test("absent fields stay, given ones are replaced", async () => {
    const { id } = await register("bob", { intent: "old", stack: "ts" });
    const answer = await server.json(`/api/instances/${id}`, { method: "PATCH", body: '{"intent":"new"}' });
    expect(answer.body).toMatchObject({ id, intent: "new", stack: "ts" });
    expect((await post(`/api/instances/${id}/capabilities`, { capabilities: ["a", "b"] })).body).toEqual({
      id,
      capabilities: ["a", "b"],
    });
    expect(await get(id)).toMatchObject({ intent: "new", capabilities: ["a", "b"] });
    // Who asks what it can do must not take that away.
    expect(await post(`/api/instances/${id}/capabilities`, {})).toMatchObject({
      status: 400,
      body: { error: "capabilities is required", path: "capabilities" },
    });
    expect(await get(id)).toMatchObject({ capabilities: ["a", "b"] });
    expect((await post(`/api/instances/${id}/capabilities`, { capabilities: null })).status).toBe(200);
    expect(await get(id)).toMatchObject({ capabilities: [] });
    expect(
      (await server.json(`/api/instances/${id}`, { method: "PATCH", body: '{"intent":5}' })).status,
    ).toBe(400);
  });

  test("changes by many at once are all there in the end", async () => {
    const { id } = await register("busy");
    const fields = ["intent", "stack", "workspace"];
    await Promise.all(
      fields.map((field) =>
        server.json(`/api/instances/${id}`, { method: "PATCH", body: JSON.stringify({ [field]: field }) }),
      ),
    );
    expect(await get(id)).toMatchObject({ intent: "intent", stack: "stack", workspace: "workspace" });
  });

  test("fifty first uses of a token at once all pass, and so do fifty changes", async () => {
    const { id, token } = await register("eager");
    const headers = { "Koor-Instance-Token": token };
    const statuses = async (requests: Promise<{ status: number }>[]) =>
      new Set((await Promise.all(requests)).map(({ status }) => status));
    expect(await statuses(Array.from({ length: 50 }, () => server.ask("/api/state", { headers })))).toEqual(
      new Set([200]),
    );
    expect((await get(id)).status).toBe("active");
    const changes = Array.from({ length: 50 }, (_, index) =>
      post(`/api/instances/${id}/capabilities`, { capabilities: [`${index}`] }),
    );
    expect(await statuses(changes)).toEqual(new Set([200]));
  });

  test("a deregistered instance is gone, and its token is worth nothing", async () => {
    const { id, token } = await register("leaver");
    expect((await server.json(`/api/instances/${id}`, { method: "DELETE" })).body).toEqual({ deleted: id });
    expect((await server.ask(`/api/instances/${id}`)).status).toBe(404);
    const answer = await server.json("/api/state", { headers: { "Koor-Instance-Token": token } });
    expect(answer).toMatchObject({
      status: 401,
      body: { reason: "unknown_instance", hint: expect.stringContaining("koor-cli register") },
    });
  });
});

describe("status", () => {
  test("pending until activated; twice is fine; a heartbeat does not activate", async () => {
    const { id } = await register("s1");
    expect((await post(`/api/instances/${id}/heartbeat`)).body).toEqual({ id, status: "ok" });
    expect((await get(id)).status).toBe("pending");
    for (let time = 0; time < 2; time++) {
      expect((await post(`/api/instances/${id}/activate`)).body).toEqual({ id, status: "active" });
    }
    expect((await get(id)).status).toBe("active");
  });

  test("the first use of its token activates", async () => {
    const { id, token } = await register("s2");
    await server.ask("/api/state", { headers: { "Koor-Instance-Token": token } });
    expect((await get(id)).status).toBe("active");
  });

  test("silent for five minutes is stale, told once, and a heartbeat brings it back as what it was", async () => {
    const waiting = await register("silent-pending");
    const working = await register("silent-active");
    await post(`/api/instances/${working.id}/activate`);
    minutes(4);
    expect((await post("/api/liveness/check")).body.newly_stale).not.toContain(working.id);
    minutes(1.1);
    const { body } = await post("/api/liveness/check");
    expect(body).toMatchObject({ checked: true, count: body.newly_stale.length });
    expect(body.newly_stale).toEqual(expect.arrayContaining([waiting.id, working.id]));
    expect((await post("/api/liveness/check")).body).toEqual({ checked: true, newly_stale: [], count: 0 });
    const stale = (await server.json("/api/instances/stale")).body.map(({ id }: { id: string }) => id);
    expect(stale).toEqual(expect.arrayContaining([waiting.id, working.id]));
    for (const { id } of [waiting, working]) await post(`/api/instances/${id}/heartbeat`);
    expect((await get(waiting.id)).status).toBe("pending");
    expect((await get(working.id)).status).toBe("active");
  });

  test("silence and its end are an event each, once, with what was last seen and when", async () => {
    const { id, token } = await register("teller", { workspace: "shop", intent: "login" });
    const headers = { "Koor-Instance-Token": token };
    await server.json("/api/state/teller", { method: "PUT", body: "1", headers });
    const lastSeen = new Date(clock.now).toISOString();
    const told = async (topic: string) =>
      (await server.json(`/api/events/history?topic=${topic}&last=1000`)).body.filter(
        ({ data }: { data: { instance_id: string } }) => data.instance_id === id,
      );
    minutes(6);
    await Promise.all([1, 2, 3].map(() => post("/api/liveness/check")));
    const about = { instance_id: id, name: "teller", workspace: "shop", intent: "login", status: "active" };
    const evidence = { last_seen: lastSeen, silent_seconds: 360, last_sign: "state.put" };
    expect(await told("agent.stale")).toMatchObject([
      { source: "liveness-monitor", data: { ...about, ...evidence } },
    ]);
    expect(await get(id)).toMatchObject({ status: "stale", last_seen: lastSeen, last_sign: "state.put" });
    expect(await told("agent.recovered")).toEqual([]);
    minutes(4);
    // Ten requests at once end one silence.
    await Promise.all(Array.from({ length: 10 }, () => server.ask("/api/specs/p", { headers })));
    await post(`/api/instances/${id}/heartbeat`);
    expect(await told("agent.recovered")).toMatchObject([
      {
        source: "liveness-monitor",
        data: { ...about, last_seen: lastSeen, silent_seconds: 600, last_sign: "specs.list" },
      },
    ]);
    expect(await told("agent.stale")).toHaveLength(1);
    minutes(6);
    expect((await post("/api/liveness/check")).body.newly_stale).toContain(id);
    expect(await told("agent.stale")).toHaveLength(2);
  });

  test("what an agent was last seen doing is there after a restart", async () => {
    const one = await startServer([], { now: () => clock.now });
    const send = (path: string, init: RequestInit) => one.json(path, { method: "POST", ...init });
    const { body } = await send("/api/instances/register", { body: '{"name":"lasting"}' });
    const headers = { "Koor-Instance-Token": body.token };
    await send("/api/events/publish", { body: '{"topic":"t"}', headers });
    await one.close();
    const two = await startServer([], { now: () => clock.now, directory: one.directory });
    expect((await two.json(`/api/instances/${body.id}`)).body.last_sign).toBe("events.publish");
    minutes(6);
    await two.json("/api/liveness/check", { method: "POST" });
    const [event] = (await two.json("/api/events/history?topic=agent.stale")).body;
    expect(event.data).toMatchObject({ last_sign: "events.publish", silent_seconds: 360 });
    await two.dispose();
  });

  test("whoever makes requests with its token is never declared dead", async () => {
    const { id, token } = await register("worker");
    for (let minute = 0; minute < 12; minute++) {
      minutes(1);
      await server.ask("/api/state", { headers: { "Koor-Instance-Token": token } });
      expect((await post("/api/liveness/check")).body.newly_stale).not.toContain(id);
    }
    expect((await get(id)).last_seen).toBe(new Date(clock.now).toISOString());
  });
});

describe("identity", () => {
  test("is stamped by the server on events and cannot be set by hand", async () => {
    const { token } = await register("stamper");
    const event = { topic: "t", source: "forged" };
    const headers = { "Koor-Instance-Token": token };
    expect((await post("/api/events/publish", event, headers)).body.source).toBe("stamper");
    expect((await post("/api/events/publish", event)).body.source).toBe("");
  });

  test("an unknown token is refused, even where none is needed", async () => {
    const { status, body } = await server.json("/api/state", {
      headers: { "Koor-Instance-Token": "nonsense" },
    });
    expect(status).toBe(401);
    expect(body).toMatchObject({ reason: "unknown_instance", error: "unknown instance token" });
    // What the hint says to run works, also for whoever still sends the old token.
    const headers = { "Koor-Instance-Token": "nonsense" };
    expect((await post("/api/instances/register", { name: "again" }, headers)).status).toBe(200);
    expect((await server.ask("/health", { headers })).status).toBe(200);
  });

  test("an MCP client that still has an old token keeps its connection, and its tools say what to do", async () => {
    const call = async (name: string, args: object) => {
      const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } };
      const headers = { "Koor-Instance-Token": "nonsense", "Content-Type": "application/json" };
      const { body } = await server.json("/mcp", { method: "POST", headers, body: JSON.stringify(message) });
      return body.result;
    };
    expect(await call("discover_instances", {})).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining("koor-cli register") }],
    });
    expect((await call("register_instance", { name: "back" })).isError).toBeUndefined();
  });
});
