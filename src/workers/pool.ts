import { FINISHED, type FromWorker, type ToWorker } from "./messages.ts";

/**
 * Work that must not hold up the event loop, in workers that can be killed: they are started when they are needed, killed
 * when a job is over its budget, and ended when idle. Nothing that a job does reaches the event loop of the caller.
 */
export interface Pool<Job, Result> {
  /** @throws OverBudget, PoolBusy, PoolClosed; RangeError for a job that is nested too deep; Error when the job failed */
  run(job: Job): Promise<Result>;
  /** Ends the workers; what runs or waits is refused with PoolClosed. */
  close(): Promise<void>;
}

export interface PoolOptions<Job> {
  /** Starts a worker, a file that calls `serve`. */
  start: () => Worker;
  /** How many run at once. */
  workers: number;
  /** What one job may take once it runs, in milliseconds. */
  budgetMs: number;
  /** How long a worker without work lives, in milliseconds. */
  idleMs: number;
  /** How many jobs may wait. */
  queueJobs: number;
  /** How much may wait, as `sizeOf` counts it, when more than one job waits. */
  queueSize: number;
  sizeOf: (job: Job) => number;
}

/** A job took longer than its budget, and was ended. */
export class OverBudget extends Error {
  override readonly name = "OverBudget";
  /** The step at work, as the worker counts. */
  readonly step: number;

  constructor(step: number, budgetMs: number) {
    super(`the job was still running after ${budgetMs} ms`);
    this.step = step;
  }
}

/** `queueJobs` or `queueSize` are reached; later there will be room. */
export class PoolBusy extends Error {
  override readonly name = "PoolBusy";
}

/** The pool was closed before or during the work. */
export class PoolClosed extends Error {
  override readonly name = "PoolClosed";
}

interface Task<Job, Result> {
  job: Job;
  resolve: (result: Result) => void;
  reject: (error: Error) => void;
}

export function openPool<Job, Result>(options: PoolOptions<Job>): Pool<Job, Result> {
  const { queueJobs, queueSize, sizeOf } = options;
  const lanes = new Set<Lane<Job, Result>>();
  const ending = new Set<Promise<unknown>>();
  const waiting: Task<Job, Result>[] = [];
  let isClosed = false;

  /** Gives what waits to free workers, and starts more while there are fewer than allowed. */
  function distribute(): void {
    for (const lane of lanes)
      while (lane.state() === "free" && waiting.length > 0) lane.run(waiting.shift()!);
    const starting = [...lanes].filter((lane) => lane.state() === "starting").length;
    for (let more = waiting.length - starting; more > 0 && lanes.size < options.workers; more--) {
      const lane = startLane<Job, Result>(options, distribute, (failure) => {
        lanes.delete(lane);
        ending.add(lane.gone);
        void lane.gone.then(() => ending.delete(lane.gone));
        // A worker that does not start takes one task with it, lest it be started for ever.
        if (failure) waiting.shift()?.reject(failure);
        distribute();
      });
      lanes.add(lane);
    }
  }

  return {
    run(job) {
      if (isClosed) return Promise.reject(new PoolClosed("the workers are closed"));
      const size = waiting.reduce((sum, task) => sum + sizeOf(task.job), sizeOf(job));
      if (waiting.length >= queueJobs || (waiting.length > 0 && size > queueSize)) {
        return Promise.reject(new PoolBusy("too many jobs are waiting"));
      }
      const { promise, resolve, reject } = Promise.withResolvers<Result>();
      waiting.push({ job, resolve, reject });
      distribute();
      return promise;
    },

    async close() {
      isClosed = true;
      const closed = new PoolClosed("the workers were closed");
      for (const task of waiting.splice(0)) task.reject(closed);
      for (const lane of lanes) lane.end(closed);
      await Promise.all(ending);
    },
  };
}

/** One worker. */
interface Lane<Job, Result> {
  state(): "starting" | "free" | "busy" | "ended";
  /** Only when it is free. */
  run(task: Task<Job, Result>): void;
  /** Kills the worker; its task is refused with the error. */
  end(error: Error): void;
  /** Resolves when the worker is gone. */
  gone: Promise<unknown>;
}

/**
 * @param onFree called when the worker has nothing to do
 * @param onEnd called once, when it has been ended for whatever cause; with the error when it never became ready
 */
function startLane<Job, Result>(
  { start, budgetMs, idleMs }: PoolOptions<Job>,
  onFree: () => void,
  onEnd: (failure?: Error) => void,
): Lane<Job, Result> {
  const worker = start();
  const gone = new Promise((resolve) => worker.addEventListener("close", resolve));
  const progress = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  let state: ReturnType<Lane<Job, Result>["state"]> = "starting";
  let task: Task<Job, Result> | undefined;
  /** Ends a task that is over its budget, or a worker that has had none for long. */
  let timer: ReturnType<typeof setTimeout> | undefined;

  worker.onmessage = ({ data }: MessageEvent<FromWorker<Result>>) => {
    if (state === "ended") return;
    clearTimeout(timer);
    timer = setTimeout(() => end(new Error("the worker was idle")), idleMs);
    state = "free";
    const done = task;
    task = undefined;
    if (data !== "ready") {
      if (data.ok) done?.resolve(data.result);
      else done?.reject(new Error(`the worker failed: ${data.message}`));
    }
    onFree();
  };
  worker.onerror = (event) => end(new Error(`the worker failed: ${event.message}`));
  void gone.then(() => end(new Error("the worker ended by itself")));

  function run(next: Task<Job, Result>): void {
    Atomics.store(progress, 0, 0);
    try {
      worker.postMessage({ job: next.job, progress } satisfies ToWorker<Job>);
    } catch (error) {
      // What is nested some 50,000 levels deep cannot be sent. The worker knows nothing of it, and stays free.
      next.reject(error as Error);
      return;
    }
    clearTimeout(timer);
    state = "busy";
    task = next;
    timer = setTimeout(() => {
      const step = Atomics.load(progress, 0);
      // With the reply on its way it was this thread that was late.
      if (step !== FINISHED) end(new OverBudget(step, budgetMs));
    }, budgetMs);
  }

  function end(error: Error): void {
    if (state === "ended") return;
    const failure = state === "starting" ? error : undefined;
    state = "ended";
    clearTimeout(timer);
    worker.terminate();
    task?.reject(error);
    onEnd(failure);
  }

  return { state: () => state, run, end, gone };
}
