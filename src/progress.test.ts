import { expect, test } from "bun:test";
import { progressOn } from "./progress.ts";

function shown(isTTY: boolean): string {
  let text = "";
  const show = progressOn({ isTTY, write: (part: string) => (text += part) });
  for (let done = 0; done <= 1000; done++) show("copying", done, 1000);
  return text;
}

test("on a terminal progress is one bar that is drawn anew, and ends its line when all is done", () => {
  const draws = shown(true).split("\r\u001b[K");
  expect(draws).toHaveLength(102);
  expect(draws[51]).toBe(`copying [${"#".repeat(15)}${" ".repeat(15)}] 50%`);
  expect(draws.at(-1)).toBe(`copying [${"#".repeat(30)}]100%\n`);
});

test("elsewhere it is a line for each tenth", () => {
  const lines = shown(false).trimEnd().split("\n");
  expect(lines).toHaveLength(11);
  expect([lines[0], lines[5], lines[10]]).toEqual(["copying:  0%", "copying: 50%", "copying:100%"]);
});

test("of nothing all is done", () => {
  let text = "";
  progressOn({ write: (part) => (text += part) })("copying", 0, 0);
  expect(text).toBe("copying:100%\n");
});
