import { createHash } from "node:crypto";
import { decodeJson } from "../core/json-bytes.ts";
import { dayMs } from "../core/usage.ts";
import { ownNames } from "../core/own-names.ts";
import type { Store } from "../store/store.ts";

/** What a project may spend in each period. */
export interface Budget {
  /** Micro-dollars. */
  cost: number;
  per: "day" | "month";
}

/** When a budget warns, and when it is used up, as parts of it. */
const levels = [
  { topic: "budget.warning", isReached: (spent: number, cost: number) => spent * 10 >= cost * 8 },
  { topic: "budget.exceeded", isReached: (spent: number, cost: number) => spent > cost },
] as const;

/**
 * For how long after its end a period is still spoken of, in milliseconds, and what was said of it remembered: calls are
 * imported later than they were made. Not for ever, since years of history would be an event for each of their days.
 */
const spokenOfMs = 31 * dayMs;

/** The period that a time is in, its name, and its ends in milliseconds, both inclusive. */
export function periodOf(per: Budget["per"], at: number): { name: string; from: number; to: number } {
  const date = new Date(at);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  if (per === "day") {
    const from = Date.UTC(year, month, day);
    return { name: date.toISOString().slice(0, 10), from, to: from + dayMs - 1 };
  }
  return {
    name: date.toISOString().slice(0, 7),
    from: Date.UTC(year, month, 1),
    to: Date.UTC(year, month + 1, 1) - 1,
  };
}

/** What a project has spent in the period that a time is in, by default in this one, in micro-dollars. */
export async function spentOf(store: Store, project: string, per: Budget["per"], at = store.now()) {
  const { name, from, to } = periodOf(per, at);
  const totals = await store.usageTotals({ by: "project", name: project, from, to });
  return { period: name, spent: totals.get(project)?.cost ?? 0 };
}

export async function budgetOf(store: Store, project: string): Promise<Budget | undefined> {
  const record = await store.get("budgets", project);
  return record && decodeBudget(record.value);
}

export function decodeBudget(value: Uint8Array): Budget {
  return decodeJson<Budget>(value);
}

/** Micro-dollars as dollars. */
export const dollars = (cost: number) => cost / 1_000_000;

/**
 * Publishes what is to be said of a project's budget. Each thing is said once in a period, whoever looks and however many
 * servers look at once: that it was said is written in the event's own commit. Another sum is another budget.
 *
 * @param times each in a period to be looked at
 */
export async function lookAtBudget(store: Store, project: string, times = [store.now()]): Promise<void> {
  const budget = await budgetOf(store, project);
  if (!budget) return;
  const periods = new Map(times.map((at) => [periodOf(budget.per, at).name, at]));
  for (const at of periods.values()) await lookAtPeriod(store, project, budget, at);
}

async function lookAtPeriod(store: Store, project: string, { cost, per }: Budget, at: number): Promise<void> {
  const left = periodOf(per, at).to + spokenOfMs - store.now();
  if (left <= 0) return;
  const { period, spent } = await spentOf(store, project, per, at);
  for (const { topic, isReached } of levels) {
    if (!isReached(spent, cost)) continue;
    const said = JSON.stringify([project, per, period, cost, topic]);
    const key = createHash("sha256").update(said).digest("hex");
    if (await store.head("budget_alerts", key)) continue;
    const data = { project, usd: dollars(cost), per, period, spent_usd: dollars(spent) };
    await store.commit({
      by: ownNames.costs,
      ops: [
        {
          kind: "put",
          collection: "budget_alerts",
          key,
          value: new Uint8Array(),
          contentType: "application/json",
          guard: { version: 0 },
          ttlMs: left,
        },
        { kind: "append", topic, data: JSON.stringify(data), source: ownNames.costs },
      ],
    });
  }
}

/** Looks at every budget: what was not said because a server ended in between is said now. */
export async function lookAtBudgets(store: Store): Promise<void> {
  for (const { key } of await store.list("budgets")) await lookAtBudget(store, key);
}
