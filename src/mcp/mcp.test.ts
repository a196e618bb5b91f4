import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import fc from "fast-check";
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import { type Services, api } from "../contract/api.ts";
import { limits } from "../contract/limits.ts";
import type { Operation } from "../contract/operation.ts";
import { instanceService } from "../instances/service.ts";
import { openMemory } from "../store/memory.ts";
import { type McpHandler, mcpHandler } from "./handler.ts";

const modernRevision = "2026-07-28";
const envelope = {
  "io.modelcontextprotocol/protocolVersion": modernRevision,
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};
const toolNames = ["register_instance", "discover_instances", "set_intent", "get_endpoints"];

let now = Date.UTC(2026, 10, 1);
const clock = () => now;
const metered: number[] = [];
let instances: ReturnType<typeof instanceService>;
let services: Services;
let url: string;
let stop: () => Promise<void>;

function open(meter?: (bytes: number) => void): McpHandler {
  return mcpHandler({
    services,
    toolSet: "discovery",
    endpoints: () => ({ api: "http://localhost:9800", dashboard: "http://localhost:9847" }),
    version: "1.2.3",
    ...(meter && { meter }),
  });
}

/** Identifies callers as src/http does. */
function serve(handler: McpHandler, port = 0) {
  return Bun.serve({
    hostname: "localhost",
    port,
    development: false,
    async fetch(request) {
      const token = request.headers.get("koor-instance-token");
      return handler.fetch(request, token === null ? { name: "" } : await instances.identify(token));
    },
  });
}

beforeAll(() => {
  const store = openMemory({ now: clock });
  instances = instanceService({ store, now: clock, newId: () => crypto.randomUUID() });
  services = { instances } as unknown as Services;
  const handler = open((bytes) => metered.push(bytes));
  const server = serve(handler);
  url = `${server.url}mcp`;
  stop = async () => {
    await server.stop(true);
    await handler.close();
  };
});
afterAll(() => stop());

async function post(body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(5_000),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: text === "" ? undefined : JSON.parse(text) };
}

/** As each era sends it: with the request's own headers and envelope, or bare. */
function send(era: "modern" | "legacy", method: string, params: Record<string, unknown> = {}, headers = {}) {
  if (era === "legacy") return post({ jsonrpc: "2.0", id: 1, method, params }, headers);
  const name = typeof params["name"] === "string" ? { "Mcp-Name": params["name"] } : {};
  return post(
    { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: envelope } },
    { "MCP-Protocol-Version": modernRevision, "Mcp-Method": method, ...name, ...headers },
  );
}

interface Told {
  isError: boolean;
  text: string;
}

async function call(name: string, args?: unknown, headers: Record<string, string> = {}): Promise<Told> {
  const { status, json } = await send("legacy", "tools/call", { name, ...(args !== undefined && { arguments: args }) }, headers);
  expect(status).toBe(200);
  expect(json.result.content).toHaveLength(1);
  return { isError: json.result.isError === true, text: json.result.content[0].text };
}

const answer = async (name: string, args?: unknown, headers?: Record<string, string>) => {
  const told = await call(name, args, headers);
  expect(told.isError).toBe(false);
  return JSON.parse(told.text);
};

describe("the official client", () => {
  const revisions = { auto: "auto", [modernRevision]: { pin: modernRevision }, "2025-11-25": "legacy" } as const;
  for (const [name, mode] of Object.entries(revisions)) {
    test(`registers, discovers and asks for the endpoints (${name})`, async () => {
      const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
      await client.connect(new StreamableHTTPClientTransport(new URL(url)));
      expect(client.getServerVersion()).toMatchObject({ name: "koor", version: "1.2.3" });
      expect((await client.listTools()).tools.map((tool) => tool.name)).toEqual(toolNames);
      const agent = `agent-${name}`;
      const registered = await client.callTool({
        name: "register_instance",
        arguments: { name: agent, stack: "bun", capabilities: "api, tests" },
      });
      const made = JSON.parse((registered.content as { text: string }[])[0]?.text ?? "");
      expect(made).toEqual({
        instance_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        token: expect.stringMatching(/^[0-9a-f-]{36}$/),
        status: "pending",
        stack: "bun",
        capabilities: ["api", "tests"],
      });
      const found = await client.callTool({ name: "discover_instances", arguments: { name: agent } });
      const list = JSON.parse((found.content as { text: string }[])[0]?.text ?? "");
      const row = { id: made.instance_id, name: agent, stack: "bun", capabilities: ["api", "tests"], status: "pending" };
      expect(list).toEqual({ count: 1, instances: [row] });
      expect(await client.callTool({ name: "get_endpoints" })).toMatchObject({ content: [{ type: "text" }] });
      await client.close();
    });
  }

  test("does not notice that the server was started again", async () => {
    const first = open();
    const before = serve(first);
    const client = new Client({ name: "test", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${before.url}mcp`)));
    const { port } = before;
    await before.stop(true);
    await first.close();
    const second = open();
    const after = serve(second, port);
    expect((await client.listTools()).tools).toHaveLength(4);
    await client.close();
    await after.stop(true);
    await second.close();
  });
});

describe("older clients", () => {
  for (const revision of ["2025-03-26", "2025-06-18", "2025-11-25"]) {
    test(`${revision}: the handshake, without a version header and without Accept`, async () => {
      const clientInfo = { name: "old", version: "1" };
      const { status, headers, json } = await send("legacy", "initialize", {
        protocolVersion: revision,
        capabilities: {},
        clientInfo,
      });
      expect(status).toBe(200);
      expect(headers.get("mcp-session-id")).toBeNull();
      expect(json.result).toMatchObject({ protocolVersion: revision, capabilities: { tools: {} } });
      expect((await post({ jsonrpc: "2.0", method: "notifications/initialized" })).status).toBe(202);
      const { json: list } = await send("legacy", "tools/list", {}, { "MCP-Protocol-Version": revision, "Mcp-Session-Id": "gone" });
      expect(list.result.tools.map((tool: { name: string }) => tool.name)).toEqual(toolNames);
    });
  }

  test("a batch of 2025-03-26 is answered whole, a cancellation in it does not make it hang", async () => {
    const { status, json } = await post([
      { jsonrpc: "2.0", id: 1, method: "ping" },
      { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "get_endpoints", arguments: null } },
      { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 2 } },
    ]);
    expect(status).toBe(200);
    expect(json.map(({ id, result }: { id: number; result?: object }) => [id, result !== undefined])).toEqual([
      [1, true],
      [2, true],
    ]);
  });
});

describe("tokens (o200k)", () => {
  for (const era of ["modern", "legacy"] as const) {
    test(`the four definitions are at most 300, as they go over the wire (${era})`, async () => {
      const { text, json } = await send(era, "tools/list");
      const tools = JSON.stringify(json.result.tools);
      // What is counted are bytes of the answer: the value of its `tools`. Clients pass no more of it to the model.
      expect(text).toContain(tools);
      console.log(`${era}: tools ${encode(tools).length} tokens, the whole answer ${encode(text).length}`);
      expect(encode(tools).length).toBeLessThanOrEqual(300);
      expect(tools).not.toContain("$schema");
      expect(tools).not.toContain("outputSchema");
      expect(tools).not.toContain("additionalProperties");
    });
  }

  test("get_endpoints takes at most 150, and what it names exists in the contract", async () => {
    const { text } = await call("get_endpoints");
    console.log(`get_endpoints ${encode(text).length} tokens`);
    expect(encode(text).length).toBeLessThanOrEqual(150);
    const operations = Object.values(api).flatMap((noun) => Object.values<Operation>(noun));
    const known = new Set(operations.map(({ method, path }) => `${method} ${path.replace("...", "")}`));
    known.add("GET /api/openapi.json");
    const named = [...text.matchAll(/([A-Z|]+) (\/api\/[^\s",?]+)/g)].flatMap(([, methods = "", path = ""]) =>
      methods.split("|").map((method) => `${method === "WS" ? "GET" : method} ${path}`),
    );
    expect(named).toHaveLength(13);
    for (const route of named) expect(known).toContain(route);
    expect(JSON.parse(text)).toMatchObject({ api: "http://localhost:9800", dashboard: "http://localhost:9847" });
    expect(text).toContain("koor-cli");
    expect(text).toContain("Koor-Instance-Token");
  });

  test("only what reads is marked as reading", async () => {
    const { json } = await send("legacy", "tools/list");
    const reading = json.result.tools.filter((tool: { annotations?: object }) => tool.annotations !== undefined);
    expect(reading.map((tool: { name: string; annotations: object }) => [tool.name, tool.annotations])).toEqual([
      ["discover_instances", { readOnlyHint: true }],
      ["get_endpoints", { readOnlyHint: true }],
    ]);
  });

  test("the meter is told the bytes of lists and calls, and nothing of the protocol's own", async () => {
    metered.length = 0;
    await send("legacy", "ping");
    await send("modern", "server/discover");
    expect(metered).toEqual([]);
    const body = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };
    const { text } = await post(body);
    expect(metered).toEqual([Buffer.byteLength(JSON.stringify(body)) + Buffer.byteLength(text)]);
  });
});

describe("tools", () => {
  test("set_intent changes what others discover; long intents are cut, empty fields left out", async () => {
    const { instance_id } = await answer("register_instance", { name: "talker", workspace: null, stack: "" });
    const told = await answer("set_intent", { instance_id, intent: "rewriting the parser" });
    expect(told).toEqual({ instance_id, intent: "rewriting the parser" });
    const { instances: found } = await answer("discover_instances", { name: "talker", capability: null });
    expect(found).toEqual([{ id: instance_id, name: "talker", intent: "rewriting the parser", status: "pending" }]);
    await answer("set_intent", { instance_id, intent: "x".repeat(4096) });
    const long = await answer("discover_instances", { name: "talker" });
    expect(long.instances[0].intent).toBe(`${"x".repeat(200)}…`);
  });

  test("discover_instances filters by stack, workspace and capability", async () => {
    await answer("register_instance", { name: "f1", workspace: "w1", stack: "go", capabilities: "x,y" });
    await answer("register_instance", { name: "f2", workspace: "w2", stack: "go", capabilities: "y" });
    for (const [filter, names] of [
      [{ stack: "go" }, ["f1", "f2"]],
      [{ workspace: "w2" }, ["f2"]],
      [{ capability: "x" }, ["f1"]],
      [{ capability: "y", workspace: "w1" }, ["f1"]],
    ] as const) {
      const { instances: found } = await answer("discover_instances", filter);
      expect(found.map((row: { name: string }) => row.name).toSorted()).toEqual([...names]);
    }
  });

  test("discover_instances shows at most 50, those seen last first, and says how to see all", async () => {
    for (let index = 0; index < 60; index++) {
      now += 1000;
      await answer("register_instance", { name: `crowd-${index}`, workspace: "crowd" });
    }
    const { count, instances: found, more } = await answer("discover_instances", { workspace: "crowd" });
    expect(count).toBe(60);
    expect(found).toHaveLength(50);
    expect(found[0].name).toBe("crowd-59");
    expect(more).toContain("koor-cli instances list");
  });

  test("an instance that says very much of itself does not fill the answer", async () => {
    const capabilities = Array.from({ length: 64 }, () => "c".repeat(512)).join(",");
    await answer("register_instance", { name: "loud", workspace: "loud", capabilities });
    await answer("register_instance", { name: "quiet", workspace: "loud" });
    const told = await answer("discover_instances", { workspace: "loud" });
    expect(told).toMatchObject({ count: 2, instances: [{ name: "quiet" }] });
  });

  test("a client with an instance's own token is that instance, and is shown no token", async () => {
    const { instance_id, token } = await answer("register_instance", { name: "owner", stack: "rust" });
    const headers = { "Koor-Instance-Token": token };
    const again = await answer("register_instance", { name: "other", intent: "docs", capabilities: "a,b" }, headers);
    expect(again).toEqual({ instance_id, name: "owner", status: "active", stack: "rust", capabilities: ["a", "b"] });
    expect(await answer("register_instance", {}, headers)).toEqual(again);
    const { instances: found } = await answer("discover_instances", { name: "owner" });
    expect(found).toMatchObject([{ id: instance_id, intent: "docs", status: "active" }]);
    expect((await answer("discover_instances", { name: "other" })).count).toBe(0);
  });

  test("unknown arguments are ignored, a list counts as its text", async () => {
    const args = { name: "lenient", capabilities: ["a", "b"], random_string: "x", constructor: 1 };
    expect(await answer("register_instance", args)).toMatchObject({ capabilities: ["a", "b"] });
  });
});

describe("bad input", () => {
  test("arguments that REST refuses are refused in the same words, naming the argument", async () => {
    const long = "x".repeat(600);
    const refusals: [string, unknown, string][] = [
      ["register_instance", {}, "name is required"],
      ["register_instance", { name: null }, "name is required"],
      ["register_instance", { name: "" }, "name is required"],
      ["register_instance", { name: 5 }, "name "],
      ["register_instance", { name: { a: 1 } }, "name "],
      ["register_instance", { name: long }, "name is longer than 512 bytes"],
      ["register_instance", { name: "a\0b" }, "name holds U+0000"],
      ["register_instance", { name: "a", intent: "x".repeat(4097) }, "intent is longer than 4096 bytes"],
      ["register_instance", { name: "a", capabilities: `b,${long}` }, "capabilities.1 is longer than 512 bytes"],
      ["register_instance", { name: "a", capabilities: "c,".repeat(65) }, "capabilities has more than 64 entries"],
      ["set_intent", { intent: "x" }, "instance_id is required"],
      ["set_intent", { instance_id: "", intent: "x" }, "instance_id is required"],
      ["set_intent", { instance_id: long, intent: "x" }, "instance_id is longer than 512 bytes"],
      ["set_intent", { instance_id: "nobody", intent: "x" }, "instance not found: nobody\nList them: koor-cli instances list"],
    ];
    for (const [name, args, begin] of refusals) {
      const { isError, text } = await call(name, args);
      expect(text).toStartWith(begin);
      expect(isError).toBe(true);
    }
  });

  test("unknown tools and methods are JSON-RPC errors", async () => {
    for (const era of ["modern", "legacy"] as const) {
      for (const name of ["nope", "__proto__", "constructor", "", "x".repeat(100_000)]) {
        const { json, text } = await send(era, "tools/call", { name }, era === "modern" && name.length > 1000 ? { "Mcp-Name": "x" } : {});
        expect(json.error.code).toBeOneOf([-32602, -32020]);
        expect(text.length).toBeLessThan(1000);
      }
      expect((await send(era, "resources/list")).json.error.code).toBe(-32601);
    }
    expect(await send("modern", "subscriptions/listen", { notifications: {} })).toMatchObject({
      status: 404,
      json: { id: 1, error: { code: -32601 } },
    });
  });

  test("other methods than POST are 405 with Allow, before the library is loaded", async () => {
    for (const method of ["GET", "DELETE", "PUT", "PATCH", "OPTIONS"]) {
      const response = await fetch(url, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe("POST");
      expect(await response.json()).toMatchObject({ jsonrpc: "2.0", error: { code: -32000 }, id: null });
    }
  });

  test("a wrong content type is 415, a body over 1 MiB 413", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "multipart/form-data"]) {
      expect((await post("{}", { "Content-Type": type })).status).toBe(415);
    }
    expect((await post(" ".repeat(limits.bodyBytes + 1))).status).toBe(413);
    const exact = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }).padEnd(limits.bodyBytes);
    expect((await post(exact, { "Content-Type": "Application/JSON; charset=utf-8" })).json.result).toEqual({});
  });

  test("what is no message is 400 with a JSON error", async () => {
    const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
    const bodies: unknown[] = ["", "{", "null", "5", '"x"', "[]", "[[]]", "[null]", "{}", "[".repeat(500_000)];
    bodies.push("[".repeat(100_000) + "]".repeat(100_000), `${JSON.stringify(ping)} x`, new Uint8Array([0xff, 0xfe, 0x7b]));
    bodies.push({ ...ping, jsonrpc: "1.0" }, { ...ping, id: null }, { ...ping, id: {} }, { ...ping, method: 5 });
    bodies.push({ ...ping, params: 5 }, { ...ping, params: [] }, { ...ping, params: null });
    bodies.push(Array.from({ length: 101 }, (_, id) => ({ ...ping, id })));
    for (const body of bodies) {
      const { status, json } = await post(body);
      expect(status).toBe(400);
      expect(json).toMatchObject({ jsonrpc: "2.0", error: { code: expect.any(Number), message: expect.any(String) } });
    }
  });

  test("no message at all makes it fail, hang or tell of its inside", async () => {
    const word = fc.constantFrom("2.0", "ping", "tools/call", "tools/list", "initialize", "__proto__", "", modernRevision, ...toolNames);
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, word, fc.jsonValue({ maxDepth: 1 }), tie("object"), fc.array(tie("value"), { maxLength: 3 })),
      object: fc.dictionary(fc.constantFrom("name", "arguments", "_meta", "__proto__", "id", "cursor"), tie("value")),
    }));
    const message = fc.record(
      { jsonrpc: fc.constantFrom("2.0", "1.0"), id: fc.oneof(fc.integer(), value), method: fc.oneof(word, value), params: value },
      { requiredKeys: ["jsonrpc"] },
    );
    const headers = fc.record(
      { "MCP-Protocol-Version": word, "Mcp-Method": word, "Mcp-Name": word, "Mcp-Session-Id": word },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(message, fc.array(message, { maxLength: 4 }), value), headers, async (body, given) => {
        const { status, text } = await post(JSON.stringify(body) ?? "", given);
        expect(status).toBeLessThan(500);
        expect(text).not.toMatch(/\bat .+:\d+:\d+|node_modules|\/src\//);
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  test("a fault of a service is told to the log, not to the model", async () => {
    const broken = { ...instances, list: () => Promise.reject(new Error("disk at /var/secret")) };
    const handler = mcpHandler({
      services: { instances: broken } as unknown as Services,
      toolSet: "full",
      endpoints: () => ({ api: "", dashboard: "" }),
      version: "1",
    });
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "discover_instances" } });
    const request = new Request(url, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const response = await handler.fetch(request, { name: "" });
    const text = await response.text();
    expect(response.status).toBe(200);
    expect(JSON.parse(text).result.isError).toBe(true);
    expect(text).not.toContain("secret");
    await handler.close();
    expect((await handler.fetch(new Request(url, { method: "POST" }), { name: "" })).status).toBe(503);
  });
});
