import {
  CLIENT_CAPABILITIES_META_KEY,
  MissingRequiredClientCapabilityError,
  inputRequired,
} from "@modelcontextprotocol/server";
import type { ExtraTool } from "../src/mcp/handler.ts";
import { type TestServer, startServer } from "./harness.ts";

/**
 * The server with the diagnostic tools that the MCP conformance suite calls, for its tests only: the product's
 * server.ts is never given any. By hand: `bun test/conformance-server.ts`, then the suite against the address it prints.
 */

function tool(name: string, description: string, run: ExtraTool["run"]): ExtraTool {
  return { definition: { name, description, inputSchema: { type: "object", properties: {} } }, run };
}

const text = (text: string) => ({ content: [{ type: "text" as const, text }] });

export const conformanceTools: readonly ExtraTool[] = [
  tool("test_simple_text", "Answers with a text", async () =>
    text("This is a simple text response for testing."),
  ),
  tool("test_error_handling", "Always fails", async () => ({
    ...text("This tool intentionally returns an error for testing"),
    isError: true,
  })),
  tool("test_missing_capability", "Needs a client that can sample", async (_, { mcpReq }) => {
    const envelope = mcpReq.envelope as Record<string, { sampling?: object } | undefined> | undefined;
    if (envelope?.[CLIENT_CAPABILITIES_META_KEY]?.sampling) return text("The client can sample.");
    throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } });
  }),
  tool("test_streaming_elicitation", "Asks the user for a name", async () =>
    inputRequired({
      inputRequests: {
        name: inputRequired.elicit({
          message: "Your name?",
          requestedSchema: { type: "object", properties: { name: { type: "string" } } },
        }),
      },
    }),
  ),
  tool("test_logging_tool", "Logs while it works", async (_, { mcpReq }) => {
    await mcpReq.log("info", "at work");
    return text("The log was offered a line.");
  }),
];

/** @param port a free one; it must be known beforehand, since the suite calls with the server's own address as `Origin` */
export async function startConformanceServer(port: number): Promise<TestServer> {
  const flags = ["--bind", `localhost:${port}`, "--allowed-origins", `http://localhost:${port}`];
  return startServer([...flags, "--dashboard-bind", ""], { extraTools: conformanceTools });
}

export async function freePort(): Promise<number> {
  const listener = Bun.listen({ hostname: "localhost", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

if (import.meta.main) {
  const server = await startConformanceServer(await freePort());
  console.log(`${server.url}/mcp`);
}
