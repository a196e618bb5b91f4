import { Client, type ClientOptions, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { TokenBook } from "./tokens.ts";

/** An agent as the server meets it: the official MCP client, and the model's place behind it. */
export interface Agent {
  name: string;
  /** The revision that client and server agreed on. */
  revision: string;
  /** What the model is shown of the tools. */
  tools: readonly string[];
  /** Of its registration: empty before it. */
  instanceId: string;
  token: string;
  /** Calls a tool and reads its answer, as the model would. `T` is what the tool is known to answer. */
  call<T>(tool: string, args?: Record<string, unknown>): Promise<T>;
  close(): Promise<void>;
}

export const newestRevision = "2026-07-28";
export const olderRevision = "2025-06-18";

/** Connects as a client of one revision of the protocol does, and reads the tools. */
export async function connectAgent(
  name: string,
  url: string,
  revision: string,
  book: TokenBook,
): Promise<Agent> {
  const options: ClientOptions =
    revision === newestRevision
      ? { versionNegotiation: { mode: { pin: revision } } }
      : { supportedProtocolVersions: [revision] };
  const client = new Client({ name, version: "1.0.0" }, options);
  await client.connect(new StreamableHTTPClientTransport(new URL("/mcp", url)));
  const { tools } = await client.listTools();
  const shown = tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
  book.add("mcp", `${name}: the definitions of ${tools.length} tools`, JSON.stringify(shown));

  return {
    name,
    revision: client.getNegotiatedProtocolVersion() ?? "",
    tools: tools.map((tool) => tool.name),
    instanceId: "",
    token: "",
    async call<T>(tool: string, args = {}) {
      const answer = await client.callTool({ name: tool, arguments: args });
      const text = textOf(answer);
      book.add("mcp", `${name}: ${tool}`, `${tool}${JSON.stringify(args)}${text}`);
      if (answer.isError) throw new Error(`${tool}: ${text}`);
      return JSON.parse(text) as T;
    },
    close: () => client.close(),
  };
}

function textOf({ content }: { content: readonly { type: string }[] }): string {
  return content.map((part) => ("text" in part ? String(part.text) : "")).join("\n");
}
