import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { faults } from "./faults/faults.ts";
import { type PromiseId, promises } from "./promises.ts";

const root = join(import.meta.dir, "..");

/** Promises whose tests are not here yet. One that is cited may not stay in this list, so it only gets shorter. */
const pending: readonly PromiseId[] = [];

/** Where each id is cited: in parentheses within a text, as test names are. */
const cited = new Map<string, string[]>();
for (const file of new Bun.Glob("{src,test}/**/*.test.ts").scanSync(root)) {
  if (file === "test/promises.test.ts") continue;
  const text = readFileSync(join(root, file), "utf8");
  for (const [, ids = ""] of text.matchAll(/["'`][^"'`\n]*\(([A-Z]+-\d+(?:, [A-Z]+-\d+)*)\)[^\n]*["'`]/g)) {
    for (const id of ids.split(", ")) cited.set(id, [...(cited.get(id) ?? []), file]);
  }
}
const ids = Object.keys(promises) as PromiseId[];
const proven = ids.filter((id) => !pending.includes(id));

describe("promises", () => {
  test.each(proven)("%s is cited by a test", (id) => {
    expect(cited.get(id) ?? []).not.toBeEmpty();
  });

  test("tests cite none that was not made", () => {
    expect([...cited.keys()].filter((id) => !(id in promises))).toEqual([]);
  });

  test("those that wait for their tests are cited by none", () => {
    expect(pending.filter((id) => cited.has(id))).toEqual([]);
  });
});

describe("planted faults", () => {
  test.each(faults.map((fault) => ({ ...fault, name: `${fault.promise}: ${fault.says}` })))(
    "$name: it still fits where it is to be planted",
    ({ file, find }) => {
      expect(readFileSync(join(root, file), "utf8").split(find)).toHaveLength(2);
    },
  );
});
