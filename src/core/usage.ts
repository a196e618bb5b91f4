/** What calls of language models used, and what agents did: numbers that are added up. Pure. */

/** What one call of a model used. */
export interface UsageRecord {
  /** When it was made, in milliseconds since 1970. */
  at: number;
  provider: string;
  model: string;
  /** All tokens that went in, those of the cache among them, and all that came out. */
  tokensIn: number;
  tokensOut: number;
  /** Of those that went in: read from the provider's cache, and written to it. */
  cacheRead: number;
  cacheWrite: number;
  /** Micro-dollars: a millionth of a US dollar. Whole, so that sums are exact. */
  cost: number;
  costSource: CostSource;
  /** Empty where nobody said. */
  instanceId: string;
  project: string;
  sessionTag: string;
  requestType: string;
}

/** Where the cost comes from: the caller, the server's table of prices, or nowhere, and then it is 0. */
export const costSources = ["given", "prices", "none"] as const;
export type CostSource = (typeof costSources)[number];

export interface UsageRow extends UsageRecord {
  /** Position in the log of usage: gap-free, in commit order. */
  id: number;
}

/** What usage is summed by. */
export const usageGroupings = ["instance", "project", "model", "session_tag", "day"] as const;
export type UsageGrouping = (typeof usageGroupings)[number];

export interface UsageTotals {
  requests: number;
  tokensIn: number;
  tokensOut: number;
  /** Micro-dollars. */
  cost: number;
}

/** What a day's usage comes to under one name: kept beside the rows, so that a sum never reads a million of them. */
export interface UsageDay extends UsageTotals {
  grouping: UsageGrouping;
  /** Empty where the grouping is the day itself. */
  name: string;
  /** Days since 1970, UTC. */
  day: number;
}

/** A day, in milliseconds: as long as what is used is summed beside its rows. */
export const dayMs = 24 * 60 * 60 * 1000;

/** A row's name in a grouping; a day as `2026-11-24`. */
export function groupOf(row: UsageRecord, grouping: UsageGrouping): string {
  switch (grouping) {
    case "instance":
      return row.instanceId;
    case "project":
      return row.project;
    case "model":
      return row.model;
    case "session_tag":
      return row.sessionTag;
    case "day":
      return nameOfDay(Math.floor(row.at / dayMs));
  }
}

export function nameOfDay(day: number): string {
  return new Date(day * dayMs).toISOString().slice(0, 10);
}

/** What rows add to the days' sums: one entry for each grouping, name and day. */
export function sumDays(rows: readonly UsageRow[]): UsageDay[] {
  const days = new Map<string, UsageDay>();
  for (const row of rows) {
    const day = Math.floor(row.at / dayMs);
    for (const grouping of usageGroupings) {
      const name = grouping === "day" ? "" : groupOf(row, grouping);
      const key = JSON.stringify([grouping, name, day]);
      const sum = days.get(key) ?? { grouping, name, day, ...noUsage };
      days.set(key, { ...sum, ...addTotals(sum, totalsOf(row)) });
    }
  }
  return [...days.values()];
}

export const noUsage: UsageTotals = { requests: 0, tokensIn: 0, tokensOut: 0, cost: 0 };

export function totalsOf({ tokensIn, tokensOut, cost }: UsageRecord): UsageTotals {
  return { requests: 1, tokensIn, tokensOut, cost };
}

export function addTotals(a: UsageTotals, b: UsageTotals): UsageTotals {
  return {
    requests: a.requests + b.requests,
    tokensIn: a.tokensIn + b.tokensIn,
    tokensOut: a.tokensOut + b.tokensOut,
    cost: a.cost + b.cost,
  };
}

/** Adds to a name's totals. */
export function addTo(totals: Map<string, UsageTotals>, name: string, more: UsageTotals): void {
  totals.set(name, addTotals(totals.get(name) ?? noUsage, more));
}

/**
 * A span of time as whole days, whose sums are kept, and what is left at its ends. Each end is exclusive at `to`.
 *
 * @param from milliseconds, inclusive
 * @param to milliseconds, inclusive
 */
export function splitDays(
  from: number,
  to: number,
): { days: { from: number; to: number } | undefined; rest: { from: number; to: number }[] } {
  const first = Math.ceil(from / dayMs);
  const last = Math.floor((to + 1) / dayMs);
  if (first >= last) return { days: undefined, rest: from <= to ? [{ from, to: to + 1 }] : [] };
  const rest = [
    { from, to: first * dayMs },
    { from: last * dayMs, to: to + 1 },
  ].filter((part) => part.from < part.to);
  return { days: { from: first, to: last }, rest };
}

/** What an agent did in an hour, of one kind. */
export interface MetricRow {
  instanceId: string;
  /** The hour, UTC: `2026-11-24T09`. */
  period: string;
  name: string;
  value: number;
}

/** The hour that a time is in. @param at milliseconds since 1970 */
export function hourOf(at: number): string {
  return new Date(at).toISOString().slice(0, 13);
}
