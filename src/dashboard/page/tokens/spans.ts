/** Spans of time that usage is looked at in, cut into equal steps of the reader's own calendar. Pure. */

export const spans = ["day", "week", "month", "year"] as const;
export type Span = (typeof spans)[number];

export const spanTitles: Readonly<Record<Span, string>> = {
  day: "Today",
  week: "7 days",
  month: "30 days",
  year: "12 months",
};

/** A step; its end is exclusive. Milliseconds since 1970. */
export interface Step {
  from: number;
  to: number;
}

/** How many steps a span has, and where the step begins that is so many before the one of a date. */
const cuts: Readonly<
  Record<Span, { count: (date: Date) => number; begin: (date: Date, before: number) => Date }>
> = {
  day: {
    // An hour is an hour, also on the day that has one of them twice.
    count: (date) => 1 + Math.round((beginOfHour(date).getTime() - beginOfDay(date).getTime()) / 3_600_000),
    begin: (date, before) => new Date(beginOfHour(date).getTime() - before * 3_600_000),
  },
  week: { count: () => 7, begin: beginOfDay },
  month: { count: () => 30, begin: beginOfDay },
  year: {
    count: () => 12,
    begin: (date, before) => new Date(date.getFullYear(), date.getMonth() - before, 1),
  },
};

function beginOfDay(date: Date, before = 0): Date {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() - before);
}

/**
 * By the minutes on the clock, since there are zones that are off by half an hour. Subtracted, since a clock that is set
 * back has this hour twice, and setting its minutes leads to the first of the two.
 */
function beginOfHour(date: Date): Date {
  return new Date(
    date.getTime() - (date.getMinutes() * 60 + date.getSeconds()) * 1000 - date.getMilliseconds(),
  );
}

/** The steps of the span that ends with the one that `now` is in, oldest first. */
export function stepsOf(span: Span, now: number): Step[] {
  const { count: countOf, begin } = cuts[span];
  const count = countOf(new Date(now));
  const at = (before: number) => begin(new Date(now), before).getTime();
  return Array.from({ length: count }, (_, index) => {
    const before = count - 1 - index;
    return { from: at(before), to: at(before - 1) };
  });
}

const dayAndMonth = new Intl.DateTimeFormat("en", { month: "short", day: "numeric" });
const weekday = new Intl.DateTimeFormat("en", { weekday: "short", month: "short", day: "numeric" });
const monthName = new Intl.DateTimeFormat("en", { month: "short", year: "numeric" });
const hour = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** A step as the chart's axis names it. */
export function nameOf(span: Span, { from }: Step): string {
  const format = { day: hour, week: weekday, month: dayAndMonth, year: monthName }[span];
  return format.format(from);
}

const date = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", year: "numeric" });

/** From which day to which the steps are, both included: `Nov 23 – 29, 2026`. */
export function datesOf(steps: readonly Step[]): string {
  const [first, last] = [steps[0], steps.at(-1)];
  return first && last ? date.formatRange(first.from, last.to - 1) : "";
}
