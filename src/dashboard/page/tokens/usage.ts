import type { UsageSums, UsageTotals } from "../server.ts";
import type { Span, Step } from "./spans.ts";

/** What was used, from the sums of the steps to what is drawn. Pure. */

export const groupings = ["instance", "project", "model"] as const;
export type Grouping = (typeof groupings)[number];

export type Summary = Pick<UsageSums, "groups" | "total">;

/** Sums of each step, and of all of them. */
export interface Usage {
  span: Span;
  steps: readonly Step[];
  /** One a step. */
  sums: readonly Summary[];
  whole: Summary;
}

/** The sum of the steps: they are the whole span, without a gap. Costs are kept in millionths of a dollar. */
export function wholeOf(sums: readonly Summary[]): Summary {
  const groups = new Map<string, UsageTotals[]>();
  for (const sum of sums)
    for (const [name, totals] of Object.entries(sum.groups))
      groups.set(name, [...(groups.get(name) ?? []), totals]);
  return {
    groups: Object.fromEntries([...groups].map(([name, all]) => [name, sumOf(all)])),
    total: sumOf(sums.map(({ total }) => total)),
  };
}

function sumOf(all: readonly UsageTotals[]): UsageTotals {
  const sum = (of: (totals: UsageTotals) => number) => all.reduce((before, totals) => before + of(totals), 0);
  return {
    total_tokens_in: sum((totals) => totals.total_tokens_in),
    total_tokens_out: sum((totals) => totals.total_tokens_out),
    total_cost_usd: Math.round(sum((totals) => totals.total_cost_usd) * 1e6) / 1e6,
    request_count: sum((totals) => totals.request_count),
  };
}

/** What is counted. */
export const measures = ["cost", "tokens"] as const;
export type Measure = (typeof measures)[number];

export function measured(measure: Measure, totals: UsageTotals | undefined): number {
  if (!totals) return 0;
  return measure === "cost" ? totals.total_cost_usd : tokensOf(totals);
}

export function tokensOf({ total_tokens_in, total_tokens_out }: UsageTotals): number {
  return total_tokens_in + total_tokens_out;
}

/** One colour of the chart. */
export interface Series {
  /** undefined: all others together. */
  name: string | undefined;
  /** One a step. */
  values: readonly number[];
}

/** Names with a colour of their own; what the others used is one more. More colours nobody tells apart. */
export const maxSeries = 10;

/** The greatest first, the others last. */
export function seriesOf({ sums, whole }: Usage, measure: Measure): Series[] {
  const names = namesOf(whole, measure).slice(0, maxSeries);
  const series: Series[] = names.map((name) => ({
    name,
    values: sums.map(({ groups }) => measured(measure, ownOf(groups, name))),
  }));
  const others = sums.map(({ total }, step) =>
    series.reduce((rest, { values }) => rest - (values[step] ?? 0), measured(measure, total)),
  );
  // Sums of dollars are no whole numbers: a rest of a millionth is none.
  if (others.some((value) => value > 1e-6)) series.push({ name: undefined, values: others });
  return series;
}

/** Everything that was used by somebody, the greatest first. */
export function namesOf({ groups }: Summary, measure: Measure): string[] {
  return Object.keys(groups).sort(
    (a, b) => measured(measure, ownOf(groups, b)) - measured(measure, ownOf(groups, a)),
  );
}

/** A name may be `__proto__`. */
export function ownOf(groups: Summary["groups"], name: string): UsageTotals | undefined {
  return Object.hasOwn(groups, name) ? groups[name] : undefined;
}

/**
 * Colours by name: a name keeps the one that it had before, whatever its place now is, unless another one has it meanwhile.
 *
 * @param known remembers them
 * @returns one a name, from 0 to `maxSeries - 1`
 */
export function coloursOf(names: readonly string[], known: Map<string, number>): number[] {
  const taken = new Set<number>();
  const kept = names.map((name) => {
    const colour = known.get(name);
    if (colour === undefined || taken.has(colour)) return undefined;
    taken.add(colour);
    return colour;
  });
  const free = Array.from({ length: maxSeries }, (_, at) => at).filter((colour) => !taken.has(colour));
  return names.map((name, at) => {
    const colour = kept[at] ?? free.shift() ?? maxSeries;
    known.set(name, colour);
    return colour;
  });
}

/** Series one on the other, as they are drawn: the highest first, so that each covers the foot of the one before. */
export function stacked(series: readonly Series[]): number[][] {
  const sums: number[][] = [];
  for (const { values } of series) {
    const below = sums.at(-1);
    sums.push(values.map((value, step) => value + (below?.[step] ?? 0)));
  }
  return sums.reverse();
}
