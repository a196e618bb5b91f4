import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { faults } from "./faults/faults.ts";
import { type PromiseId, promises } from "./promises.ts";

const root = join(import.meta.dir, "..");

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

describe("promises", () => {
  test.each(ids)("%s is cited by a test", (id) => {
    expect(cited.get(id) ?? []).not.toBeEmpty();
  });

  test("tests cite none that was not made", () => {
    expect([...cited.keys()].filter((id) => !(id in promises))).toEqual([]);
  });

  test.each(ids)("%s has a page that says how it is proved and what it does not promise", (id) => {
    const page = readFileSync(join(root, "docs/promises.md"), "utf8");
    const [, section = ""] = page.split(`\n## ${id}\n`);
    expect(section).toContain(promises[id]);
    for (const part of ["**Proved by**", "**Not promised**", "**Seen to fail**"]) {
      expect(section.split("\n## ")[0]).toContain(part);
    }
  });
});

describe("planted faults", () => {
  test.each(ids)("there is one that the tests of %s must find", (id) => {
    expect(faults.filter((fault) => fault.promise === id)).not.toBeEmpty();
  });

  test.each(faults.map((fault) => ({ ...fault, name: `${fault.promise}: ${fault.says}` })))(
    "$name: it still fits where it is to be planted",
    ({ file, find }) => {
      expect(readFileSync(join(root, file), "utf8").split(find)).toHaveLength(2);
    },
  );
});
