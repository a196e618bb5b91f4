import { afterAll, afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RE2JS } from "re2js";
import { MATCH_LENGTH, VIOLATIONS } from "./engine-job.ts";
import {
  BudgetExceeded,
  type EngineRule,
  RuleEngineBusy,
  RuleEngineClosed,
  type RuleEngineOptions,
  WORKERS,
  openRuleEngine,
  withMessage,
} from "./engine.ts";

/** What is not about the budget is not to depend on how fast the machine is. */
const engine = openRuleEngine({ budgetMs: 60_000 });
afterAll(() => engine.close());

const rule = (pattern: string, more: Partial<EngineRule> = {}): EngineRule => ({
  rule_id: "r",
  severity: "error",
  match_type: "regex",
  pattern,
  message: "no",
  applies_to: ["*"],
  ...more,
});

async function validate(rules: EngineRule[], content: string, filename?: string) {
  return (await engine.validate({ rules, content, ...(filename !== undefined && { filename }) })).violations;
}

/** Line and match of each violation of one pattern. */
async function found(pattern: string, content: string, more: Partial<EngineRule> = {}) {
  return (await validate([rule(pattern, more)], content)).map(({ line, match }) => [line, match]);
}

describe("a regex rule", () => {
  test("gives one violation for each line that matches, with its number and its first match", async () => {
    const violations = await validate([rule("b+", { severity: "warning" })], "a\nabbc b\n\nxb");
    expect(violations).toEqual([
      { rule_id: "r", severity: "warning", message: "no", line: 2, match: "bb" },
      { rule_id: "r", severity: "warning", message: "no", line: 4, match: "b" },
    ]);
  });

  test("sees a line that ends with \\r\\n like one that ends with \\n", async () => {
    expect(await found("a$", "a\r\nb\r\na")).toEqual([
      [1, "a"],
      [3, "a"],
    ]);
    expect(await found("^$", "a\r\n\r\n\nb\r\n")).toEqual([
      [2, ""],
      [3, ""],
    ]);
    expect(await found("\\r", "a\r\nb\rc\r\nd\r")).toEqual([
      [2, "\r"],
      [3, "\r"],
    ]);
  });

  test("can match an empty line, but there is none after the last line end, nor in no content", async () => {
    expect(await found("^$", "\na\n\n")).toEqual([
      [1, ""],
      [3, ""],
    ]);
    expect(await found("^", "a")).toEqual([[1, ""]]);
    expect(await found("^", "")).toEqual([]);
  });

  test("sees one line at a time", async () => {
    expect(await found("(?s)a.b", "a\nb\naxb")).toEqual([[3, "axb"]]);
    expect(await found("\\Aa\\z", "a\nab\na")).toEqual([
      [1, "a"],
      [3, "a"],
    ]);
  });

  test("tells at most so much of a match, and no half characters", async () => {
    expect(await found("x+", "x".repeat(5000))).toEqual([[1, "x".repeat(MATCH_LENGTH)]]);
    expect(await found(".+", `x${"😀".repeat(5000)}`)).toEqual([
      [1, `x${"😀".repeat(MATCH_LENGTH / 2 - 1)}`],
    ]);
  });

  test("works on characters beyond the basic plane, and takes half of one for the replacement character", async () => {
    expect(await found("^.$", "😀\nab")).toEqual([[1, "😀"]]);
    expect(await found("\\x{fffd}", "a\ud800")).toEqual([[1, "\ufffd"]]);
  });
});

test("whatever a pattern and a content are, the lines are those that it matches one by one", async () => {
  const classes = ["a", "b", "\\r", "\\s", "\\n", ".", "[^a]", "[^b\\s]", "(?s:.)", "(?:)"];
  const ends = ["^", "$", "\\A", "\\z", "\\b", "\\B", "(?m:^a)", "(?-m:^)", "(?i-m:$)", "(?m:$)"];
  const atom = fc.constantFrom(...classes, ...ends);
  const pattern = fc
    .array(fc.tuple(atom, fc.constantFrom("", "", "*", "+?", "{2}")), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.map(([part, times]) => `(?:${part})${times}`).join(""));
  const line = fc.constantFrom("a", "b", "", "ab", " a", "b\r", "\r", "a\ra", "aa bb", "z".repeat(900));
  const content = fc
    .array(fc.tuple(line, fc.constantFrom("\n", "\n", "\r\n")), { maxLength: 30 })
    .chain((lines) =>
      fc.constantFrom("", "a", "b\r").map((last) => lines.map((parts) => parts.join("")).join("") + last),
    );
  const expected = (source: string, text: string) => {
    const lines = text.split(/\r?\n/);
    if (lines.at(-1) === "") lines.pop();
    const expression = RE2JS.compile(source);
    return lines.flatMap((whole, index) => (expression.test(whole) ? [index + 1] : []));
  };
  await fc.assert(
    fc.asyncProperty(fc.array(pattern, { minLength: 1, maxLength: 15 }), content, async (sources, text) => {
      const rules = sources.map((source, index) => rule(source, { rule_id: String(index) }));
      const violations = await validate(rules, text);
      for (const [index, source] of sources.entries()) {
        const lines = violations.flatMap((one) => (one.rule_id === String(index) ? [one.line] : []));
        expect([source, lines]).toEqual([source, expected(source, text)]);
      }
    }),
    { numRuns: 400 },
  );
});

describe("a missing rule", () => {
  const missing = (pattern: string) => rule(pattern, { match_type: "missing" });

  test("gives one violation without a line when the pattern is nowhere in the content", async () => {
    expect(await validate([missing("^use strict")], "a\nuse strict")).toEqual([
      { rule_id: "r", severity: "error", message: "no" },
    ]);
    expect(await validate([missing("(?m)^use strict")], "a\nuse strict")).toEqual([]);
    expect(await validate([missing("x")], "")).toHaveLength(1);
  });

  test("sees the content as a whole", async () => {
    expect(await validate([missing("a\\nb")], "a\nb")).toEqual([]);
  });

  test("finds the end of a line before \\r\\n too, and \\r itself", async () => {
    expect(await validate([missing("(?m)^a$")], "a\r\nb")).toEqual([]);
    expect(await validate([missing("a\\r\\nb")], "a\r\nb")).toEqual([]);
  });
});

describe("a custom rule", () => {
  test("runs the built-in check of its name", async () => {
    const content = "x\nconsole.log(1)\nconsoleXlog(1)";
    expect(await found("no-console-log", content, { match_type: "custom" })).toEqual([[2, "console.log("]]);
  });

  test("is a regular expression when there is no check of its name", async () => {
    expect(await found("cons\\w+", "constructor", { match_type: "custom" })).toEqual([[1, "constructor"]]);
    expect(await found("constructor", "a constructor", { match_type: "custom" })).toEqual([
      [1, "constructor"],
    ]);
  });
});

describe("applies_to", () => {
  const applies = async (applies_to: string[], filename?: string) =>
    (await validate([rule("x", { applies_to })], "x", filename)).length === 1;

  test("is tried on the whole path and on the base name", async () => {
    expect(await applies(["src/*.ts"], "src/a/b.ts")).toBe(true);
    expect(await applies(["b.*"], "src/a/b.ts")).toBe(true);
    expect(await applies(["b.*"], "src\\a\\b.ts")).toBe(true);
    expect(await applies(["*.js", "*.{ts,tsx}"], "src/a/b.tsx")).toBe(true);
    expect(await applies(["*.js", "a/*"], "src/a/b.ts")).toBe(false);
  });

  test("is not asked without a filename", async () => {
    expect(await applies(["*.js"])).toBe(true);
    expect(await applies(["*.js"], "")).toBe(true);
  });

  test("means every file when it is empty", async () => {
    expect(await applies([], "a.ts")).toBe(true);
    expect(await applies([""], "a.ts")).toBe(true);
  });
});

test("violations come in the order of the rules, and a rule without a message gets one with its pattern", async () => {
  const rules = [
    rule("b", { rule_id: "2", message: "" }),
    rule("a", { rule_id: "1", match_type: "missing", message: "" }),
  ];
  expect(await validate(rules, "b\nb")).toMatchObject([
    { rule_id: "2", line: 1, message: "pattern 'b' matched" },
    { rule_id: "2", line: 2, message: "pattern 'b' matched" },
    { rule_id: "1", message: "required pattern 'a' not found" },
  ]);
  expect(withMessage(rule("x")).message).toBe("no");
});

test("an answer is cut after a thousand violations, and says so", async () => {
  const content = "x\n".repeat(VIOLATIONS);
  const exactly = await engine.validate({ rules: [rule("x")], content });
  expect([exactly.violations.length, exactly.truncated]).toEqual([VIOLATIONS, false]);
  const more = await engine.validate({ rules: [rule("x"), rule("y", { match_type: "missing" })], content });
  expect([more.violations.length, more.truncated]).toEqual([VIOLATIONS, true]);
});

test("a rule that cannot be run, but was stored, is a violation that says so, and the others run", async () => {
  const rules = [rule("(", { severity: "warning" }), rule("x", { applies_to: ["["] }), rule("x")];
  expect(await validate(rules, "x", "a.ts")).toMatchObject([
    { severity: "error", message: expect.stringContaining("missing closing )") },
    { severity: "error", message: expect.stringContaining("the [ at character 1 is never closed") },
    { line: 1 },
  ]);
});

describe("check", () => {
  test("finds no fault in rules that can be run", async () => {
    expect(await engine.check([])).toBeNull();
    expect(await engine.check([rule("a"), rule("no-console-log", { match_type: "custom" })])).toBeNull();
  });

  test("names the first rule that cannot be run, and its fault", async () => {
    expect(await engine.check([rule("a"), rule("(b", { rule_id: "bad" }), rule("[")])).toEqual({
      index: 1,
      rule_id: "bad",
      fault: "pattern: error parsing regexp: missing closing ): `(b`",
    });
    expect(await engine.check([rule("a", { applies_to: ["*", "{a"] })])).toMatchObject({
      rule_id: "r",
      fault: 'applies_to "{a": the { at character 1 is never closed',
    });
  });
});

// What Go 1.19's regexp says of these patterns and lines was tried, and is written down here.
describe("patterns in Go's syntax", () => {
  const matches: [pattern: string, line: string, match: string][] = [
    ["(?i)todo", "x ToDo", "ToDo"],
    ["(?i:to)do", "TOdo", "TOdo"],
    ["(?i)straße|ſ", "S", "S"],
    ["\\Aab\\z", "ab", "ab"],
    ["[[:digit:]]+", "a12", "12"],
    ["[[:^alpha:][:upper:]]+", "ab1C", "1C"],
    ["(?U)a+", "aaa", "a"],
    ["(?U)a+?", "aaa", "aaa"],
    ["a+?", "aaa", "a"],
    ["(?P<n>a)(?P<m>b)", "xab", "ab"],
    ["(?P<n>a)x|(?P<n>b)y", "axby", "ax"],
    ["(?P<n>a)(?P<n>b)[](?P<n>[:alpha:]]+\\Q(?P<n>\\E\\(?P<n>", "ab]?nP(?P<n>P<n>", "ab]?nP(?P<n>P<n>"],
    ["a|ab", "ab", "a"],
    ["\\Qa.b\\E+", "a.bbb", "a.bbb"],
    ["\\pL+\\p{Greek}", "1abα", "abα"],
    ["\\PL+", "ab12c", "12"],
    ["\\p{^Greek}", "αb", "b"],
    ["\\x41\\x{1F600}\\101", "A😀A", "A😀A"],
    ["\\bfoo\\b", "a foo b", "foo"],
    ["\\Boo", "foo", "oo"],
    ["\\a|\\f|\\v|\\t", "x\ty", "\t"],
    ["[\\d\\-x]+", "a1-x", "1-x"],
    ["[^\\x00-\\x7F]", "aé", "é"],
    ["x{2,3}", "xxxx", "xxx"],
    ["x{,2}", "x{,2}", "x{,2}"],
    ["a{2", "a{2", "a{2"],
    ["(?:(?i)a)b", "Ab", "Ab"],
    ["(|a)+", "aa", ""],
    ["(a*)+", "b", ""],
    ["(a*)*b", "aab", "aab"],
    ["[]a]+", "x]a", "]a"],
    ["(?s)a.c", "abc", "abc"],
    ["(?m)^a$", "a", "a"],
    ["(?-s).+", "ab", "ab"],
    ["\\_\\-\\/", "_-/", "_-/"],
  ];
  const faults = [
    "a(", "a)", "[a", "[b-a]", "*a", "a**", "a{1001}", "(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", "\\1", "\\8", "(?P=n)",
    "(?#c)", "(?>a)", "\\Z", "\\C", "\\h", "\\", "[[:foo:]]", "\\p{Foo}", "(?P<n>a)(?P<n>b", "(?P<1-2>a)", "(?x)a",
    "a{2}{3}", "[a-\\d]", "x{2,1}", "(?i", "\\xZ", "\\x{110000}", "((a{100}){100}){100}",
  ]; // prettier-ignore

  test("match what they match in Go", async () => {
    for (const [pattern, line, match] of matches) {
      expect([pattern, await found(pattern, line)]).toEqual([pattern, [[1, match]]]);
    }
  });

  test("are refused where Go refuses them", async () => {
    for (const pattern of faults) {
      expect([pattern, await engine.check([rule(pattern)])]).toEqual([
        pattern,
        expect.objectContaining({ index: 0 }),
      ]);
    }
  });
});

describe("within the budget", () => {
  const engines: { close(): Promise<void> }[] = [];
  afterEach(() => Promise.all(engines.splice(0).map((each) => each.close())));
  function open(options: RuleEngineOptions) {
    const opened = openRuleEngine(options);
    engines.push(opened);
    return opened;
  }
  const mebibyte = 1024 * 1024;
  const hostile = rule("[ab]{0,1000}[bc]", { rule_id: "hostile" });
  // The hostile one takes seconds, the one before it next to nothing.
  const run = { rules: [rule("x"), hostile, rule("y")], content: `${"a".repeat(mebibyte / 8)}b` };
  const good = { rules: [rule("(?i)todo")], content: "a\ntodo" };

  test("a rule that takes too long is ended and named, the event loop goes on, and the next validation works", async () => {
    const opened = open({ budgetMs: 1000 });
    let turns = 0;
    const loop = setInterval(() => turns++, 1);
    const error = await opened.validate(run).catch((error: unknown) => error);
    clearInterval(loop);
    expect(error).toBeInstanceOf(BudgetExceeded);
    expect(error).toMatchObject({ rule_id: "hostile" });
    // A loop that is blocked until the end makes none, an idle one some 900.
    expect(turns).toBeGreaterThan(2);
    expect((await opened.validate(good)).violations).toHaveLength(1);
  });

  test("a pattern that takes too long to compile is named when it is checked", async () => {
    const rules = [
      rule("a"),
      ...Array.from({ length: 100 }, () => rule("\\pL{1000}".repeat(400), { rule_id: "large" })),
    ];
    expect(
      await open({ budgetMs: 1000 })
        .check(rules)
        .catch((error: unknown) => error),
    ).toMatchObject({
      name: "BudgetExceeded",
      rule_id: "large",
    });
  });

  test("validations that wait behind hostile ones have their own budgets", async () => {
    const opened = open({ budgetMs: 1000 });
    const outcomes = await Promise.allSettled([
      ...Array.from({ length: 2 * WORKERS }, () => opened.validate(run)),
      opened.validate(good),
    ]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      ...Array(2 * WORKERS).fill("rejected"),
      "fulfilled",
    ]);
  });

  test("more than may wait are refused, and the others are answered", async () => {
    const opened = open({ queueJobs: 3 });
    const all = Array.from({ length: 5 }, () => opened.validate(good));
    const outcomes = await Promise.allSettled(all);
    expect(outcomes.map((outcome) => outcome.status).toSorted()).toEqual([
      "fulfilled", "fulfilled", "fulfilled", "rejected", "rejected",
    ]); // prettier-ignore
    expect(await all[4]!.catch((error: unknown) => error)).toBeInstanceOf(RuleEngineBusy);
  });

  test("more content than may wait is refused", async () => {
    const opened = open({});
    const content = "a\n".repeat(5 * mebibyte);
    const all = Array.from({ length: 4 }, () => opened.validate({ rules: [rule("b")], content }));
    expect(await all[3]!.catch((error: unknown) => error)).toBeInstanceOf(RuleEngineBusy);
    await Promise.all(all.slice(0, 3));
  });

  test("closing refuses what runs and what waits, and what comes after", async () => {
    const opened = open({});
    await opened.validate(good);
    const all = Array.from({ length: WORKERS + 2 }, () => opened.validate(run));
    const outcomes = Promise.allSettled(all);
    await Bun.sleep(50);
    await opened.close();
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { name: "PoolClosed" } });
    expect(opened.validate(good)).rejects.toBeInstanceOf(RuleEngineClosed);
    expect(opened.check([rule("a")])).rejects.toBeInstanceOf(RuleEngineClosed);
  });

  test("closing before the first worker has started refuses, and closing twice is fine", async () => {
    const opened = open({});
    const outcome = opened.validate(good).catch((error: unknown) => error);
    await Promise.all([opened.close(), opened.close()]);
    expect(await outcome).toBeInstanceOf(RuleEngineClosed);
    await open({}).close();
  });

  test("a worker that was idle for long is ended, and another takes up the next validation", async () => {
    const opened = open({ idleMs: 1 });
    for (let round = 0; round < 3; round++) {
      expect((await opened.validate(good)).violations).toHaveLength(1);
      await Bun.sleep(20);
    }
  });

  test("1 MB is matched case-insensitively, and 10 MiB of empty lines too", async () => {
    const line = "const value = compute(index) + 12; // and so on\n";
    const content = `${line.repeat(mebibyte / line.length)}// ToDo`;
    expect(await found("(?i)todo", content)).toEqual([[content.split("\n").length, "ToDo"]]);
    const empty = "\n".repeat(10 * mebibyte);
    expect(await found("x", empty)).toEqual([]);
    expect(await found("x", empty.replaceAll("\n", "\r\n"))).toEqual([]);
    expect(await engine.validate({ rules: [rule("^$")], content: empty })).toMatchObject({ truncated: true });
  });
});
