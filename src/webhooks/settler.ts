import type { Op } from "../core/commit.ts";
import { ownNames } from "../core/own-names.ts";
import type { Store } from "../store/store.ts";

/** Results of deliveries in one commit: a transaction of some milliseconds, behind which whoever publishes may have to wait. */
const settledAtOnce = 64;
/** And the bytes that they store: copies of what could not be delivered. */
const settledBytes = 1024 * 1024;

/**
 * `void`: the webhook is another one by now, or is gone; `lost`: another server delivers. Nothing was written then.
 */
export type Settled = "done" | "void" | "lost";

export interface Settler {
  /** @throws KoorError `out_of_space`, `unavailable`: nothing was written */
  settle(ops: readonly Op[]): Promise<Settled>;
}

interface Waiting {
  ops: readonly Op[];
  bytes: number;
  resolve: (settled: Settled) => void;
  reject: (error: unknown) => void;
}

/**
 * Gathers what deliveries came to while the commit before was under way. Of a thousand webhooks each must be written
 * before its next delivery begins; one commit each would be a thousand, in front of whoever publishes.
 *
 * @param turn the guard that this server is the one that delivers
 * @param onLost called when it is not any more
 */
export function openSettler(store: Store, turn: () => Op, onLost: () => void): Settler {
  const queue: Waiting[] = [];
  let running = false;

  async function run(): Promise<void> {
    running = true;
    while (queue.length > 0) await commit(queue.splice(0, fitting(queue)));
    running = false;
  }

  async function commit(some: readonly Waiting[]): Promise<void> {
    try {
      const outcome = await store.commit({
        by: ownNames.webhooks,
        ops: [turn(), ...some.flatMap(({ ops }) => ops)],
      });
      if (outcome.ok) for (const { resolve } of some) resolve("done");
      else if (outcome.op === 0) {
        onLost();
        for (const { resolve } of some) resolve("lost");
      } else if (some.length === 1) some[0]?.resolve("void");
      else for (const one of some) await commit([one]);
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
  }

  return {
    settle: (ops) =>
      new Promise((resolve, reject) => {
        queue.push({ ops, bytes: bytesOf(ops), resolve, reject });
        if (!running) void run();
      }),
  };
}

function fitting(queue: readonly Waiting[]): number {
  let bytes = 0;
  let count = 0;
  for (const waiting of queue) {
    bytes += waiting.bytes;
    if (count > 0 && (count === settledAtOnce || bytes > settledBytes)) break;
    count += 1;
  }
  return count;
}

function bytesOf(ops: readonly Op[]): number {
  return ops.reduce((sum, op) => sum + (op.kind === "put" ? op.value.length : 0), 0);
}
