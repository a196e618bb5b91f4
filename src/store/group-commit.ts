import { KoorError } from "../contract/errors.ts";
import type { Commit, Outcome } from "../core/commit.ts";

/** Commits in one transaction. 512 two-kilobyte writes take some ten milliseconds: more would only add latency. */
export const batchCommits = 512;
/** Bytes of values in one transaction: one large value, or many small ones, but not many large ones. */
export const batchBytes = 8 * 1024 * 1024;

/**
 * Gathers the commits that arrive while the engine is busy with the batch before, so that they share one
 * transaction and one fsync. Self-clocking: there is no timer, and one caller alone waits for nobody.
 *
 * When the engine fails, each commit of the batch is told so: none of it was written. When a commit is at fault
 * (`decide` threw), the batch is tried again one by one, so that it takes no neighbour along.
 *
 * @param transact runs one batch as one transaction and resolves when it is durable
 */
export function groupCommit(transact: (batch: Commit[]) => Promise<Outcome[]>) {
  const queue: Waiting[] = [];
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    // One turn of the event loop, so that requests which are already here make the first batch together.
    await Promise.resolve();
    while (queue.length > 0) {
      await runBatch(queue.splice(0, batchSize(queue)));
    }
    running = undefined;
  }

  async function runBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await transact(batch.map((waiting) => waiting.commit));
      batch.forEach((waiting, index) => waiting.resolve(outcomes[index] as Outcome));
    } catch (error) {
      if (batch.length === 1 || error instanceof KoorError) {
        for (const waiting of batch) waiting.reject(error);
        return;
      }
      for (const waiting of batch) await runBatch([waiting]);
    }
  }

  return {
    commit(commit: Commit): Promise<Outcome> {
      const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
      queue.push({ commit, bytes: bytesOf(commit), resolve, reject });
      running ??= run();
      return promise;
    },
    /** Resolves when all that was accepted is answered. */
    async idle(): Promise<void> {
      while (running) await running;
    },
  };
}

interface Waiting {
  commit: Commit;
  bytes: number;
  resolve: (outcome: Outcome) => void;
  reject: (error: unknown) => void;
}

function batchSize(queue: readonly Waiting[]): number {
  let bytes = 0;
  for (let index = 0; index < queue.length; index++) {
    bytes += (queue[index] as Waiting).bytes;
    if (index === batchCommits) return index;
    if (bytes > batchBytes && index > 0) return index;
  }
  return queue.length;
}

/** What a commit counts for `batchBytes`. */
export function bytesOf(commit: Commit): number {
  let bytes = 0;
  for (const op of commit.ops) {
    if (op.kind === "put") bytes += op.value.length;
    if (op.kind === "append") bytes += op.data.length;
  }
  return bytes;
}
