import type { WebSocketHandler } from "bun";
import type { Address } from "../config.ts";
import type { Front } from "./front.ts";
import type { Gate } from "./gate.ts";
import { noRoute } from "./refuse.ts";
import type { BunServer, RouteHandler, SocketData } from "./route.ts";

interface Listening {
  routes: Record<string, RouteHandler | Response>;
  front: Front;
  gate: Gate;
  websocket: WebSocketHandler<SocketData>;
}

export function listen(address: Address, { routes, front, gate, websocket }: Listening): BunServer {
  return Bun.serve({
    hostname: address.host,
    port: address.port,
    routes: Object.fromEntries(
      Object.entries(routes).map(([path, route]) => [path, guarded(path, route, gate)]),
    ),
    fetch: (request) => noRoute(request, front),
    websocket,
    // Counted by ourselves: Bun's own 413 comes without a body, before any handler runs.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    development: false,
    // Bun shares ports unless told not to: a second server would take every other request, silently.
    reusePort: false,
  });
}

/** Health is told while a backup is restored, too: who looks after the process must not end it then. */
function guarded(path: string, route: RouteHandler | Response, gate: Gate): RouteHandler | Response {
  return path === "/health" || route instanceof Response ? route : gate.guard(route);
}
