import { expect, test } from "bun:test";
import fc from "fast-check";
import { joinKey, splitKey } from "./composite-key.ts";

test("parts come back as they were, whatever they hold", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" })), (parts) =>
      expect(splitKey(joinKey(...parts))).toEqual(parts),
    ),
  );
});

test("different parts make different keys, and the keys of a project begin with its own", () => {
  expect(joinKey("a/b", "c")).not.toBe(joinKey("a", "b/c"));
  expect(joinKey("a", "x")).toStartWith(joinKey("a"));
  expect(joinKey("ab", "x")).not.toStartWith(joinKey("a"));
});
