import type { Guard, Op } from "../core/commit.ts";
import type { Store } from "../store/store.ts";
import { writtenRecord } from "../store/write.ts";

/** For how long a server delivers without a word, in milliseconds: when another takes over from one that was killed. */
const turnMs = 15_000;
const key = "webhooks";

/** Which server delivers. */
export interface Turn {
  /** Says that we still deliver. @returns whether the turn was ours all the time */
  keep(): Promise<boolean>;
  /** Takes it where nobody has it. @returns whether it is ours now */
  take(): Promise<boolean>;
  /** The guard of all that is written in it: the turn is ours, and was all the time. */
  guard(): Op;
  /** It was lost: another server has it, or all was replaced. */
  drop(): void;
  /** Lets another server have it at once. */
  giveUp(): Promise<void>;
}

/**
 * A record in the store that ends by itself, taken by the first that finds none. `takeTurn` of the store is for work that
 * may be done twice; deliveries of a server that was paused, and goes on after another took over, must not be written.
 *
 * @param alone no other server can be on the store: then what a killed one left behind means nothing
 */
export function openTurn(store: Store, server: string, alone: boolean): Turn {
  /** The revision since which it is ours. */
  let fence: number | undefined;

  async function write(guard: Guard): Promise<boolean> {
    const value = new TextEncoder().encode(server);
    const put: Op = { kind: "put", collection: "turns", key, value, contentType: "text/plain", guard };
    const outcome = await store.commit({ by: "", ops: [alone ? put : { ...put, ttlMs: turnMs }] });
    fence = outcome.ok ? writtenRecord(outcome.results).createRevision : undefined;
    return outcome.ok;
  }

  return {
    async keep() {
      if (fence === undefined || alone) return fence !== undefined;
      return write({ fence });
    },
    take: () => write(alone ? {} : { ended: true }),
    guard: () => ({ kind: "guard", collection: "turns", key, guard: { fence: fence ?? 0 } }),
    drop() {
      fence = undefined;
    },
    async giveUp() {
      if (fence === undefined) return;
      await store.commit({ by: "", ops: [{ kind: "delete", collection: "turns", key, guard: { fence } }] });
      fence = undefined;
    },
  };
}
