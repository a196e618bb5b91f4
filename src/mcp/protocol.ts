import { getLogger } from "@logtape/logtape";
import {
  type AuthInfo,
  type CallToolResult,
  type InputRequiredResult,
  type ListToolsResult,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
  WebStandardStreamableHTTPServerTransport,
  createMcpHandler,
  isLegacyRequest,
  type jsonSchemaValidator,
} from "@modelcontextprotocol/server";
import { KoorError } from "../contract/errors.ts";
import type { Caller } from "../contract/operation.ts";
import type { Tool, ToolDefinition } from "./tool.ts";
import { asTexts } from "./tools.ts";

/**
 * The protocol itself, both eras, by `@modelcontextprotocol/server`: loaded at the first request to `/mcp`, because
 * most of Koor's clients never speak MCP. In the compiled server (Bun 1.4.5) the first request then takes 22 ms and
 * 10 MiB more than the next (1.4 ms); from source, importing it takes 60 to 100 ms and 16 to 23 MiB. A server object for
 * each request costs 0.02 ms, so nothing is kept between requests, and a restart is invisible.
 */
export interface Protocol {
  /** @param body the request's body as JSON; the request's own was read already */
  answer(request: Request, body: unknown, caller: Caller): Promise<Response>;
  close(): Promise<void>;
}

/** A tool that speaks the protocol itself. Only the test build of the server has any: the conformance suite asks for them. */
export interface ExtraTool {
  definition: ToolDefinition;
  run(args: Record<string, unknown>, context: ServerContext): Promise<CallToolResult | InputRequiredResult>;
}

export interface ProtocolOptions {
  tools: readonly Tool[];
  extraTools: readonly ExtraTool[];
  version: string;
}

/** For how long clients may keep the list of tools, in milliseconds: it changes only with the server's version. */
const listLifetime = 5 * 60 * 1000;

const log = getLogger(["koor", "mcp"]);

/** Tools have no output schema and Koor asks clients for no input: there is nothing to validate, and no need to build Ajv. */
const noValidator: jsonSchemaValidator = {
  getValidator: () => {
    throw new Error("Koor validates no JSON schemas");
  },
};

export function openProtocol(options: ProtocolOptions): Protocol {
  const report = (error: Error) => log.debug("refused: {error}", { error: error.message });
  const modern = createMcpHandler(({ authInfo }) => openServer(options, callerOf(authInfo)), {
    // Earlier eras are answered below: as JSON, where the library's own fallback opens a stream for each answer.
    legacy: "reject",
    onerror: report,
  });

  async function answerLegacy(request: Request, body: unknown, caller: Caller): Promise<Response> {
    // No session id generator: no sessions.
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    const server = openServer(options, caller);
    server.onerror = report;
    await server.connect(transport);
    try {
      return await transport.handleRequest(acceptingJson(request), { parsedBody: body });
    } finally {
      await server.close();
    }
  }

  return {
    async answer(request, body, caller) {
      if (await isLegacyRequest(request, body)) return answerLegacy(request, body, caller);
      return modern.fetch(request, { parsedBody: body, authInfo: authInfoOf(caller) });
    },
    close: () => modern.close(),
  };
}

function openServer({ tools, extraTools, version }: ProtocolOptions, caller: Caller): Server {
  const server = new Server(
    { name: "koor", version },
    {
      capabilities: { tools: {} },
      jsonSchemaValidator: noValidator,
      cacheHints: { "tools/list": { ttlMs: listLifetime }, "server/discover": { ttlMs: listLifetime } },
    },
  );
  const definitions = [...tools, ...extraTools].map((tool) => tool.definition);
  // The library's type of a JSON schema is closed; ours comes from zod.
  server.setRequestHandler("tools/list", () => ({ tools: definitions as ListToolsResult["tools"] }));
  server.setRequestHandler("tools/call", async ({ params }, context) => {
    const args = params.arguments ?? {};
    const tool = tools.find(({ definition }) => definition.name === params.name);
    if (tool) return callTool(tool, args, caller);
    const extra = extraTools.find(({ definition }) => definition.name === params.name);
    if (extra) return extra.run(args, context);
    throw new ProtocolError(
      ProtocolErrorCode.InvalidParams,
      `unknown tool: ${params.name.slice(0, 100)}. Tools: ${definitions.map(({ name }) => name).join(", ")}`,
    );
  });
  return server;
}

/** One text of compact JSON; a refusal as text with what to do about it. */
async function callTool(tool: Tool, args: Record<string, unknown>, caller: Caller): Promise<CallToolResult> {
  try {
    return textResult(JSON.stringify(await tool.call(asTexts(args), caller)));
  } catch (error) {
    if (error instanceof KoorError) {
      const { hint } = error.details;
      return {
        ...textResult(hint === undefined ? error.message : `${error.message}\n${hint}`),
        isError: true,
      };
    }
    log.error("tool {tool} failed: {error}", { tool: tool.definition.name, error });
    return { ...textResult("a fault of the server; its log has the cause"), isError: true };
  }
}

function textResult(text: string): CallToolResult {
  return { content: [{ type: "text", text }] };
}

/** The library hands only this through to the server it asks for; it never looks into it. */
function authInfoOf(caller: Caller): AuthInfo {
  return { token: "", clientId: caller.name, scopes: [], extra: { caller } };
}

function callerOf(authInfo: AuthInfo | undefined): Caller {
  return authInfo?.extra?.["caller"] as Caller;
}

/** The library wants both types named, word for word; the answer is JSON, which everything accepts that speaks MCP. */
function acceptingJson(request: Request): Request {
  const headers = new Headers(request.headers);
  headers.set("Accept", "application/json, text/event-stream");
  return new Request(request.url, { method: "POST", headers });
}
