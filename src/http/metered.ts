import type { Meters } from "../metrics/meters.ts";
import type { RouteHandler } from "./route.ts";

/** What requests are counted as that meet no operation. */
export const noOperation = "none";

/** The route, with each request counted by its operation and answer. A connection that is taken over counts as 101. */
export function metered(operation: string, handler: RouteHandler, meters: Meters): RouteHandler {
  return async (request, server) => {
    const began = performance.now();
    const response = await handler(request, server);
    meters.request(operation, response?.status ?? 101, performance.now() - began);
    return response;
  };
}
