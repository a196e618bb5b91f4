import {
  type EngineRule,
  FINISHED,
  type Fault,
  type FromWorker,
  type Job,
  type ToWorker,
  type Verdict,
} from "./engine-job.ts";

export type { EngineRule, Fault, Verdict, Violation } from "./engine-job.ts";

export interface RuleEngine {
  /**
   * Runs rules against content (any text; 10 MiB is what the wire lets through). Without a `filename` no `applies_to` is asked.
   * @throws BudgetExceeded, RuleEngineBusy, RuleEngineClosed
   */
  validate(input: { rules: readonly EngineRule[]; content: string; filename?: string }): Promise<Verdict>;
  /**
   * The first rule that could not be run, and why; `null` when all could. To be asked before rules are stored.
   * @throws BudgetExceeded, RuleEngineBusy, RuleEngineClosed
   */
  check(rules: readonly EngineRule[]): Promise<Fault | null>;
  /** Ends the workers; what runs or waits is refused with RuleEngineClosed. */
  close(): Promise<void>;
}

export interface RuleEngineOptions {
  /** Milliseconds, as `BUDGET_MS`. */
  budgetMs?: number;
  /** Milliseconds, as `IDLE_MS`. */
  idleMs?: number;
  /** As `QUEUE_JOBS`. */
  queueJobs?: number;
}

/** What one validation or check may take once it runs, in milliseconds. Linear time is not enough: `[ab]{0,1000}[bc]` takes 36 s on 1 MB. */
export const BUDGET_MS = 2000;

/**
 * How long a worker without work lives, in milliseconds. One that has worked holds some 30 MiB (measured on source code of
 * 260 KB and 7 rules; 10 of them go back to the system), and another starts in 12 ms.
 */
export const IDLE_MS = 30_000;

/**
 * How many run at once; the second worker starts when the first is busy. With one, a hostile validation would
 * hold up every other for its whole budget. Measured on 2 cores, with the client on them too: the p99 of other requests is
 * 0.3 ms beside none that is hostile, 0.5 beside one, 4 beside two and beside six.
 */
export const WORKERS = 2;

/** How many may wait: at worst, all of them hostile, the last one waits for half as many budgets. */
export const QUEUE_JOBS = 32;

/** How much content may wait, in UTF-16 units, when more than one waits: three of the largest. It is all in memory. */
export const QUEUE_CHARACTERS = 32 * 1024 * 1024;

/** A rule took more than its validation had left of the budget, and was ended. */
export class BudgetExceeded extends Error {
  override readonly name = "BudgetExceeded";
  /** The rule that was running. */
  readonly rule_id: string;

  constructor(rule_id: string, budgetMs: number) {
    super(`rule ${rule_id} was still running after ${budgetMs} ms`);
    this.rule_id = rule_id;
  }
}

/** `QUEUE_JOBS` or `QUEUE_CHARACTERS` are reached; later there will be room. */
export class RuleEngineBusy extends Error {
  override readonly name = "RuleEngineBusy";
}

/** The engine was closed before or during the work. */
export class RuleEngineClosed extends Error {
  override readonly name = "RuleEngineClosed";
}

/** The rule with a message: its own, or one that contains its pattern. */
export function withMessage<R extends Pick<EngineRule, "match_type" | "pattern" | "message">>(rule: R): R {
  if (rule.message) return rule;
  const { match_type, pattern } = rule;
  return {
    ...rule,
    message:
      match_type === "missing" ? `required pattern '${pattern}' not found` : `pattern '${pattern}' matched`,
  };
}

interface Task {
  job: Job;
  resolve: (result: Verdict | Fault | null) => void;
  reject: (error: Error) => void;
}

/**
 * Runs rules in workers, which are started when they are needed, killed when a rule is over its budget, and ended when idle.
 * Nothing that a rule or a content does reaches the event loop of the caller.
 */
export function openRuleEngine(options: RuleEngineOptions = {}): RuleEngine {
  const { budgetMs = BUDGET_MS, idleMs = IDLE_MS, queueJobs = QUEUE_JOBS } = options;
  const lanes = new Set<Lane>();
  const ending = new Set<Promise<unknown>>();
  const waiting: Task[] = [];
  let isClosed = false;

  function submit(job: Job): Promise<Verdict | Fault | null> {
    if (isClosed) return Promise.reject(new RuleEngineClosed("the rule engine is closed"));
    const characters = waiting.reduce((sum, task) => sum + contentLength(task.job), contentLength(job));
    if (waiting.length >= queueJobs || (waiting.length > 0 && characters > QUEUE_CHARACTERS)) {
      return Promise.reject(new RuleEngineBusy("too many validations are waiting"));
    }
    const { promise, resolve, reject } = Promise.withResolvers<Verdict | Fault | null>();
    waiting.push({ job, resolve, reject });
    distribute();
    return promise;
  }

  /** Gives what waits to free workers, and starts more while there are fewer than `WORKERS`. */
  function distribute(): void {
    for (const lane of lanes) if (lane.state() === "free" && waiting.length > 0) lane.run(waiting.shift()!);
    const starting = [...lanes].filter((lane) => lane.state() === "starting").length;
    for (let more = waiting.length - starting; more > 0 && lanes.size < WORKERS; more--) {
      const lane = startLane(budgetMs, idleMs, distribute, (failure) => {
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
    async validate({ rules, content, filename }) {
      if (rules.length === 0) return { violations: [], truncated: false };
      return (await submit({ kind: "validate", rules: rules.map(pick), content, filename })) as Verdict;
    },

    async check(rules) {
      if (rules.length === 0) return null;
      return (await submit({ kind: "check", rules: rules.map(pick) })) as Fault | null;
    },

    async close() {
      isClosed = true;
      const closed = new RuleEngineClosed("the rule engine was closed");
      for (const task of waiting.splice(0)) task.reject(closed);
      for (const lane of lanes) lane.end(closed);
      await Promise.all(ending);
    },
  };
}

/** One worker. */
interface Lane {
  state(): "starting" | "free" | "busy" | "ended";
  /** Only when it is free. */
  run(task: Task): void;
  /** Kills the worker; its task is refused with the error. */
  end(error: Error): void;
  /** Resolves when the worker is gone. */
  gone: Promise<unknown>;
}

/**
 * @param onFree called when the worker has nothing to do
 * @param onEnd called once, when it has been ended for whatever cause; with the error when it never became ready
 */
function startLane(
  budgetMs: number,
  idleMs: number,
  onFree: () => void,
  onEnd: (failure?: Error) => void,
): Lane {
  // In exactly these words the build finds it, and embeds the worker in the binary.
  const worker = new Worker(new URL("./engine.worker.ts", import.meta.url).href);
  const gone = new Promise((resolve) => worker.addEventListener("close", resolve));
  const progress = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  let state: ReturnType<Lane["state"]> = "starting";
  let task: Task | undefined;
  /** Ends a task that is over its budget, or a worker that has had none for long. */
  let timer: ReturnType<typeof setTimeout> | undefined;

  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (state === "ended") return;
    clearTimeout(timer);
    timer = setTimeout(() => end(new Error("the rule worker was idle")), idleMs);
    state = "free";
    const done = task;
    task = undefined;
    if (data !== "ready") {
      if (data.ok) done?.resolve(data.result);
      else done?.reject(new Error(`the rule worker failed: ${data.message}`));
    }
    onFree();
  };
  worker.onerror = (event) => end(new Error(`the rule worker failed: ${event.message}`));
  void gone.then(() => end(new Error("the rule worker ended by itself")));

  function run(next: Task): void {
    clearTimeout(timer);
    state = "busy";
    task = next;
    Atomics.store(progress, 0, 0);
    worker.postMessage({ job: next.job, progress } satisfies ToWorker);
    timer = setTimeout(() => {
      const index = Atomics.load(progress, 0);
      // With the reply on its way it was this thread that was late.
      if (index !== FINISHED) end(new BudgetExceeded(next.job.rules[index]?.rule_id ?? "", budgetMs));
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

function contentLength(job: Job): number {
  return job.kind === "validate" ? job.content.length : 0;
}

/** Only what the worker needs: a stored rule has more to it, and all would be copied. */
function pick(rule: EngineRule): EngineRule {
  const { rule_id, severity, match_type, pattern, message, applies_to } = withMessage(rule);
  return { rule_id, severity, match_type, pattern, message, applies_to };
}
