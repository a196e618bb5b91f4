import { expect, test } from "bun:test";
import { coloursOf, wholeOf } from "./usage.ts";

const totals = (cost: number) => ({
  total_tokens_in: 10,
  total_tokens_out: 1,
  total_cost_usd: cost,
  request_count: 1,
});

test("a span is the sum of its steps, by name, to the millionth of a dollar", () => {
  const whole = wholeOf([
    { groups: { a: totals(0.1), ["__proto__"]: totals(1) }, total: totals(1.1) },
    { groups: { a: totals(0.2) }, total: totals(0.2) },
  ]);
  expect(whole.groups["a"]).toEqual({
    ...totals(0.3),
    total_tokens_in: 20,
    total_tokens_out: 2,
    request_count: 2,
  });
  expect(Object.keys(whole.groups).sort()).toEqual(["__proto__", "a"]);
  expect(whole.total.total_cost_usd).toBe(1.3);
});

test("a name keeps its colour when the order changes, and no two that are shown have the same", () => {
  const known = new Map<string, number>();
  expect(coloursOf(["a", "b", "c"], known)).toEqual([0, 1, 2]);
  expect(coloursOf(["c", "a", "b"], known)).toEqual([2, 0, 1]);
  expect(coloursOf(["d", "c"], known)).toEqual([0, 2]);
  expect(coloursOf(["a", "d", "e"], known)).toEqual([0, 1, 2]);
});
