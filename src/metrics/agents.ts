import type { KoorError } from "../contract/errors.ts";
import { reasons } from "../contract/errors.ts";
import { type MetricRow, dayMs, hourOf } from "../core/usage.ts";
import type { Store } from "../store/store.ts";

/** What is counted of each instance, in each hour. */
export const metricNames = ["calls", "bytes", "mcp_calls", "violations", "conflicts", "errors"] as const;
export type MetricName = (typeof metricNames)[number];

/** How often the counts are written, in milliseconds: what a crash may forget. */
export const countsEvery = 5_000;

/** How long counts are kept, in milliseconds: a quarter of a year, some thirteen thousand rows of an instance that never rests. */
const keptMs = 90 * dayMs;

/** Instances and hours that are counted in memory at once: all that can be registered, across the turn of an hour. */
const countedAtOnce = 20_000;

/** Counts what agents do. In memory: no request waits for it, and a crash forgets what was not written yet. */
export interface AgentCounts {
  count(instanceId: string, what: Partial<Record<MetricName, number>>): void;
  /** Counts a refusal; the call itself is counted by the way on which it came. */
  refused(instanceId: string, error: KoorError): void;
  /** Writes what was counted since the last time. */
  flush(): Promise<void>;
  /** Removes what is older than it is kept. */
  trim(): Promise<number>;
}

export function countAgents(store: Store): AgentCounts {
  let counted = new Map<string, MetricRow[]>();

  function add(instanceId: string, period: string, name: string, value: number): void {
    const key = `${period} ${instanceId}`;
    const rows = counted.get(key) ?? [];
    if (rows.length === 0) {
      if (counted.size >= countedAtOnce) return;
      counted.set(key, rows);
    }
    const row = rows.find((one) => one.name === name);
    if (row) row.value += value;
    else rows.push({ instanceId, period, name, value });
  }

  function count(instanceId: string, what: Partial<Record<MetricName, number>>): void {
    const period = hourOf(store.now());
    for (const [name, value] of Object.entries(what)) if (value > 0) add(instanceId, period, name, value);
  }

  return {
    count,
    refused(instanceId, { reason }) {
      const isConflict = reasons[reason].exit === 4;
      count(instanceId, { [isConflict ? "conflicts" : "errors"]: 1 });
    },
    async flush() {
      const rows = [...counted.values()].flat();
      if (rows.length === 0) return;
      counted = new Map();
      try {
        await store.addMetrics(rows);
      } catch (error) {
        // They are written with the next ones.
        for (const { instanceId, period, name, value } of rows) add(instanceId, period, name, value);
        throw error;
      }
    },
    trim: () => store.trimMetrics(hourOf(store.now() - keptMs)),
  };
}
