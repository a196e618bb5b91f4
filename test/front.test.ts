import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { api } from "../src/contract/api.ts";
import type { Operation } from "../src/contract/operation.ts";
import { type TestServer, getRaw, openSocket, sendRaw, startServer } from "./harness.ts";

/** Every operation of the contract, as a request that would be good. */
const operations = Object.entries(api).flatMap(([noun, group]) =>
  Object.entries(group as Record<string, Operation>).map(([verb, operation]) => ({
    name: `${noun}.${verb}`,
    operation,
    path: operation.path.replaceAll(/\{\w+(\.\.\.)?\}/g, "x"),
  })),
);
const guarded = operations.filter(({ operation }) => !operation.open);
const otherDoors = [
  { name: "metrics", method: "GET", path: "/metrics" },
  { name: "openapi", method: "GET", path: "/api/openapi.json" },
  { name: "mcp", method: "POST", path: "/mcp" },
];
const doors = [
  ...guarded.map(({ name, operation, path }) => ({ name, method: operation.method, path })),
  ...otherDoors,
];

describe("a server with a token", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer(["--auth-token", "s3cret-token"]);
  });
  afterAll(() => server.dispose());

  const handshake = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  };

  /** The newest of each log: what every change moves. */
  async function stored(): Promise<unknown[]> {
    const headers = { Authorization: "Bearer s3cret-token" };
    const newest = ["/api/events/next", "/api/changes/next"].map((path) => server.json(path, { headers }));
    return (await Promise.all(newest)).map(({ body }) => body.last_id);
  }

  test.each(doors)(
    "$name is closed without the token, with a wrong one, and with one of somebody else (AUTH-1)",
    async ({ name, method, path }) => {
      const bearer = { Authorization: "Bearer s3cret-token" };
      const registered = await server.json("/api/instances/register", {
        method: "POST",
        headers: bearer,
        body: '{"name":"a"}',
      });
      const { token } = registered.body;
      const attempts: Record<string, string>[] = [
        {},
        { Authorization: "Bearer wrong" },
        { Authorization: "Bearer" },
        { Authorization: "Bearer s3cret-toke" },
        { Authorization: "Bearer s3cret-token2" },
        { Authorization: "Bearer S3CRET-TOKEN" },
        { Authorization: "Bearer wrong, Bearer s3cret-token" },
        { Authorization: "Basic s3cret-token" },
        { Authorization: `Bearer ${token}` },
        { "Koor-Instance-Token": token },
        { "Proxy-Authorization": "Bearer s3cret-token", "X-Api-Key": "s3cret-token" },
        { Cookie: "token=s3cret-token; koor_session=s3cret-token" },
        { ...handshake, "Sec-WebSocket-Protocol": "s3cret-token" },
      ];
      const methods = method === "GET" ? ["GET", "HEAD"] : [method];
      const hidden = "token=s3cret-token&access_token=s3cret-token&auth_token=s3cret-token";
      const before = await stored();
      for (const headers of attempts) {
        for (const method of methods) {
          expect((await server.ask(`${path}?${hidden}`, { method, headers })).status).toBe(401);
          if (otherDoors.some((door) => door.name === name)) continue;
          const url = `${server.dashboardUrl}${path}?${hidden}`;
          expect((await fetch(url, { method, headers })).status).toBe(401);
        }
        const answer = await server.json(`${path}?${hidden}`, { method, headers });
        expect(answer).toMatchObject({
          status: 401,
          body: { error: "invalid or missing bearer token", code: 401, reason: "unauthorized" },
        });
        expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      }
      expect(await stored()).toEqual(before);
      const opened = await server.ask(path, { method, headers: bearer });
      expect(opened.status).not.toBe(401);
      expect(opened.status).toBeLessThan(500);
    },
  );

  test("health needs none", async () => {
    expect((await server.json("/health")).body).toEqual({
      status: "ok",
      uptime: expect.any(String),
      version: expect.any(String),
    });
  });

  test("a refusal comes before the body is read", async () => {
    const head =
      "PUT /api/state/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n";
    expect(await sendRaw(server.url, head)).toStartWith("HTTP/1.1 401");
  });
});

describe("a page of another site (ORIGIN-1)", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer([
      "--allowed-hosts",
      "koor.example.com",
      "--allowed-origins",
      "https://koor.example.com",
    ]);
  });
  afterAll(() => server.dispose());
  const everyDoor = [...doors, { name: "health", method: "GET", path: "/health" }];

  test.each(everyDoor)("$name is closed to rebound names and other origins", async ({ method, path }) => {
    const refused: Record<string, string>[] = [
      { Host: "evil.example.com" },
      { Host: "localhost.evil.example.com" },
      { Host: "localhost@evil.example.com" },
      { Origin: "http://evil.example.com" },
      { Origin: "null" },
      { Origin: "http://localhost:3000" },
      { Origin: server.url },
      { Origin: `http://6.6.6.6:${new URL(server.dashboardUrl as string).port}` },
    ];
    for (const headers of refused) {
      const answer = await server.json(path, { method, headers });
      expect(answer).toMatchObject({ status: 403, body: { code: 403, reason: "forbidden" } });
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    }
  });

  test("the server's own names, addresses and the dashboard are let in", async () => {
    const { port } = new URL(server.url);
    for (const Host of [
      "localhost",
      `LOCALHOST:${port}`,
      "127.0.0.1",
      "[::1]:9800",
      "192.168.1.5",
      "koor.example.com",
    ]) {
      expect((await server.ask("/health", { headers: { Host } })).status).toBe(200);
    }
    for (const Origin of [
      server.dashboardUrl as string,
      "http://koor.example.com",
      "https://koor.example.com",
    ]) {
      expect(
        (await server.ask("/api/state/o", { method: "PUT", body: "1", headers: { Origin } })).status,
      ).toBe(200);
    }
  });

  test("changes that browsers send without an Origin are told by Sec-Fetch-Site", async () => {
    const send = (site: string, method = "POST") =>
      server.ask("/api/events/publish", {
        method,
        headers: { "Sec-Fetch-Site": site },
        ...(method === "POST" && { body: '{"topic":"t"}' }),
      });
    expect((await send("cross-site")).status).toBe(403);
    expect((await send("same-site")).status).toBe(403);
    expect((await send("none")).status).toBe(200);
    expect((await send("same-origin")).status).toBe(200);
  });

  test("a WebSocket of another origin does not open", async () => {
    const attempt = openSocket(`${server.url}/api/events/subscribe`, {
      headers: { Origin: "http://evil.example.com" },
    });
    await expect(attempt).rejects.toThrow();
  });

  test("a request without a Host is refused", async () => {
    expect(await sendRaw(server.url, "GET /health HTTP/1.0\r\n\r\n")).not.toStartWith("HTTP/1.1 200");
  });
});

describe("anything at all", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.dispose());
  const bodies = [
    "",
    "null",
    "[]",
    "{}",
    '"x"',
    "1e999",
    '{"topic":[]}',
    '{"name":{}}',
    "\u0000",
    "{",
    "[".repeat(100_000),
  ];

  test.each(operations)(
    "$name meets bad input with a clear 4xx and never a 5xx (LIMIT-1)",
    async ({ operation, path }) => {
      for (const suffix of [
        "",
        "?limit=0&last=x&from=x&after=-1&pattern=[&topic=[&status=x&epoch=y",
        "?%ff=%00",
      ]) {
        for (const body of operation.body ? bodies : [undefined]) {
          const response = await server.ask(path + suffix, {
            method: operation.method,
            ...(body !== undefined && { body }),
          });
          expect(response.status).toBeLessThan(500);
          if (response.headers.get("content-type") === "text/event-stream") {
            // It never ends.
            await response.body?.cancel();
            continue;
          }
          const text = await response.text();
          if (response.status < 400) continue;
          const { error, code, reason } = JSON.parse(text);
          expect(code).toBe(response.status);
          expect(error).not.toMatch(/\bat \S+:\d+|undefined|\[object|zod/i);
          expect(reason).toMatch(/^[a-z_]+$/);
        }
      }
    },
  );

  test.each(operations)(
    "$name refuses a body over its limit before it is read whole",
    async ({ operation, path }) => {
      if (!operation.body) {
        expect((await server.ask(path, { method: operation.method })).status).toBeLessThan(500);
        return;
      }
      const length = operation.body.maxBytes + 1;
      const head = `${operation.method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`;
      const answer = await sendRaw(server.url, head);
      expect(answer).toStartWith("HTTP/1.1 413");
      expect(answer).toContain('"reason":"too_large"');
    },
  );

  test("the OpenAPI document has every operation, and each says how it can be refused", async () => {
    const { body } = await server.json("/api/openapi.json");
    expect(body.openapi).toBe("3.1.0");
    const documented = Object.values(body.paths).flatMap((item: any) =>
      Object.values(item).flatMap((entry: any) =>
        // Those that share a method and a path are one operation in OpenAPI, and are described beside it.
        [entry, ...(entry["x-koor-forms"] ?? [])].map(({ operationId }) => operationId),
      ),
    );
    expect(new Set(documented)).toEqual(new Set(operations.map(({ name }) => name)));
    expect(documented).toHaveLength(operations.length);
    for (const item of Object.values<any>(body.paths)) {
      for (const entry of Object.values<any>(item)) {
        expect(Object.keys(entry.responses)).toEqual(expect.arrayContaining(["400", "500"]));
      }
    }
    expect(JSON.stringify(body).length).toBeGreaterThan(20_000);
  });

  test("every answer forbids guessing types, and none allows another origin", async () => {
    for (const path of ["/health", "/api/state", "/api/state/none", "/nonsense", "/api/openapi.json"]) {
      const { headers } = await server.ask(path);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("access-control-allow-origin")).toBeNull();
    }
  });

  test("a fresh server answers every list with nothing", async () => {
    const fresh = await startServer();
    for (const path of [
      "/api/state",
      "/api/specs",
      "/api/instances",
      "/api/instances/stale",
      "/api/events/history",
      "/api/rules/export",
    ]) {
      expect((await fresh.json(path)).body).toEqual([]);
    }
    await fresh.dispose();
  });

  test("metrics count what was called, but not themselves", async () => {
    const fresh = await startServer();
    await fresh.ask("/api/state/k", { method: "PUT", body: "1" });
    await fresh.ask("/api/state/k");
    await fresh.json("/api/metrics");
    const { body } = await fresh.json("/api/metrics");
    expect(body).toMatchObject({
      state_keys: 1,
      instances: 0,
      last_event_id: 0,
      token_tax: { mcp_calls: 0, rest_calls: 2, total_calls: 2, savings_percent: 100 },
    });
    expect(body.api_bind).toMatch(/^localhost:\d+$/);
    expect(body.token_ledger.rest_bytes).toBeGreaterThan(0);
    expect((await fresh.json("/api/metrics/reset", { method: "POST" })).body).toEqual({ reset: true });
    expect((await fresh.json("/api/metrics")).body.token_tax).toMatchObject({
      total_calls: 0,
      savings_percent: 0,
    });
    await fresh.dispose();
  });

  test("a server on every interface tells an MCP client the address by which it got there", async () => {
    const open = await startServer(["--bind", "0.0.0.0:0", "--insecure"]);
    const call = {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "get_endpoints", arguments: {} },
    };
    const answer = await fetch(`http://127.0.0.1:${new URL(open.url).port}/mcp`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Host: "192.168.7.7:1234" },
      body: JSON.stringify(call),
    });
    const { result } = await answer.json();
    expect(JSON.parse(result.content[0].text).api).toBe("http://192.168.7.7:1234");
    await open.dispose();
  });

  test("a second server on the same port is refused, and takes no requests away", async () => {
    const first = await startServer();
    const bind = new URL(first.url).host;
    await expect(startServer(["--bind", bind])).rejects.toMatchObject({ code: "EADDRINUSE" });
    for (let time = 0; time < 20; time++) expect((await first.ask("/health")).status).toBe(200);
    await first.dispose();
  });

  test("dots in paths that are no keys lead nowhere", async () => {
    for (const path of [
      "/api/../health",
      "/api/specs/../state",
      "/api/specs/%2e%2e/x",
      "//api/state",
      "/api/state/../../health",
    ]) {
      const { status } = await getRaw(server.url, path);
      expect([400, 404]).toContain(status);
    }
  });
});
