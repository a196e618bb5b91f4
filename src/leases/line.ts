import { KoorError } from "../contract/errors.ts";
import type { Store } from "../store/store.ts";
import type { Book } from "./book.ts";
import type { Lease } from "./lease.ts";

/** Calls back once, some milliseconds from now, unless it is cancelled by what it returns. */
export type Timer = (ms: number, wake: () => void) => () => void;

/** The least time between two looks at the clock, in milliseconds: the store's may be a little behind ours. */
const leastSleepMs = 10;

/**
 * Those in line at this server. What is in front of one is settled when it comes: what comes later stands behind it. So
 * each only waits for a list of leases to end, and looks at the last of them that is still there. We look when leases
 * have changed and when the next one ends by itself; nothing is polled.
 */
export interface Line {
  /**
   * Resolves with `free` when everything in front has ended, with `gone` when the one that waits has.
   * @param inFront all leases that arrived before it and exclude it
   * @throws KoorError `unavailable` when its client leaves, or the server stops
   */
  wait(id: string, inFront: readonly Lease[], signal?: AbortSignal): Promise<"free" | "gone">;
  /** Sends everybody away. */
  clear(): void;
  /** Sends everybody away, whoever comes later too. */
  close(): void;
}

interface Waiting {
  inFront: string[];
  settle(how: "free" | "gone" | Error): void;
}

export function openLine(store: Store, book: Book, now: () => number, timer: Timer): Line {
  const line = new Map<string, Waiting>();
  let cancelTimer = () => {};
  let seen = 0;
  let looking = false;
  let again = false;
  let closed = false;

  /** Lets go whoever need not wait any more. */
  async function look(): Promise<void> {
    again = true;
    if (looking) return;
    looking = true;
    try {
      while (again && line.size > 0) {
        again = false;
        // Who comes while the leases are read may not be among them: he is looked after in the next round.
        const waiting = [...line];
        const live = new Map((await book.live()).map((lease) => [lease.id, lease]));
        cancelTimer();
        cancelTimer = wakeAt(settleAll(waiting, live));
      }
    } catch (error) {
      for (const waiting of line.values()) waiting.settle(error as Error);
    } finally {
      looking = false;
    }
  }

  /** When the first of those that all this depends on ends by itself. */
  function settleAll(
    waiting: readonly (readonly [id: string, Waiting])[],
    live: ReadonlyMap<string, Lease>,
  ): number {
    let next = Infinity;
    for (const [id, { inFront, settle }] of waiting) {
      const own = live.get(id);
      while (inFront.length > 0 && !live.has(inFront.at(-1) as string)) inFront.pop();
      const last = live.get(inFront.at(-1) ?? "");
      if (!own) settle("gone");
      else if (!last) settle("free");
      else next = Math.min(next, own.expiresAt, last.expiresAt);
    }
    return next;
  }

  function wakeAt(time: number): () => void {
    if (time === Infinity) return () => {};
    return timer(Math.max(time - now(), leastSleepMs), () => void look());
  }

  const unwatch = store.watch(() => {
    if (line.size > 0) void lookIfChanged();
  });

  async function lookIfChanged(): Promise<void> {
    const heads = await store.heads().catch(() => undefined);
    if (heads?.changed.leases === seen) return;
    seen = heads?.changed.leases ?? seen;
    await look();
  }

  function clear(): void {
    for (const { settle } of line.values()) settle(stopping());
  }

  return {
    clear,

    async wait(id, inFront, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<"free" | "gone">();
      const leave = () => reject(new KoorError("unavailable", "the client has left"));
      signal?.addEventListener("abort", leave);
      try {
        if (closed) throw stopping();
        if (signal?.aborted) leave();
        const settle = (how: "free" | "gone" | Error) =>
          typeof how === "string" ? resolve(how) : reject(how);
        line.set(id, { inFront: inFront.map((lease) => lease.id), settle });
        void look();
        return await promise;
      } finally {
        line.delete(id);
        signal?.removeEventListener("abort", leave);
      }
    },

    close() {
      closed = true;
      unwatch();
      cancelTimer();
      clear();
    },
  };
}

function stopping(): KoorError {
  return new KoorError(
    "unavailable",
    "nobody can wait for a lease here now: the server stops, or restores a backup",
    {
      retryAfter: 1,
    },
  );
}
