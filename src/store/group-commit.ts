import { KoorError } from "../contract/errors.ts";
import type { Commit, Outcome } from "../core/commit.ts";
import { commitFault } from "../core/decide.ts";

/** Commits in one transaction. 512 two-kilobyte writes take some ten milliseconds: more would only add latency. */
export const batchCommits = 512;
/** Bytes of values in one transaction: one large value, or many small ones, but not many large ones. */
export const batchBytes = 8 * 1024 * 1024;
/** Commits that wait or are being written, at once: about a second's work; one more is told to come back. */
export const queueCommits = 16_384;
/** Bytes of values of those: twice what bodies under way may hold, since background work commits too. */
export const queueBytes = 128 * 1024 * 1024;

/**
 * Gathers the commits that arrive while the engine is busy with the batch before, so that they share one
 * transaction and one fsync. Self-clocking: there is no timer, and one caller alone waits for nobody.
 *
 * When the engine fails, each commit of the batch is told so, and none is tried again: an engine that loses its
 * connection may have written, and would write it twice. When a commit is at fault (`decide` threw), nothing was
 * written, and the batch is tried again one by one, so that it takes no neighbour along.
 *
 * What waits is bounded: over it a commit is refused as `unavailable`, and nothing of it is written.
 *
 * @param transact runs one batch as one transaction and resolves when it is durable
 */
export function groupCommit(transact: (batch: Commit[]) => Promise<Outcome[]>) {
  const queue: Waiting[] = [];
  let running: Promise<void> | undefined;
  const held = { commits: 0, bytes: 0 };

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
      if (batch.length === 1 || (error as { code?: string }).code !== commitFault) {
        for (const waiting of batch) waiting.reject(error);
        return;
      }
      for (const waiting of batch) await runBatch([waiting]);
    }
  }

  function hold(bytes: number): void {
    if (held.commits >= queueCommits || (held.commits > 0 && held.bytes + bytes > queueBytes)) {
      throw new KoorError("unavailable", "too many writes are waiting: nothing was written", {
        retryAfter: 1,
      });
    }
    held.commits += 1;
    held.bytes += bytes;
  }

  return {
    /** @throws KoorError `unavailable` when too much waits */
    async commit(commit: Commit): Promise<Outcome> {
      const bytes = bytesOf(commit);
      hold(bytes);
      try {
        const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
        queue.push({ commit, bytes, resolve, reject });
        running ??= run();
        return await promise;
      } finally {
        held.commits -= 1;
        held.bytes -= bytes;
      }
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

function bytesOf(commit: Commit): number {
  let bytes = 0;
  for (const op of commit.ops) {
    if (op.kind === "put") bytes += op.value.length;
    if (op.kind === "append") bytes += op.data.length;
  }
  return bytes;
}
