import { KoorError } from "../contract/errors.ts";
import { OverBudget, PoolBusy, PoolClosed, openPool } from "../workers/pool.ts";
import { type DocumentJob, type DocumentResult, performJob } from "./document-job.ts";

/** Work on stored JSON, which may be 10 MiB of it. Small jobs are done here, the others in workers. */
export interface Documents {
  /**
   * @throws KoorError `bad_request` for what is no JSON, and as the job says; `over_budget`; `rate_limited` when too much
   * waits; `unavailable` when the server stops
   */
  run(job: DocumentJob): Promise<{ text: string; truncated?: boolean; replacesAll?: boolean }>;
  close(): Promise<void>;
}

/** Up to this many bytes of JSON a job is done at once: 0.1 ms as a rule, and 15 ms for the worst patch that was found. */
export const inlineBytes = 8 * 1024;

/**
 * What a job may take, in milliseconds. Of values of 10 MiB a part was picked in 0.1 to 0.2 s, a patch of one operation
 * took 0.1 to 0.35 s and each further one 0.05, two of them were compared in 0.2 to 0.5 s, and in 3.5 where one object has
 * 800,000 members. What takes longer is refused.
 */
export const jobBudgetMs = 5000;

/** Two, so that one long job does not hold up all others. */
const workers = 2;

/** As the rules' workers: 12 ms to start another one. */
const idleMs = 30_000;

/** How many jobs may wait. */
export const queueJobs = 16;

/** How many bytes of JSON may wait: three comparisons of the largest values. */
export const queueBytes = 64 * 1024 * 1024;

export function openDocuments({ budgetMs = jobBudgetMs } = {}): Documents {
  const pool = openPool<DocumentJob, DocumentResult>({
    // In exactly these words the build finds it, and embeds the worker in the binary.
    start: () => new Worker(new URL("./document.worker.ts", import.meta.url).href),
    workers,
    budgetMs,
    idleMs,
    queueJobs,
    queueSize: queueBytes,
    sizeOf,
  });
  return {
    async run(job) {
      const result =
        sizeOf(job) <= inlineBytes
          ? performJob(job)
          : await pool.run(job).catch((error: unknown) => refuse(error, budgetMs));
      if (!result.ok) throw new KoorError(result.reason, result.message, result.details);
      return result;
    },
    close: () => pool.close(),
  };
}

function sizeOf(job: DocumentJob): number {
  switch (job.kind) {
    case "pick":
      return job.document.length;
    case "diff":
      return job.before.length + job.after.length;
    case "patch":
      return job.document.length + job.patch.length;
  }
}

function refuse(error: unknown, budgetMs: number): never {
  if (error instanceof OverBudget) {
    throw new KoorError(
      "over_budget",
      `the work on this value took longer than ${budgetMs} ms and was stopped`,
      {
        hint: "Nothing was changed. Send fewer operations at once, or keep the value in smaller parts under keys of their own.",
      },
    );
  }
  if (error instanceof PoolBusy) {
    throw new KoorError("rate_limited", "too much work on large values is waiting", { retryAfter: 1 });
  }
  if (error instanceof PoolClosed) {
    throw new KoorError("unavailable", "the server is stopping", { retryAfter: 1 });
  }
  throw error;
}
