import { expect, test } from "bun:test";
import { nextAttempt, retryDelays } from "./backoff.ts";

const hour = 3_600_000;

test("the first retry comes after 5 s, the others over hours, and then no more", () => {
  let at = 0;
  let attempts = 1;
  const times: number[] = [];
  for (
    let next = nextAttempt(attempts, at, 0, undefined);
    next;
    next = nextAttempt(attempts, at, 0, undefined)
  ) {
    times.push(next - at);
    at = next;
    attempts += 1;
  }
  expect(times).toEqual([...retryDelays]);
  expect(times[0]).toBe(5000);
  expect(at).toBeGreaterThan(12 * hour);
  expect(at).toBeLessThan(24 * hour);
});

test("chance adds up to a fifth", () => {
  expect(nextAttempt(1, 0, 1, undefined)).toBe(6000);
  expect(nextAttempt(1, 0, 0.5, undefined)).toBe(5500);
});

test.each([
  ["120", 120_000],
  ["0", 5000],
  ["1", 5000],
  ["999999999", 24 * hour],
  ["99999999999999", 5000],
  [new Date(2 * hour).toUTCString(), 2 * hour],
  [new Date(-hour).toUTCString(), 5000],
  ["soon", 5000],
  ["", 5000],
])("Retry-After %j is kept to, within a day", (header, due) => {
  expect(nextAttempt(1, 0, 0, header)).toBe(due);
});
