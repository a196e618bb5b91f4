import {
  type MetricRow,
  type UsageRow,
  type UsageTotals,
  addTo,
  groupOf,
  totalsOf,
} from "../../core/usage.ts";
import { compareKeys } from "../key-range.ts";
import type { MetricQuery, UsageQuery, UsageTotalsQuery } from "../store.ts";

/** What was used and done, as plain collections. */
export class MemoryUsage {
  rows: UsageRow[] = [];
  /** By instance, hour and name. */
  readonly metrics = new Map<string, MetricRow>();

  addMetrics(rows: readonly MetricRow[]): void {
    for (const row of rows) {
      const key = JSON.stringify([row.instanceId, row.period, row.name]);
      this.metrics.set(key, { ...row, value: row.value + (this.metrics.get(key)?.value ?? 0) });
    }
  }

  find({ limit, from = -Infinity, to = Infinity, ...filters }: UsageQuery): UsageRow[] {
    const names = ["sessionTag", "project", "instanceId"] as const;
    return this.rows
      .filter((row) => row.at >= from && row.at <= to)
      .filter((row) => names.every((name) => filters[name] === undefined || filters[name] === row[name]))
      .sort((a, b) => b.at - a.at || b.id - a.id)
      .slice(0, limit);
  }

  totals({ by, from = -Infinity, to = Infinity, name }: UsageTotalsQuery): Map<string, UsageTotals> {
    const totals = new Map<string, UsageTotals>();
    for (const row of this.rows) {
      const group = groupOf(row, by);
      if (row.at < from || row.at > to || (name !== undefined && name !== group)) continue;
      addTo(totals, group, totalsOf(row));
    }
    return totals;
  }

  sortedMetrics(): MetricRow[] {
    return [...this.metrics.values()].sort(
      (a, b) =>
        compareKeys(a.instanceId, b.instanceId) ||
        compareKeys(a.period, b.period) ||
        compareKeys(a.name, b.name),
    );
  }

  findMetrics({ instanceId, period }: MetricQuery): MetricRow[] {
    return this.sortedMetrics().filter(
      (row) => row.instanceId === instanceId && row.period.startsWith(period),
    );
  }

  metricTotals(period: string): Omit<MetricRow, "period">[] {
    const rows = this.sortedMetrics().filter((row) => row.period.startsWith(period));
    const groups = [
      ...Map.groupBy(rows, ({ instanceId, name }) => JSON.stringify([instanceId, name])).values(),
    ];
    return groups
      .map((group) => {
        const { instanceId, name } = group[0] as MetricRow;
        return { instanceId, name, value: group.reduce((sum, { value }) => sum + value, 0) };
      })
      .sort((a, b) => compareKeys(a.instanceId, b.instanceId) || compareKeys(a.name, b.name));
  }

  trimMetrics(before: string): number {
    const old = [...this.metrics].filter(([, { period }]) => period < before);
    for (const [key] of old) this.metrics.delete(key);
    return old.length;
  }
}
