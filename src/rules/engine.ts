import { OverBudget, PoolBusy, PoolClosed, openPool } from "../workers/pool.ts";
import type { EngineRule, Fault, Job, Verdict } from "./engine-job.ts";

export type { EngineRule, Fault, Verdict, Violation } from "./engine-job.ts";
/** `QUEUE_JOBS` or `QUEUE_CHARACTERS` are reached; and: the engine was closed before or during the work. */
export { PoolBusy as RuleEngineBusy, PoolClosed as RuleEngineClosed };

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

/** Runs rules in workers, so that nothing that a rule or a content does reaches the event loop of the caller. */
export function openRuleEngine(options: RuleEngineOptions = {}): RuleEngine {
  const { budgetMs = BUDGET_MS, idleMs = IDLE_MS, queueJobs = QUEUE_JOBS } = options;
  const pool = openPool<Job, Verdict | Fault | null>({
    // In exactly these words the build finds it, and embeds the worker in the binary.
    start: () => new Worker(new URL("./engine.worker.ts", import.meta.url).href),
    workers: WORKERS,
    budgetMs,
    idleMs,
    queueJobs,
    queueSize: QUEUE_CHARACTERS,
    sizeOf: contentLength,
  });

  async function submit(job: Job): Promise<Verdict | Fault | null> {
    try {
      return await pool.run(job);
    } catch (error) {
      if (!(error instanceof OverBudget)) throw error;
      throw new BudgetExceeded(job.rules[error.step]?.rule_id ?? "", budgetMs);
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

    close: () => pool.close(),
  };
}

function contentLength(job: Job): number {
  return job.kind === "validate" ? job.content.length : 0;
}

/** Only what the worker needs: a stored rule has more to it, and all would be copied. */
function pick(rule: EngineRule): EngineRule {
  const { rule_id, severity, match_type, pattern, message, applies_to, proposed } = withMessage(rule);
  return { rule_id, severity, match_type, pattern, message, applies_to, ...(proposed && { proposed }) };
}
