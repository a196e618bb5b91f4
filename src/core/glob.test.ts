import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Glob, GlobError, PATTERN_BYTES, PATTERN_STATES, compileGlob, compileGlobs } from "./glob.ts";

const matching = (glob: Glob, texts: string[]) => texts.filter((text) => glob.test(text));

describe("a glob", () => {
  test("of literal text matches that text alone", () => {
    const glob = compileGlob("api.change");
    expect(matching(glob, ["api.change", "api.chang", "api.changed", "xapi.change", ""])).toEqual([
      "api.change",
    ]);
  });

  test("takes any run of characters for *, dots, slashes, line breaks and none among them", () => {
    expect(matching(compileGlob("a*c"), ["ac", "a.b/c", "a\nc", "abcd", "ca"])).toEqual([
      "ac",
      "a.b/c",
      "a\nc",
    ]);
    expect(matching(compileGlob("src/**/*.ts"), ["src/a/b/c.ts", "src/a/c.ts", "src/c.ts"])).toEqual([
      "src/a/b/c.ts",
      "src/a/c.ts",
    ]);
  });

  test("takes one character for ?, however many code units it has", () => {
    expect(matching(compileGlob("a?c"), ["abc", "a😀c", "ac", "abbc"])).toEqual(["abc", "a😀c"]);
    expect(compileGlob("*??").test("😀")).toBe(false);
    expect(compileGlob("?*?").test("😀")).toBe(false);
  });

  test("takes one character of a class", () => {
    expect(matching(compileGlob("v[0-9a]"), ["v0", "v9", "va", "vb", "v", "v00"])).toEqual([
      "v0",
      "v9",
      "va",
    ]);
    expect(matching(compileGlob("[😀-😂]"), ["😁", "😃", "a"])).toEqual(["😁"]);
  });

  test("takes one character outside a class that begins with ! or ^", () => {
    for (const pattern of ["v[!0-9]", "v[^0-9]"]) {
      expect(matching(compileGlob(pattern), ["v0", "va", "v😀", "v"])).toEqual(["va", "v😀"]);
    }
    expect(matching(compileGlob("[a!^]"), ["a", "!", "^", "b"])).toEqual(["a", "!", "^"]);
  });

  test("takes ] first in a class, and - first or last, for themselves", () => {
    expect(matching(compileGlob("[]a]"), ["]", "a", "b"])).toEqual(["]", "a"]);
    expect(matching(compileGlob("[!]a]"), ["]", "a", "b"])).toEqual(["b"]);
    expect(matching(compileGlob("[-a]"), ["-", "a", "b"])).toEqual(["-", "a"]);
    expect(matching(compileGlob("[a-]"), ["-", "a", "b"])).toEqual(["-", "a"]);
  });

  test("takes either of the alternatives in braces, which may nest and be empty", () => {
    expect(matching(compileGlob("{api,ui}.x"), ["api.x", "ui.x", "apiui.x", ".x"])).toEqual([
      "api.x",
      "ui.x",
    ]);
    expect(matching(compileGlob("a{,b{c,d*}}e"), ["ae", "abce", "abdxe", "abe"])).toEqual([
      "ae",
      "abce",
      "abdxe",
    ]);
    expect(matching(compileGlob("a{}b{c}"), ["abc", "ab", "a{}b{c}"])).toEqual(["abc"]);
    expect(matching(compileGlob("*.{ts,tsx}"), ["a.ts", "a.tsx", "a.t", ".ts"])).toEqual([
      "a.ts",
      "a.tsx",
      ".ts",
    ]);
  });

  test("takes an escaped character for itself, in a class too", () => {
    expect(matching(compileGlob("\\*\\?\\[\\{\\\\"), ["*?[{\\", "abcde"])).toEqual(["*?[{\\"]);
    expect(matching(compileGlob("[\\]\\-\\\\]"), ["]", "-", "\\", "a"])).toEqual(["]", "-", "\\"]);
    expect(matching(compileGlob("{a\\,b,c}"), ["a,b", "c", "a", "b"])).toEqual(["a,b", "c"]);
  });

  test("takes closing brackets and commas outside of brackets for themselves", () => {
    expect(compileGlob("a]b}c,d").test("a]b}c,d")).toBe(true);
  });

  test("distinguishes upper and lower case", () => {
    expect(compileGlob("Api.*").test("api.x")).toBe(false);
  });

  test("tells what kind it is and the text that every match begins with", () => {
    const facts = (pattern: string) => [compileGlob(pattern).kind, compileGlob(pattern).prefix];
    expect(facts("*")).toEqual(["all", ""]);
    expect(facts("***")).toEqual(["all", ""]);
    expect(facts("api.*")).toEqual(["prefix", "api."]);
    expect(facts("a\\*b*")).toEqual(["prefix", "a*b"]);
    expect(facts("api.x")).toEqual(["exact", "api.x"]);
    expect(facts("api{.x}")).toEqual(["exact", "api.x"]);
    expect(facts("")).toEqual(["exact", ""]);
    expect(facts("api.*.x")).toEqual(["glob", "api."]);
    expect(facts("api.?")).toEqual(["glob", "api."]);
    expect(facts("{a,b}")).toEqual(["glob", ""]);
    expect(facts("*.x")).toEqual(["glob", ""]);
  });
});

describe("a malformed glob", () => {
  const fault = (pattern: string) => {
    try {
      compileGlob(pattern);
      return undefined;
    } catch (error) {
      return error instanceof GlobError ? error.message : error;
    }
  };

  test("is refused with its fault and where that is", () => {
    expect(fault("api.[a-z")).toBe("the [ at character 5 is never closed");
    expect(fault("[]")).toBe("the [ at character 1 is never closed");
    expect(fault("[a-")).toBe("the [ at character 1 is never closed");
    expect(fault("😀{a,{b}")).toBe("the { at character 2 is never closed");
    expect(fault("a\\")).toBe("the \\ at character 2 escapes nothing");
    expect(fault("[a\\")).toBe("the \\ at character 3 escapes nothing");
    expect(fault("a[0-9z-a]")).toBe("the range z-a at character 6 runs backwards");
    expect(fault("a\ud800")).toBe("the pattern is not well-formed Unicode");
  });

  test("is one that is longer than a topic, or has too many parts", () => {
    expect(fault("a".repeat(PATTERN_BYTES))).toBeUndefined();
    expect(fault("é".repeat(PATTERN_BYTES / 2))).toBeUndefined();
    expect(fault("é".repeat(PATTERN_BYTES / 2) + "a")).toContain("longer than 4096 bytes");
    expect(fault("?".repeat(PATTERN_STATES))).toBeUndefined();
    for (const part of ["?", "a*", "[ab]", "{a,b}", "{,}", "{", "{,"]) {
      expect(fault(part.repeat(Math.floor(PATTERN_BYTES / part.length)))).toContain(
        `more than ${PATTERN_STATES}`,
      );
    }
    const names = Array.from({ length: 250 }, (_, index) => `p${index}`).join(",");
    expect(compileGlob(`{${names}}.*`).test("p249.x")).toBe(true);
  });

  test("is refused inside a list too", () => {
    expect(() => compileGlobs("a,[b")).toThrow(new GlobError("the [ at character 3 is never closed"));
  });
});

describe("a list of globs", () => {
  test("matches what any of them matches", () => {
    expect(matching(compileGlobs("api.*,ui.?"), ["api.x", "ui.1", "ui.12", "db.x"])).toEqual([
      "api.x",
      "ui.1",
    ]);
  });

  test("is not split at commas in braces, in classes, or escaped", () => {
    const glob = compileGlobs("{a,b}.x,c[,]d,e\\,f");
    expect(matching(glob, ["a.x", "b.x", "c,d", "e,f", "{a", "c[", "e"])).toEqual([
      "a.x",
      "b.x",
      "c,d",
      "e,f",
    ]);
  });

  test("matches everything when there is nothing in it, or one of them is *", () => {
    for (const list of [undefined, "", "*", ",", "a,*"]) expect(compileGlobs(list).kind).toBe("all");
  });

  test("passes over empty places", () => {
    expect(compileGlobs("a,")).toMatchObject({ kind: "exact", prefix: "a" });
    expect(matching(compileGlobs("a,,b"), ["a", "b", "", "c"])).toEqual(["a", "b"]);
  });

  test("keeps spaces as parts of the patterns", () => {
    expect(matching(compileGlobs("a, b"), ["a", "b", " b"])).toEqual(["a", " b"]);
  });

  test("tells the prefix that all of them share", () => {
    expect(compileGlobs("api.x*,api.y").prefix).toBe("api.");
    expect(compileGlobs("api.x,b").prefix).toBe("");
    expect(compileGlobs("😀*,😁*").prefix).toBe("");
    expect(compileGlobs("api.*").kind).toBe("prefix");
  });
});

describe("beside a naive matcher", () => {
  type Part =
    | string
    | { one: true }
    | { run: true }
    | { set: string[]; negated: boolean }
    | { either: Part[][] };

  const letter = fc.constantFrom(
    "a",
    "b",
    "c",
    ".",
    "/",
    "😀",
    "😁",
    "*",
    ",",
    "{",
    "}",
    "[",
    "]",
    "-",
    "!",
    "^",
    "\\",
    "?",
  );
  const { parts } = fc.letrec<{ parts: Part[]; part: Part }>((tie) => ({
    parts: fc.array(tie("part"), { maxLength: 6, depthIdentifier: "glob" }),
    part: fc.oneof(
      { depthIdentifier: "glob", maxDepth: 3 },
      { arbitrary: letter, weight: 4 },
      { arbitrary: fc.constant({ run: true as const }), weight: 2 },
      { arbitrary: fc.constant({ one: true as const }), weight: 1 },
      {
        arbitrary: fc.record({
          set: fc.array(letter, { minLength: 1, maxLength: 3 }),
          negated: fc.boolean(),
        }),
        weight: 1,
      },
      { arbitrary: fc.record({ either: fc.array(tie("parts"), { minLength: 1, maxLength: 3 }) }), weight: 1 },
    ),
  }));

  const escape = (text: string) => (/[*?[\]{},\\!^-]/.test(text) ? `\\${text}` : text);
  function write(list: Part[]): string {
    return list
      .map((part) => {
        if (typeof part === "string") return escape(part);
        if ("run" in part) return "*";
        if ("one" in part) return "?";
        if ("set" in part) return `[${part.negated ? "!" : ""}${part.set.map(escape).join("")}]`;
        return `{${part.either.map(write).join(",")}}`;
      })
      .join("");
  }
  /** Tries everything, with what comes after as a continuation. */
  function naive(list: Part[], text: string[], then: (rest: string[]) => boolean): boolean {
    const [part, ...rest] = list;
    if (part === undefined) return then(text);
    const [first, ...others] = text;
    const next = (left: string[]) => naive(rest, left, then);
    if (typeof part !== "string" && "either" in part)
      return part.either.some((branch) => naive(branch, text, next));
    if (typeof part !== "string" && "run" in part)
      return text.some((_, from) => next(text.slice(from))) || next([]);
    if (first === undefined) return false;
    if (typeof part === "string") return part === first && next(others);
    return ("one" in part || part.set.includes(first) !== part.negated) && next(others);
  }
  const topic = fc.array(letter, { maxLength: 8 });
  /** A text that is likely to match: what stands in the pattern, with the wildcards filled in. */
  function example(list: Part[], filling: string[]): string[] {
    return list.flatMap((part): string[] => {
      if (typeof part === "string") return [part];
      if ("run" in part) return filling;
      if ("one" in part) return ["😀"];
      if ("set" in part) return [part.set[0]!];
      return example(part.either.at(-1)!, filling);
    });
  }

  test("a glob says the same of any text, and so does its prefix", () => {
    fc.assert(
      fc.property(parts, topic, fc.array(letter, { maxLength: 2 }), (list, random, filling) => {
        const glob = compileGlob(write(list));
        for (const text of [random, example(list, filling), [...example(list, filling), "a"]]) {
          const expected = naive(list, text, (rest) => rest.length === 0);
          expect(glob.test(text.join(""))).toBe(expected);
          if (expected) expect(text.join("").startsWith(glob.prefix)).toBe(true);
        }
      }),
      { numRuns: 5000 },
    );
  });

  test("a list of globs says the same as each of them", () => {
    fc.assert(
      fc.property(
        fc.array(
          parts.filter((list) => write(list) !== ""),
          { minLength: 1, maxLength: 4 },
        ),
        topic,
        (lists, text) => {
          const expected = lists.some((list) => naive(list, text, (rest) => rest.length === 0));
          expect(compileGlobs(lists.map(write).join(",")).test(text.join(""))).toBe(expected);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("any text at all is matched or refused, and never breaks", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."ab*?[]{},\\-!^".split("")), maxLength: 20 }),
        topic,
        (pattern, text) => {
          try {
            compileGlobs(pattern).test(text.join(""));
          } catch (error) {
            expect(error).toBeInstanceOf(GlobError);
          }
        },
      ),
      { numRuns: 5000 },
    );
  });
});

// Each of these keeps a backtracking matcher busy for longer than any test run may take.
describe("a hostile glob on 4,096 characters comes to its end:", () => {
  const text = "a".repeat(4096);
  const hostile: Record<string, string> = {
    "many runs": `${"a*".repeat(120)}b`,
    "many runs and classes": `${"*[a-b]".repeat(120)}c*b`,
    "many characters after a run": `*${"?".repeat(240)}b*b`,
    "many classes after a run": `*${"[a]".repeat(254)}[b]`,
    "many empty alternatives": `${"{,a}".repeat(80)}*b*b`,
    "alternatives of runs": `${"{*a,a*}".repeat(50)}[b]`,
    "deep nesting": `${"{*a,".repeat(60)}b${"}".repeat(60)}[b]`,
    "a long text searched for": `*${"a".repeat(2000)}b*${"a".repeat(1000)}[b]`,
  };
  for (const [name, pattern] of Object.entries(hostile)) {
    test(name, () => expect(compileGlob(pattern).test(text)).toBe(false));
  }
});
