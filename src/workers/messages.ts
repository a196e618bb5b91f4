/** What passes between a pool and its workers. */

/** `progress` is one word of shared memory: the step at work, or `FINISHED`. */
export interface ToWorker<Job> {
  job: Job;
  progress: Int32Array;
}

/** What a worker sends, `ready` once and first. */
export type FromWorker<Result> = "ready" | { ok: true; result: Result } | { ok: false; message: string };

/** The reply is on its way. */
export const FINISHED = -1;
