import { expect, test } from "bun:test";
import { oneAtATime } from "./one-at-a-time.ts";

test("work of one name runs one after the other, failures too, and other names do not wait", async () => {
  const inTurn = oneAtATime();
  const seen: string[] = [];
  const work =
    (name: string, turns: number, fail = false) =>
    async () => {
      seen.push(`${name} begins`);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      seen.push(`${name} ends`);
      if (fail) throw new Error(name);
      return name;
    };
  const results = await Promise.allSettled([
    inTurn("a", work("first", 50, true)),
    inTurn("a", work("second", 1)),
    inTurn("b", work("other", 1)),
    inTurn("a", work("third", 1)),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled", "fulfilled"]);
  expect(seen.filter((line) => !line.startsWith("other"))).toEqual([
    "first begins",
    "first ends",
    "second begins",
    "second ends",
    "third begins",
    "third ends",
  ]);
  expect(seen.indexOf("other ends")).toBeLessThan(seen.indexOf("first ends"));
});
