import type { Meters } from "../metrics/meters.ts";
import type { Front } from "./front.ts";
import { metered, noOperation } from "./metered.ts";
import { refuse } from "./refuse.ts";
import type { RouteHandler } from "./route.ts";

/**
 * Lets pages of the allowed origins read what they are answered (CORS, fetch.spec.whatwg.org). Whether a page may ask at
 * all the front decides, for every port alike; this is for the API's port alone: the dashboard's has sessions in cookies,
 * which no other page has any business with. Never with credentials: the API knows none that a browser adds by itself.
 */
export type Cors = (handler: RouteHandler) => RouteHandler;

/** What a page may send, beyond what browsers let every page send. A test holds it to the OpenAPI document. */
const requestHeaders = [
  "Authorization",
  "Content-Type",
  "If-Match",
  "If-None-Match",
  "X-Koor-If-Version",
  "Idempotency-Key",
  "Koor-Instance-Token",
  "Koor-Fence",
  "Last-Event-ID",
  // Of MCP clients: the revision, and what is called, which the newest ones say twice.
  "MCP-Protocol-Version",
  "Mcp-Method",
  "Mcp-Name",
].join(", ");

/** What a page may read of an answer, beyond what browsers show every page. */
const answerHeaders = [
  "ETag",
  "X-Koor-Version",
  "X-Koor-Hash",
  "Koor-Epoch",
  "Retry-After",
  "Allow",
  "WWW-Authenticate",
  "Content-Disposition",
].join(", ");

const methods = "GET, HEAD, PUT, POST, PATCH, DELETE";

/** How long a browser may remember the answer to its preflight, in seconds: an origin that is allowed no more is soon out. */
const preflightSeconds = 600;

interface CorsOptions {
  /** Hosts with ports, as `--allowed-origins` gives them; the scheme does not count. */
  allowedOrigins: readonly string[];
  front: Front;
  meters: Meters;
}

/** @returns what to put around each route; undefined where no other origin is allowed, so that nothing costs anything */
export function createCors({ allowedOrigins, front, meters }: CorsOptions): Cors | undefined {
  if (allowedOrigins.length === 0) return undefined;
  const hosts = new Set(allowedOrigins);

  /** The origin that asks, when it is an allowed one, as browsers write it. */
  function originOf({ headers }: Request): string | undefined {
    const origin = headers.get("origin");
    if (origin === null || !URL.canParse(origin)) return undefined;
    const url = new URL(origin);
    return hosts.has(url.host) && url.origin === origin ? origin : undefined;
  }

  /** Browsers ask it without a token, so it tells the same of every path. */
  const answerPreflight: RouteHandler = async (request) => {
    try {
      front.admit(request);
      const headers = {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": requestHeaders,
        "Access-Control-Max-Age": String(preflightSeconds),
      };
      return new Response(null, { status: 204, headers });
    } catch (error) {
      return refuse(request, error);
    }
  };
  const preflight = metered(noOperation, answerPreflight, meters);

  return (handler) => async (request, server) => {
    const origin = originOf(request);
    const asksFirst = request.method === "OPTIONS" && request.headers.has("access-control-request-method");
    const response = await (origin !== undefined && asksFirst ? preflight : handler)(request, server);
    if (!response) return response;
    // Also where no page asks: a cache must not show a page what it kept of another's answer.
    response.headers.append("Vary", "Origin");
    if (origin === undefined) return response;
    response.headers.set("Access-Control-Allow-Origin", origin);
    response.headers.set("Access-Control-Expose-Headers", answerHeaders);
    return response;
  };
}
