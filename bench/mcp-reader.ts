import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Server, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";

/** The way that Koor replaces: an MCP tool which reads a value into the model's context. */

const definition = {
  name: "get_state",
  description: "Read a value of the shared state.",
  inputSchema: { type: "object" as const, properties: { key: { type: "string" } }, required: ["key"] },
};

export interface McpReading {
  /** What the model writes and reads: the call's name and arguments, and the result's text. */
  seen: string;
  /** The same as it passed the wire: the JSON-RPC messages of the call, whole. */
  wire: string;
  /** The tools' definitions. */
  definitions: string;
}

/** Serves the tool, reads a key of Koor's state through it with the official client, and ends both. */
export async function readThroughMcp(koorUrl: string, key: string): Promise<McpReading> {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => answer(request, koorUrl) });
  const messages: string[] = [];
  const transport = new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${server.port}`), {
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (typeof init?.body === "string") messages.push(init.body, await response.clone().text());
      return response;
    },
  });
  const client = new Client({ name: "bench", version: "1.0.0" });
  await client.connect(transport);
  const { tools } = await client.listTools();
  messages.length = 0;
  const call = { name: definition.name, arguments: { key } };
  const { content } = await client.callTool(call);
  await client.close();
  await server.stop(true);
  const text = content.map((part) => (part.type === "text" ? part.text : "")).join("\n");
  return {
    seen: `${JSON.stringify(call)}\n${text}`,
    wire: messages.join("\n"),
    definitions: JSON.stringify(tools),
  };
}

async function answer(request: Request, koorUrl: string): Promise<Response> {
  const server = new Server({ name: "baseline", version: "1.0.0" }, { capabilities: { tools: {} } });
  server.setRequestHandler("tools/list", () => ({ tools: [definition] }));
  server.setRequestHandler("tools/call", async ({ params }) => {
    const value = await fetch(`${koorUrl}/api/state/${String(params.arguments?.["key"])}`);
    return { content: [{ type: "text", text: await value.text() }], isError: !value.ok };
  });
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
  await server.connect(transport);
  return transport.handleRequest(request);
}
