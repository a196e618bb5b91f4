import { getLogger } from "@logtape/logtape";

/** Work that comes round by itself. Each run begins a period after the one before ended, so runs never overlap. */
export interface Job {
  name: string;
  /** Milliseconds between runs. */
  everyMs: number;
  run: () => Promise<unknown>;
  /** Every server does it for itself. All other jobs are done by one server of those on a store at a time. */
  everywhere?: boolean;
}

/** Whether it is this server's turn at a job. */
export type TakeTurn = (job: string, everyMs: number) => Promise<boolean>;

const log = getLogger(["koor", "jobs"]);

/** Starts the jobs, each a period from now. `stop` waits for those that are running. */
export function startJobs(jobs: readonly Job[], takeTurn: TakeTurn): { stop: () => Promise<void> } {
  let stopped = false;
  const runInTurn = async (job: Job) => {
    if (job.everywhere || (await takeTurn(job.name, job.everyMs))) await job.run();
  };
  const stops = jobs.map((job) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let running: Promise<unknown> = Promise.resolve();
    const schedule = () => {
      timer = setTimeout(() => {
        running = runInTurn(job)
          .catch((error: unknown) => log.error("job {job} failed: {error}", { job: job.name, error }))
          .finally(() => {
            if (!stopped) schedule();
          });
      }, job.everyMs);
      timer.unref();
    };
    schedule();
    return async () => {
      clearTimeout(timer);
      await running;
    };
  });
  return {
    async stop() {
      stopped = true;
      await Promise.all(stops.map((stop) => stop()));
    },
  };
}
