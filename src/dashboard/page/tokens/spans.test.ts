import { expect, test } from "bun:test";
import { datesOf, nameOf, spans, stepsOf } from "./spans.ts";

const now = new Date(2026, 2, 31, 14, 25).getTime();

test("a span's steps have no gap between them, and now is in the last one", () => {
  for (const span of spans) {
    const steps = stepsOf(span, now);
    for (const [at, step] of steps.entries()) {
      expect(step.from).toBeLessThan(step.to);
      if (at > 0) expect(step.from).toBe(steps[at - 1]!.to);
    }
    const last = steps.at(-1)!;
    expect(last.from <= now && now < last.to).toBe(true);
  }
});

test("a year is twelve months of the calendar, also seen from the last day of a long one", () => {
  expect(stepsOf("year", now).map((step) => nameOf("year", step))).toEqual([
    ...["Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"].map((month) => `${month} 2025`),
    ...["Jan", "Feb", "Mar"].map((month) => `${month} 2026`),
  ]);
});

test("days begin at midnight where the reader is, and a day with a changed clock is one day", () => {
  const steps = stepsOf("month", now);
  expect(steps).toHaveLength(30);
  for (const { from } of steps) expect(new Date(from).getHours()).toBe(0);
});

test("on the day that has an hour twice, now is in the last hour all the same", () => {
  const zone = process.env["TZ"];
  process.env["TZ"] = "Europe/Berlin";
  // 2:30 for the second time.
  const again = Date.parse("2026-10-25T01:30:00Z");
  const last = stepsOf("day", again).at(-1)!;
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
  expect([last.from, last.to]).toEqual([again - 1_800_000, again + 1_800_000]);
});

test("today begins at midnight and ends with this hour", () => {
  const steps = stepsOf("day", now);
  expect(steps).toHaveLength(15);
  expect(steps[0]!.from).toBe(new Date(2026, 2, 31).getTime());
});

test("hours are named as on a clock", () => {
  expect(nameOf("day", stepsOf("day", now).at(-1)!)).toBe("14:00");
});

test("a span says its dates, the last day included", () => {
  expect(datesOf(stepsOf("week", now)).replaceAll(/\s/g, " ")).toBe("Mar 25 – 31, 2026");
  expect(datesOf(stepsOf("day", now))).toBe("Mar 31, 2026");
});
