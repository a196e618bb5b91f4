import { KoorError } from "../contract/errors.ts";
import { limits } from "../contract/limits.ts";
import type { Caller } from "../contract/operation.ts";
import type { McpHandler } from "../mcp/handler.ts";
import { readBody } from "./body.ts";
import { type CallerOptions, callerOf } from "./caller.ts";
import type { MountOptions } from "./mount.ts";
import { metered } from "./metered.ts";
import { refuse } from "./refuse.ts";
import type { RouteHandler } from "./route.ts";

/** `/mcp` behind the same front as REST: the MCP library checks neither Host, Origin nor token. */
export function mountMcp(
  mcp: McpHandler,
  options: CallerOptions & Pick<MountOptions, "front" | "refusals" | "meters">,
): RouteHandler {
  const { front } = options;
  const route: RouteHandler = async (request) => {
    try {
      front.admit(request);
      front.authorize(request);
      const known = await callerOf(request, "mcp", options).catch(unknownCaller);
      if (known.unknown) options.refusals.countStranger();
      const caller = { ...known, host: request.headers.get("host") ?? "" };
      const { bytes, release } = await readBody(request, limits.bodyBytes);
      try {
        const body = request.method === "POST" ? (bytes as Uint8Array<ArrayBuffer>) : null;
        const { method, headers, url, signal } = request;
        const response = await mcp.fetch(new Request(url, { method, headers, body, signal }), caller);
        response.headers.set("X-Content-Type-Options", "nosniff");
        return response;
      } finally {
        release();
      }
    } catch (error) {
      if (error instanceof KoorError && error.reason === "unauthorized") options.refusals.countStranger();
      return refuse(request, error);
    }
  };
  return metered("mcp", route, options.meters);
}

/**
 * A configured token can outlive the server's data. A 401 would make clients drop the whole server, or try to log in
 * there: the connection stands, and the tools tell the model what to do.
 */
function unknownCaller(error: unknown): Caller {
  if (!(error instanceof KoorError) || error.reason !== "unknown_instance") throw error;
  return { name: "", unknown: error };
}
