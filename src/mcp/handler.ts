import { getLogger } from "@logtape/logtape";
import type { Services } from "../contract/api.ts";
import { limits } from "../contract/limits.ts";
import type { Caller } from "../contract/operation.ts";
import type { ExtraTool, Protocol } from "./protocol.ts";
import type { Endpoints } from "./tool.ts";
import { type Notes, type ToolSet, makeTools } from "./tools.ts";

export type { ExtraTool } from "./protocol.ts";

export interface McpOptions {
  services: Services;
  toolSet: ToolSet;
  endpoints: Endpoints;
  /** The server's own, as clients are told. */
  version: string;
  /** Bytes of a request and its answer that passed a model's context: lists and calls of tools, not the protocol's own. */
  meter?: (bytes: number, caller: Caller) => void;
  /** What is to be known of calls of tools beside their answers. */
  notes?: Notes;
  /** Only for the test build of the server; never in the product. */
  extraTools?: readonly ExtraTool[];
}

export interface McpHandler {
  /** Answers a request to `/mcp` that was admitted already. Never throws. */
  fetch(request: Request, caller: Caller): Promise<Response>;
  close(): Promise<void>;
}

/** Levels of objects and arrays within each other; the library walks messages recursively. */
const maxDepth = 64;

/** JSON-RPC's own codes, and the one for refusals by HTTP that it has no code for. */
const codes = {
  parse: -32700,
  invalidRequest: -32600,
  invalidParams: -32602,
  methodNotFound: -32601,
  internal: -32603,
  http: -32000,
} as const;

const log = getLogger(["koor", "mcp"]);

/**
 * `/mcp`: Streamable HTTP without sessions and without streams. Host, Origin and token are judged in front of it.
 * Here is what HTTP asks and what keeps bad input away from the library; the rest is `protocol.ts`.
 */
export function mcpHandler(options: McpOptions): McpHandler {
  let loading: Promise<Protocol> | undefined;
  let closed = false;

  const load = () =>
    (loading ??= import("./protocol.ts").then(({ openProtocol }) =>
      openProtocol({
        tools: makeTools(options.services, options.toolSet, options.endpoints, options.notes),
        extraTools: options.extraTools ?? [],
        version: options.version,
      }),
    ));

  async function answer(request: Request, caller: Caller): Promise<Response> {
    if (closed) return refuse(503, codes.http, "the server is stopping", { "Retry-After": "1" });
    if (request.method !== "POST") {
      return refuse(405, codes.http, `${request.method} is not allowed here: MCP clients POST`, {
        Allow: "POST",
      });
    }
    if (!isJson(request.headers.get("content-type"))) {
      return refuse(415, codes.http, "Content-Type must be application/json");
    }
    const bytes = await request.arrayBuffer();
    if (bytes.byteLength > limits.bodyBytes) {
      return refuse(413, codes.http, `the body is over ${limits.bodyBytes} bytes`);
    }
    const body = readMessages(bytes);
    if (body instanceof Response) return body;
    const response = await (await load()).answer(request, body, caller);
    const { meter } = options;
    if (!meter || !passesModel(body)) return response;
    return metered(response, bytes.byteLength, (counted) => meter(counted, caller));
  }

  return {
    async fetch(request, caller) {
      try {
        return await answer(request, caller);
      } catch (error) {
        if (!request.signal.aborted) log.error("a request failed: {error}", { error });
        return refuse(500, codes.internal, "a fault of the server; its log has the cause");
      }
    },
    async close() {
      closed = true;
      await (await loading)?.close();
    },
  };
}

/** The message or messages of a body, or why it holds none that can be answered. */
function readMessages(bytes: ArrayBuffer): unknown {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return refuse(400, codes.parse, "the body is not JSON");
  }
  if (!isShallow(body, maxDepth)) {
    return refuse(400, codes.invalidRequest, `the body is nested more than ${maxDepth} levels deep`);
  }
  for (const message of [body].flat()) {
    // What clients in languages without `undefined` send for a tool without arguments; the library refuses it.
    const params = paramsOf(message);
    if (params?.arguments === null) delete params.arguments;
    // The library takes this for a fault of its own.
    if (typeof (params?.cursor ?? "") !== "string")
      return refuse(400, codes.invalidParams, "cursor must be a text", {}, idOf(message));
  }
  if (Array.isArray(body)) {
    if (body.length === 0) return refuse(400, codes.invalidRequest, "the batch is empty");
    // Without sessions a cancellation can only mean a request of its own batch, whose answer would then be waited for
    // for ever. The calls are short: they are answered instead.
    const messages = body.filter((message) => methodOf(message) !== "notifications/cancelled");
    return messages.length > 0 ? messages : new Response(null, { status: 202 });
  }
  if (methodOf(body) === "subscriptions/listen") {
    // The tools never change while the server runs: such a stream would hold a connection and say nothing.
    return refuse(404, codes.methodNotFound, "there is nothing to subscribe to here", {}, idOf(body));
  }
  return body;
}

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.values(value).every((child) => isShallow(child, depth - 1));
}

function methodOf(message: unknown): unknown {
  return (message as { method?: unknown } | null)?.method;
}

function idOf(message: unknown): unknown {
  return (message as { id?: unknown } | null)?.id;
}

type Params = { arguments?: unknown; cursor?: unknown };

function paramsOf(message: unknown): Params | null | undefined {
  return (message as { params?: Params | null } | null)?.params;
}

function passesModel(body: unknown): boolean {
  return [body].flat().some((message) => ["tools/list", "tools/call"].includes(methodOf(message) as string));
}

/** Counts an answer that is whole. Streams are of the test build's tools only, and uncounted. */
async function metered(
  response: Response,
  bytesIn: number,
  meter: (bytes: number) => void,
): Promise<Response> {
  if (!isJson(response.headers.get("content-type"))) return response;
  const bytes = await response.arrayBuffer();
  meter(bytesIn + bytes.byteLength);
  return new Response(bytes, response);
}

function isJson(contentType: string | null): boolean {
  return contentType?.split(";")[0]?.trim().toLowerCase() === "application/json";
}

function refuse(
  status: number,
  code: number,
  message: string,
  headers: Record<string, string> = {},
  id: unknown = null,
) {
  const known = typeof id === "string" || typeof id === "number" ? id : null;
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: known }, { status, headers });
}
