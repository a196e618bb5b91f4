import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { PathError, literalPath, overlapOf, parsePathGlob } from "./path-glob.ts";

const overlaps = (a: string, b: string) => overlapOf(parsePathGlob(a)).with(parsePathGlob(b));

describe("one spelling a path", () => {
  test("dots, doubled slashes, doubled stars and decomposed characters go", () => {
    for (const [given, path] of [
      ["./src/a.ts", "src/a.ts"],
      ["src//a.ts", "src/a.ts"],
      ["src/./a.ts", "src/a.ts"],
      ["src/**/**/a", "src/**/a"],
      ["src/****", "src/**"],
      ["a***b", "a**b"],
      ["cafe\u0301.md", "caf\u00e9.md"],
      ["app/[id]/{x}.tsx", "app/[id]/{x}.tsx"],
    ] as const)
      expect(parsePathGlob(given).path).toBe(path);
  });

  test("what would name a file of another spelling is refused", () => {
    for (const path of ["/etc/x", "a/../b", "..", "src/", "a\\b", "a\nb", "a\0", ".", "./", "\ud800"]) {
      expect(() => parsePathGlob(path)).toThrow(PathError);
      expect(() => literalPath(path)).toThrow(PathError);
    }
  });
});

describe("whether two globs overlap", () => {
  const yes = [
    ["src/a.ts", "src/a.ts"],
    ["src/*.ts", "src/a.*"],
    ["src/**", "src"],
    ["src/**", "src/a/b/c.ts"],
    ["**/test.ts", "test.ts"],
    ["**/test.ts", "a/b/test.ts"],
    ["src/**/a.ts", "src/a.ts"],
    ["**", "anything at all"],
    ["a/**/z", "**/b/**"],
    ["a?c", "ab*"],
    ["src**.ts", "src/deep/er.ts"],
    ["app/[id]/*", "app/[id]/page.tsx"],
    ["?", "\u{1F600}"],
    ["a*b*c", "ab*bc"],
  ] as const;
  const no = [
    ["src/a.ts", "src/b.ts"],
    ["src/*", "src/a/b"],
    ["src/*", "src"],
    ["src/**", "srcs"],
    ["**/test.ts", "mytest.ts"],
    ["a/?", "a/bc"],
    ["app/[id]/x", "app/i/x"],
    ["*.ts", "src/a.ts"],
    ["a*b", "a/b"],
    ["??", "\u{1F600}"],
    ["a*b*c", "ab?d"],
  ] as const;
  for (const [a, b] of yes)
    test(`${a} and ${b} do`, () => expect([overlaps(a, b), overlaps(b, a)]).toEqual([true, true]));
  for (const [a, b] of no)
    test(`${a} and ${b} do not`, () => expect([overlaps(a, b), overlaps(b, a)]).toEqual([false, false]));

  test("a literal path's stars are stars", () => {
    expect(overlapOf(literalPath("jobs:*")).with(parsePathGlob("jobs:x"))).toBe(false);
    expect(overlapOf(literalPath("jobs:*")).with(parsePathGlob("jobs:*"))).toBe(true);
    expect(overlapOf(literalPath("deploy")).with(parsePathGlob("deploy"))).toBe(true);
  });

  const part = fc.constantFrom("a", "b", "/", "*", "**", "?", "/**/", "**/", "/**");
  const someGlob = (length: number) =>
    fc.array(part, { minLength: 1, maxLength: length }).map((parts) => parts.join(""));
  const valid = (glob: string) => {
    try {
      return parsePathGlob(glob).path !== "";
    } catch {
      return false;
    }
  };

  test("agrees with trying every path of a small alphabet", () => {
    const all = pathsUpTo(8);
    fc.assert(
      fc.property(someGlob(4).filter(valid), someGlob(4).filter(valid), (a, b) => {
        const [one, other] = [asRegExp(a), asRegExp(b)];
        const witness = all.find((path) => one.test(path) && other.test(path));
        expect([a, b, overlaps(a, b), overlaps(b, a)]).toEqual([
          a,
          b,
          witness !== undefined,
          witness !== undefined,
        ]);
      }),
      { numRuns: 3000 },
    );
  }, 60_000);

  test("finds what a path was made into by putting wildcards in, however long", () => {
    const word = fc.string({
      unit: fc.constantFrom("a", "b", "é", "\u{1F600}"),
      minLength: 1,
      maxLength: 40,
    });
    const path = fc.array(word, { minLength: 1, maxLength: 6 });
    const veiled = (names: string[], dice: number[]) => {
      let at = 0;
      const roll = () => dice[at++ % dice.length] as number;
      const parts = names.map((name) =>
        Array.from(name, (character) => [character, character, "?", "*", "**", `*${character}`][roll()]).join(
          "",
        ),
      );
      return parts
        .flatMap((name) => (roll() === 0 ? ["**", name] : roll() === 1 ? ["**"] : [name]))
        .join("/");
    };
    const dice = fc.array(fc.nat(5), { minLength: 7, maxLength: 50 });
    fc.assert(
      fc.property(path, dice, dice, (names, first, second) => {
        expect(overlaps(veiled(names, first), veiled(names, second))).toBe(true);
        expect(overlaps(veiled(names, first), `x${veiled(names, second)}`)).toBe(
          overlaps(`x${veiled(names, second)}`, veiled(names, first)),
        );
      }),
      { numRuns: 2000 },
    );
  });
});

/** Every path of names made of `a` and `b`, up to a length. */
function pathsUpTo(length: number): string[] {
  let texts = [""];
  const all: string[] = [];
  for (let size = 1; size <= length; size++) {
    texts = texts.flatMap((text) => ["a", "b", "/"].map((character) => text + character));
    all.push(...texts);
  }
  return all.filter((path) => path.split("/").every((name) => name !== ""));
}

/** What a glob means, said in another way: a regular expression over a path and a last slash. */
function asRegExp(glob: string): RegExp {
  const names = parsePathGlob(glob).path.split("/");
  const source = names.map((name) =>
    name === "**"
      ? "(?:[^/].*/)?"
      : `${name.replaceAll("**", "\u0001").replaceAll("*", "[^/]*").replaceAll("?", "[^/]").replaceAll("\u0001", ".*")}/`,
  );
  const whole = new RegExp(`^${source.join("")}$`);
  return { test: (path: string) => whole.test(`${path}/`) } as RegExp;
}
