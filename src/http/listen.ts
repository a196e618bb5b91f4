import type { BunRequest, WebSocketHandler } from "bun";
import { type Address, showAddress } from "../config.ts";
import type { Meters } from "../metrics/meters.ts";
import type { Cors } from "./cors.ts";
import type { Front } from "./front.ts";
import type { Gate } from "./gate.ts";
import { noOperation } from "./metered.ts";
import { noRoute } from "./refuse.ts";
import type { BunServer, RouteHandler, SocketData } from "./route.ts";

/** How long running requests may take to finish when the server stops, in milliseconds. */
const grace = 5_000;

interface Listening {
  routes: Record<string, RouteHandler>;
  front: Front;
  gate: Gate;
  meters: Meters;
  websocket: WebSocketHandler<SocketData>;
  /** Put around every route. */
  cors?: Cors | undefined;
}

export function listen(
  address: Address,
  { routes, front, gate, meters, websocket, cors = (handler) => handler }: Listening,
): BunServer {
  const otherwise = cors(async (request) => {
    const response = noRoute(request, front);
    meters.request(noOperation, response.status, 0);
    return response;
  });
  return Bun.serve({
    hostname: address.host,
    port: address.port,
    routes: Object.fromEntries(
      Object.entries(routes).map(([path, route]) => [path, cors(guarded(path, route, gate))]),
    ),
    fetch: (request, server) => otherwise(request as BunRequest, server),
    websocket,
    // Counted by ourselves: Bun's own 413 comes without a body, before any handler runs.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    development: false,
    // Bun shares ports unless told not to: a second server would take every other request, silently.
    reusePort: false,
  });
}

/** Health is told while a backup is restored, too: who looks after the process must not end it then. */
function guarded(path: string, route: RouteHandler, gate: Gate): RouteHandler {
  return path === "/health" ? route : gate.guard(route);
}

/** Resolves when no request is under way, or the grace is over. Idle connections count for nothing: Bun's own wait does. */
export async function finished(servers: readonly BunServer[]): Promise<void> {
  const busy = () => servers.some((server) => server.pendingRequests > 0);
  for (const end = Date.now() + grace; busy() && Date.now() < end;) await Bun.sleep(10);
}

export function bindOf(server: BunServer | undefined): string {
  return server ? showAddress({ host: server.hostname as string, port: server.port as number }) : "";
}

/**
 * The address to tell a caller. Of a server on every interface only the caller knows one that leads here; its port may
 * be another than ours, too, where a container's is mapped.
 */
export function apiFor(server: BunServer | undefined, host: string | undefined): string {
  const anywhere = /^(0\.0\.0\.0|::)$/.test(server?.hostname ?? "");
  return anywhere && host ? `http://${host}` : (urlOf(server) ?? "");
}

export function urlOf(server: BunServer | undefined): string | undefined {
  return server && `http://${bindOf(server)}`;
}
