import { KoorError } from "../contract/errors.ts";

/**
 * Requests that wait at once, over all ways to wait. Each costs a connection and about 5 KiB (9,000 more took 42 MiB), so
 * that this many leave room for work; systems give a process about as many files.
 */
export const waitingRequests = 10_000;

/** Where requests wait for something to happen. It is bounded, and closes when the server stops. */
export interface WaitingRoom {
  /**
   * Takes a place for at most so many milliseconds.
   * @param over called once, when the time is up, the caller has gone, or the room closes
   * @returns gives the place back; `over` is not called after that
   * @throws KoorError `rate_limited` when every place is taken
   */
  enter(ms: number, signal: AbortSignal | undefined, over: () => void): () => void;
  /** How many wait. */
  readonly waiting: number;
  /** Ends every wait with what it has. */
  clear(): void;
  /** Ends every wait with what it has, and lets nobody wait any more. */
  close(): void;
}

export function openWaitingRoom(places = waitingRequests): WaitingRoom {
  const waits = new Set<() => void>();
  let closed = false;
  const clear = () => {
    for (const end of waits) end();
  };
  return {
    clear,
    enter(ms, signal, over) {
      if (waits.size >= places) {
        throw new KoorError("rate_limited", "too many requests are waiting", {
          retryAfter: 1,
          hint: "Ask without `wait`, or follow by WebSocket: one connection for many topics.",
        });
      }
      const leave = () => {
        waits.delete(end);
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
      };
      const end = () => {
        leave();
        over();
      };
      waits.add(end);
      const timer = setTimeout(end, closed || signal?.aborted ? 0 : ms);
      signal?.addEventListener("abort", end);
      return leave;
    },
    get waiting() {
      return waits.size;
    },
    close() {
      closed = true;
      clear();
    },
  };
}
