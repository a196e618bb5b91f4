import { expect } from "bun:test";
import type { Services } from "../src/contract/api.ts";
import { instanceService } from "../src/instances/service.ts";
import { type McpHandler, mcpHandler } from "../src/mcp/handler.ts";
import { openMemory } from "../src/store/memory/open.ts";

/** `/mcp` alone, with a real registry behind it, and clients that send exactly what they are told. */

export const modernRevision = "2026-07-28";
export const toolNames = ["register_instance", "discover_instances", "set_intent", "get_endpoints"];

const envelope = {
  "io.modelcontextprotocol/protocolVersion": modernRevision,
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  json: any;
}

export function startMcp() {
  const clock = { now: Date.UTC(2026, 10, 1) };
  const metered: number[] = [];
  const now = () => clock.now;
  const instances = instanceService({
    store: openMemory({ now }),
    now,
    newId: () => crypto.randomUUID(),
    endAllOf: async () => [],
  });
  const services = { instances } as unknown as Services;

  const open = () =>
    mcpHandler({
      services,
      toolSet: "discovery",
      endpoints: () => ({ api: "http://localhost:9800", dashboard: "http://localhost:9847" }),
      version: "1.2.3",
      meter: (bytes) => metered.push(bytes),
    });

  /** Tells who asks, as src/http does. */
  const serve = (handler: McpHandler, port = 0) =>
    Bun.serve({
      hostname: "localhost",
      port,
      development: false,
      async fetch(request) {
        const token = request.headers.get("koor-instance-token");
        return handler.fetch(request, token === null ? { name: "" } : await instances.identify(token, "mcp"));
      },
    });

  const handler = open();
  const server = serve(handler);
  const url = `${server.url}mcp`;

  async function post(body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const asItIs = typeof body === "string" || body instanceof Uint8Array;
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: asItIs ? (body as BodyInit) : JSON.stringify(body),
      signal: AbortSignal.timeout(4_000),
    });
    const text = await response.text();
    const json = text === "" ? undefined : JSON.parse(text);
    return { status: response.status, headers: response.headers, text, json };
  }

  /** As each era sends it: with the request's own headers and envelope, or bare. */
  async function send(
    era: "modern" | "legacy",
    method: string,
    params: Record<string, unknown> = {},
    headers = {},
  ) {
    if (era === "legacy") return post({ jsonrpc: "2.0", id: 1, method, params }, headers);
    const name = typeof params["name"] === "string" ? { "Mcp-Name": params["name"] } : {};
    return post(
      { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: envelope } },
      { "MCP-Protocol-Version": modernRevision, "Mcp-Method": method, ...name, ...headers },
    );
  }

  /** What a tool tells the model. */
  async function call(name: string, args?: unknown, headers: Record<string, string> = {}) {
    const params = { name, ...(args !== undefined && { arguments: args }) };
    const { status, json } = await send("legacy", "tools/call", params, headers);
    expect(status).toBe(200);
    expect(json.result.content).toHaveLength(1);
    return { isError: json.result.isError === true, text: json.result.content[0].text as string };
  }

  return {
    url,
    clock,
    metered,
    instances,
    open,
    serve,
    post,
    send,
    call,
    /** What a tool tells the model when all went well. */
    async answer(name: string, args?: unknown, headers?: Record<string, string>) {
      const { isError, text } = await call(name, args, headers);
      expect(isError).toBe(false);
      return JSON.parse(text);
    },
    async stop() {
      await server.stop(true);
      await handler.close();
    },
  };
}
