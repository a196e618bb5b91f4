import { afterAll, describe, expect, test } from "bun:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { modernRevision, startMcp, toolNames } from "../../test/mcp-harness.ts";

const mcp = startMcp();
const { url, clock, open, serve, post, send, answer } = mcp;
afterAll(() => mcp.stop());

describe("the official client", () => {
  const revisions = {
    auto: "auto",
    [modernRevision]: { pin: modernRevision },
    "2025-11-25": "legacy",
  } as const;
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
      const row = {
        id: made.instance_id,
        name: agent,
        stack: "bun",
        capabilities: ["api", "tests"],
        status: "pending",
      };
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
      const { json: list } = await send(
        "legacy",
        "tools/list",
        {},
        { "MCP-Protocol-Version": revision, "Mcp-Session-Id": "gone" },
      );
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
    expect(json.map(({ id, result }: { id: number; result?: object }) => [id, result !== undefined])).toEqual(
      [
        [1, true],
        [2, true],
      ],
    );
  });
});

describe("tools", () => {
  test("set_intent changes what others discover; long intents are cut, empty fields left out", async () => {
    const { instance_id } = await answer("register_instance", { name: "talker", workspace: null, stack: "" });
    const told = await answer("set_intent", { instance_id, intent: "rewriting the parser" });
    expect(told).toEqual({ instance_id, intent: "rewriting the parser" });
    const { instances: found } = await answer("discover_instances", { name: "talker", capability: null });
    expect(found).toEqual([
      { id: instance_id, name: "talker", intent: "rewriting the parser", status: "pending" },
    ]);
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
      clock.now += 1000;
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
    const again = await answer(
      "register_instance",
      { name: "other", intent: "docs", capabilities: "a,b" },
      headers,
    );
    expect(again).toEqual({
      instance_id,
      name: "owner",
      status: "active",
      stack: "rust",
      capabilities: ["a", "b"],
    });
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
