import { KoorError } from "../contract/errors.ts";
import { OverBudget, PoolBusy, PoolClosed, openPool } from "../workers/pool.ts";
import type { Answer, Job, Results } from "./engine-job.ts";

/**
 * How long a job may take, in milliseconds: two OpenAPI documents of 6 MB with a field renamed everywhere take 800. Then
 * its worker is killed.
 */
export const contractBudgetMs = 2000;
/** Workers at once: one that is caught in a bad schema leaves another. */
const workers = 2;
/** Contracts and payloads that wait; the next one is told to come back. */
const queueJobs = 256;
/** And how much they hold together, in bytes of contracts: a few documents of the largest size. */
const queueBytes = 64 * 1024 * 1024;
/** How long a worker without work is kept, in milliseconds. */
const idleMs = 60_000;

/** What takes long, or may never end, with contracts: done where it holds nobody up. */
export interface ContractEngine {
  /**
   * @throws KoorError what the job refuses; `over_budget` when it took too long; `rate_limited` when too many wait;
   * `unavailable` when the server is stopping
   */
  run<J extends Job>(job: J): Promise<Results[J["kind"]]>;
  close(): Promise<void>;
}

export function openContractEngine({
  budgetMs = contractBudgetMs,
}: { budgetMs?: number } = {}): ContractEngine {
  const pool = openPool<Job, Answer>({
    // In exactly these words the build finds it, and embeds the worker in the binary.
    start: () => new Worker(new URL("./contract-engine.worker.ts", import.meta.url).href),
    workers,
    budgetMs,
    idleMs,
    queueJobs,
    queueSize: queueBytes,
    sizeOf,
  });
  return {
    async run<J extends Job>(job: J) {
      const answer = await pool.run(job).catch(refuse);
      if (!answer.ok) throw new KoorError(answer.reason, answer.message, answer.details);
      return answer.result as Results[J["kind"]];
    },
    close: () => pool.close(),
  };
}

function sizeOf(job: Job): number {
  if (job.kind !== "compare") return job.bytes?.length ?? 0;
  return job.before.reduce((sum, bytes) => sum + bytes.length, job.after.length);
}

function refuse(error: unknown): never {
  if (error instanceof OverBudget)
    throw new KoorError("over_budget", "the contract took too long to look at, and was stopped", {
      hint: "Nothing was changed. Simplify its patterns and alternatives, or split it.",
    });
  if (error instanceof PoolBusy)
    throw new KoorError("rate_limited", "too many contracts are being looked at", { retryAfter: 1 });
  if (error instanceof PoolClosed)
    throw new KoorError("unavailable", "the server is stopping", { retryAfter: 1 });
  // Of all that a job holds only a payload is more than bytes and names.
  if (error instanceof RangeError)
    throw new KoorError("bad_request", "payload is nested too deep", { path: "payload" });
  throw error;
}
