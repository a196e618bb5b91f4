import { KoorError } from "../contract/errors.ts";
import { sendError } from "./response.ts";
import type { RouteHandler } from "./route.ts";

/** How long requests under way may take until they are no longer waited for, in milliseconds. */
const leaveWithin = 5_000;
/** What those who are kept out are told to wait, in seconds. */
const comeBackAfter = 2;

/** Keeps requests out while somebody must be alone with the store. */
export interface Gate {
  /** The route, while the gate is open; `unavailable` while it is not. */
  guard(handler: RouteHandler): RouteHandler;
  /**
   * Runs work while no other request is served: those under way are let finish, new ones are refused. To be called out of
   * a guarded route, which is not waited for.
   *
   * @throws KoorError `unavailable` when somebody else is
   */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

/** @param onClose called as the gate closes: what waits for something that may take long is to end now */
export function createGate({ onClose }: { onClose: () => void }): Gate {
  let inside = 0;
  let closed = false;
  /** Called whenever somebody leaves. */
  let left: (() => void) | undefined;

  async function othersLeft(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, leaveWithin);
    left = () => {
      if (inside <= 1) resolve();
    };
    left();
    await promise;
    clearTimeout(timer);
    left = undefined;
  }

  return {
    guard: (handler) => async (request, server) => {
      if (closed) return sendError(unavailable()).response;
      inside += 1;
      try {
        return await handler(request, server);
      } finally {
        inside -= 1;
        left?.();
      }
    },

    async alone(work) {
      if (closed) throw unavailable();
      closed = true;
      try {
        onClose();
        await othersLeft();
        return await work();
      } finally {
        closed = false;
      }
    },
  };
}

function unavailable(): KoorError {
  return new KoorError("unavailable", "a backup is being restored", { retryAfter: comeBackAfter });
}
