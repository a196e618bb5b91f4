import { afterAll, describe, expect, test } from "bun:test";
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import { startMcp } from "../../test/mcp-harness.ts";
import { api } from "../contract/api.ts";
import type { Operation } from "../contract/operation.ts";

const mcp = startMcp();
const { metered, post, send, call } = mcp;
afterAll(() => mcp.stop());

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
    expect(JSON.parse(text)).toMatchObject({
      api: "http://localhost:9800",
      dashboard: "http://localhost:9847",
    });
    expect(text).toContain("koor-cli");
    expect(text).toContain("Koor-Instance-Token");
  });

  test("only what reads is marked as reading", async () => {
    const { json } = await send("legacy", "tools/list");
    const reading = json.result.tools.filter(
      (tool: { annotations?: object }) => tool.annotations !== undefined,
    );
    expect(
      reading.map((tool: { name: string; annotations: object }) => [tool.name, tool.annotations]),
    ).toEqual([
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
