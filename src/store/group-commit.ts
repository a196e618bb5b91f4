import type { Commit, Outcome } from "../core/commit.ts";
import { commitFault } from "../core/decide.ts";

/** Commits in one transaction. 512 two-kilobyte writes take some ten milliseconds: more would only add latency. */
export const batchCommits = 512;
/** Bytes of values in one transaction: one large value, or many small ones, but not many large ones. */
export const batchBytes = 8 * 1024 * 1024;

export interface Gathering {
  /**
   * Lets those that are here already hand in their commits; waited for before the first batch, and whenever all is
   * written. By default a microtask.
   */
  turn?: () => Promise<void>;
  /** Commits in one transaction, at most; `batchCommits` unless said. */
  most?: number | undefined;
  /**
   * Waited for before answers are given, not before the next batch is begun, which an engine that works elsewhere has by
   * then. Without it they are given at once.
   */
  answering?: () => Promise<void>;
}

/**
 * Gathers the commits that arrive while the engine is busy with the batch before, so that they share one
 * transaction and one fsync. Self-clocking: there is no timer, and one caller alone waits for nobody.
 *
 * When the engine fails, each commit of the batch is told so, and none is tried again: an engine that loses its
 * connection may have written, and would write it twice. When a commit is at fault (`decide` threw), nothing was
 * written, and the batch is tried again one by one, so that it takes no neighbour along. Answers come in the order of
 * the commits.
 *
 * @param transact runs one batch as one transaction and resolves when it is durable
 */
export function groupCommit(
  transact: (batch: Commit[]) => Promise<Outcome[]>,
  { turn = () => Promise.resolve(), most = batchCommits, answering }: Gathering = {},
) {
  const queue: Waiting[] = [];
  let running: Promise<void> | undefined;
  let answered: Promise<void> | undefined;

  function respond(give: () => void): void {
    if (answering) answered = answering().then(give);
    else give();
  }

  async function run(): Promise<void> {
    // So that requests which are already here make the first batch together.
    await turn();
    while (queue.length > 0) {
      await runBatch(queue.splice(0, batchSize(queue, most)));
      if (queue.length > 0) continue;
      if (answered) await answered;
      await turn();
    }
    running = undefined;
  }

  async function runBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await transact(batch.map((waiting) => waiting.commit));
      respond(() => batch.forEach((waiting, index) => waiting.resolve(outcomes[index] as Outcome)));
    } catch (error) {
      if (batch.length === 1 || (error as { code?: string }).code !== commitFault) {
        respond(() => batch.forEach((waiting) => waiting.reject(error)));
        return;
      }
      for (const waiting of batch) await runBatch([waiting]);
    }
  }

  function add(commit: Commit, answer: Settle<Outcome>): void {
    queue.push({ ...answer, commit, bytes: bytesOf(commit) });
    running ??= run();
  }

  return {
    add,
    commit(commit: Commit): Promise<Outcome> {
      const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
      add(commit, { resolve, reject });
      return promise;
    },
    /** Resolves when all that was accepted is answered. */
    async idle(): Promise<void> {
      while (running) await running;
    },
  };
}

/** Who waits for an answer. */
export interface Settle<T> {
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

interface Waiting extends Settle<Outcome> {
  commit: Commit;
  bytes: number;
}

function batchSize(queue: readonly Waiting[], most: number): number {
  let bytes = 0;
  for (let index = 0; index < queue.length; index++) {
    bytes += (queue[index] as Waiting).bytes;
    if (index === most) return index;
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
