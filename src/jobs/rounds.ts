import type { Config } from "../config.ts";
import { spareHistoryBytes, spareHistoryMs } from "../core/retention.ts";
import { lookAtBudgets } from "../llm/budgets.ts";
import { type AgentCounts, countsEvery } from "../metrics/agents.ts";
import type { Store } from "../store/store.ts";
import { roundEvery } from "../webhooks/dispatcher.ts";
import type { Job } from "./jobs.ts";

/** How often events are trimmed and silence is looked for, in milliseconds. */
const minute = 60_000;
/** How often contracts are looked at, in milliseconds. */
const checkEvery = 5 * minute;
/** How often signs of life are written, in milliseconds: what a crash may forget. */
const flushEvery = 15_000;
/** How often leases that ended are removed, in milliseconds: when those who follow changes hear of it at the latest. */
const expireEvery = 5_000;

/** How often metrics that are older than they are kept are looked for, in milliseconds. */
const trimMetricsEvery = 60 * minute;

/** Whose work comes round. */
export interface House {
  store: Store;
  config: Config;
  instances: { markStale(): Promise<unknown>; flush(): Promise<void> };
  leases: { expire(): Promise<unknown> };
  agents: AgentCounts;
  dispatcher: { round(): Promise<unknown> };
  compliance: { check(): Promise<unknown> };
}

/** What comes round by itself. */
export function jobsOf({ store, config, instances, leases, compliance, dispatcher, agents }: House): Job[] {
  const { now } = store;
  const retention = { keep: config.historyRetention, spareMs: spareHistoryMs, spareBytes: spareHistoryBytes };
  return [
    { name: "trim events", everyMs: minute, run: () => store.trimEvents(config.eventRetention) },
    { name: "trim history", everyMs: minute, run: () => store.trimHistory(retention, now()) },
    ...(["idempotency", "budget_alerts", "webhook_retries", "webhook_payloads"] as const).map(
      (collection) => ({
        name: `forget ${collection}`,
        everyMs: minute,
        run: () => store.dropExpired(collection, now()),
      }),
    ),
    { name: "webhooks", everyMs: roundEvery, run: dispatcher.round, everywhere: true },
    { name: "liveness", everyMs: minute, run: instances.markStale },
    { name: "compliance", everyMs: checkEvery, run: compliance.check },
    { name: "budgets", everyMs: minute, run: () => lookAtBudgets(store) },
    { name: "expire leases", everyMs: expireEvery, run: leases.expire },
    { name: "agents' metrics", everyMs: countsEvery, run: agents.flush, everywhere: true },
    { name: "trim metrics", everyMs: trimMetricsEvery, run: agents.trim },
    { name: "signs of life", everyMs: flushEvery, run: instances.flush, everywhere: true },
  ];
}
