import { afterAll, describe, expect, test } from "bun:test";
import { configure, reset } from "@logtape/logtape";
import fc from "fast-check";
import { modernRevision, startMcp, toolNames } from "../../test/mcp-harness.ts";
import type { Services } from "../contract/api.ts";
import { limits } from "../contract/limits.ts";
import { mcpHandler } from "./handler.ts";

const mcp = startMcp();
const { url, instances, post, send, call } = mcp;
afterAll(() => mcp.stop());

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
      [
        "register_instance",
        { name: "a", capabilities: `b,${long}` },
        "capabilities.1 is longer than 512 bytes",
      ],
      [
        "register_instance",
        { name: "a", capabilities: "c,".repeat(65) },
        "capabilities has more than 64 entries",
      ],
      ["set_intent", { intent: "x" }, "instance_id is required"],
      ["set_intent", { instance_id: "", intent: "x" }, "instance_id is required"],
      ["set_intent", { instance_id: long, intent: "x" }, "instance_id is longer than 512 bytes"],
      [
        "set_intent",
        { instance_id: "nobody", intent: "x" },
        "instance not found: nobody\nList them: koor-cli instances list",
      ],
    ];
    for (const [name, args, begin] of refusals) {
      const { isError, text } = await call(name, args);
      expect(text).toStartWith(begin);
      expect(isError).toBe(true);
    }
  });

  test("unknown tools and methods are JSON-RPC errors", async () => {
    for (const era of ["modern", "legacy"] as const) {
      for (const name of ["nope", "__proto__", "constructor", "", "x".repeat(2000)]) {
        const { json, text } = await send(era, "tools/call", { name });
        expect(json.error).toMatchObject({ code: -32602, message: expect.stringContaining("unknown tool") });
        expect(text.length).toBeLessThan(500);
      }
      expect((await send(era, "resources/list")).json.error.code).toBe(-32601);
    }
    expect(await send("modern", "subscriptions/listen", { notifications: {} })).toMatchObject({
      status: 404,
      json: { id: 1, error: { code: -32601 } },
    });
  });

  test("a cursor that is no text is the client's fault, and named", async () => {
    for (const era of ["modern", "legacy"] as const) {
      const { json } = await send(era, "tools/list", { cursor: 7 });
      expect(json.error).toEqual({ code: -32602, message: "cursor must be a text" });
    }
  });

  test("other methods than POST are 405 with Allow", async () => {
    for (const method of ["GET", "DELETE", "PUT", "PATCH", "OPTIONS"]) {
      const response = await fetch(url, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe("POST");
      expect(await response.json()).toMatchObject({ jsonrpc: "2.0", error: { code: -32000 }, id: null });
    }
  });

  test("a wrong content type is 415, a body over 1 MiB 413", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/jsonp",
      "multipart/form-data",
    ]) {
      expect((await post("{}", { "Content-Type": type })).status).toBe(415);
    }
    expect((await post(" ".repeat(limits.bodyBytes + 1))).status).toBe(413);
    const exact = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }).padEnd(limits.bodyBytes);
    expect((await post(exact, { "Content-Type": "Application/JSON; charset=utf-8" })).json.result).toEqual(
      {},
    );
  });

  test("what is no message is 400 with a JSON error", async () => {
    const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
    const bodies: unknown[] = [
      "",
      "{",
      "null",
      "5",
      '"x"',
      "[]",
      "[[]]",
      "[null]",
      "{}",
      "[".repeat(500_000),
    ];
    bodies.push(
      "[".repeat(100_000) + "]".repeat(100_000),
      `${JSON.stringify(ping)} x`,
      new Uint8Array([0xff, 0xfe, 0x7b]),
    );
    bodies.push(
      { ...ping, jsonrpc: "1.0" },
      { ...ping, id: null },
      { ...ping, id: {} },
      { ...ping, method: 5 },
    );
    bodies.push({ ...ping, params: 5 }, { ...ping, params: [] }, { ...ping, params: null });
    bodies.push(Array.from({ length: 101 }, (_, id) => ({ ...ping, id })));
    for (const body of bodies) {
      const { status, json } = await post(body);
      expect(status).toBe(400);
      expect(json).toMatchObject({
        jsonrpc: "2.0",
        error: { code: expect.any(Number), message: expect.any(String) },
      });
    }
  });

  test("no message at all makes it fail, hang or tell of its inside", async () => {
    const word = fc.constantFrom(
      "2.0",
      "ping",
      "tools/call",
      "tools/list",
      "initialize",
      "__proto__",
      "",
      modernRevision,
      ...toolNames,
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        word,
        fc.jsonValue({ maxDepth: 1 }),
        tie("object"),
        fc.array(tie("value"), { maxLength: 3 }),
      ),
      object: fc.dictionary(
        fc.constantFrom("name", "arguments", "_meta", "__proto__", "id", "cursor"),
        tie("value"),
      ),
    }));
    const message = fc.record(
      {
        jsonrpc: fc.constantFrom("2.0", "1.0"),
        id: fc.oneof(fc.integer(), value),
        method: fc.oneof(word, value),
        params: value,
      },
      { requiredKeys: ["jsonrpc"] },
    );
    const headers = fc.record(
      { "MCP-Protocol-Version": word, "Mcp-Method": word, "Mcp-Name": word, "Mcp-Session-Id": word },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(message, fc.array(message, { maxLength: 4 }), value),
        headers,
        async (body, given) => {
          const { status, text } = await post(JSON.stringify(body) ?? "", given);
          expect(status).toBeLessThan(500);
          expect(text).not.toMatch(/\bat .+:\d+:\d+|node_modules|\/src\//);
        },
      ),
      { numRuns: 300 },
    );
  }, 60_000);

  test("a fault of a service is told to the log, not to the model", async () => {
    const logged: unknown[] = [];
    await configure({
      sinks: { list: (record) => logged.push(record.properties["error"]) },
      loggers: [
        { category: "koor", lowestLevel: "error", sinks: ["list"] },
        { category: ["logtape", "meta"], lowestLevel: "error" },
      ],
    });
    const broken = { ...instances, list: () => Promise.reject(new Error("disk at /var/secret")) };
    const handler = mcpHandler({
      services: { instances: broken } as unknown as Services,
      toolSet: "discovery",
      endpoints: () => ({ api: "", dashboard: "" }),
      version: "1",
    });
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "discover_instances" },
    });
    const request = new Request(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    });
    const response = await handler.fetch(request, { name: "" });
    const text = await response.text();
    expect(response.status).toBe(200);
    expect(JSON.parse(text).result.isError).toBe(true);
    expect(text).not.toContain("secret");
    expect(logged).toEqual([expect.objectContaining({ message: "disk at /var/secret" })]);
    await reset();
    await handler.close();
    expect((await handler.fetch(new Request(url, { method: "POST" }), { name: "" })).status).toBe(503);
  });
});
