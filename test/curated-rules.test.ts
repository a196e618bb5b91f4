import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { runCli } from "../src/cli/io-for-tests.ts";
import { newRule } from "../src/rules/contract.ts";
import { openRuleEngine } from "../src/rules/engine.ts";
import { type TestServer, startServer } from "./harness.ts";

/** The rule sets of `rules/`, each rule held against the lines of its file in `rules/examples/`. */

const directory = join(import.meta.dir, "../rules");
const sets = readdirSync(directory).filter((name) => name.endsWith(".json"));
const readSet = (name: string): any[] => JSON.parse(readFileSync(join(directory, name), "utf8"));
const rules = sets.flatMap((set) => readSet(set).map((rule) => ({ set, rule: newRule.parse(rule) })));
const examples = readdirSync(join(directory, "examples"));

/** What an example's page says: a file's name, and the lines that are found in it and that are not. */
function readExample(rule_id: string) {
  const page = readFileSync(join(directory, "examples", `${rule_id}.md`), "utf8");
  const [, title, filename, hits, misses] =
    /^# (.+)\n\nIn `(.+)` each of these lines is found:\n\n```\w+\n([^]+?)\n```\n\nand none of these:\n\n```\w+\n([^]+?)\n```\n$/.exec(
      page,
    ) ?? [];
  return {
    title,
    filename: filename ?? "",
    hits: hits?.split("\n") ?? [],
    misses: misses?.split("\n") ?? [],
  };
}

// As long as it takes: whether the machine is fast enough is for bench/rules.ts to say.
const engine = openRuleEngine({ budgetMs: 60_000 });
afterAll(() => engine.close());

describe("the curated rules", () => {
  test("are at least twenty, each of its own id, with an example each and no example for none", () => {
    const ids = rules.map(({ rule }) => rule.rule_id);
    expect(ids.length).toBeGreaterThanOrEqual(20);
    expect(new Set(ids).size).toBe(ids.length);
    expect(examples.toSorted()).toEqual(ids.map((id) => `${id}.md`).toSorted());
  });

  test("say of which stack they are, and what to do instead", () => {
    for (const { set, rule } of rules) {
      expect(rule.stack).toBe(set === "universal.json" ? "" : set.replace(".json", ""));
      expect(rule.message).toMatch(/^.{30,300}\.$/);
      // A rule for what is missing would find every content that comes without a name.
      expect(rule.match_type).toBe("regex");
    }
  });

  test.each(rules.map(({ rule }) => [rule.rule_id, rule] as const))("%s", async (rule_id, rule) => {
    const { title, filename, hits, misses } = readExample(rule_id);
    expect(title).toBe(rule_id);
    const linesFound = async (lines: string[]) => {
      const { violations } = await engine.validate({ rules: [rule], content: lines.join("\n"), filename });
      return violations.map(({ line }) => lines[(line as number) - 1]);
    };
    expect(hits).not.toBeEmpty();
    expect(misses).not.toBeEmpty();
    expect(await linesFound(hits)).toEqual(hits);
    expect(await linesFound(misses)).toEqual([]);
  });

  test("look at the whole of a megabyte, all of them", async () => {
    const line = "  const total = order.items.reduce((sum, item) => sum + item.price * item.count, 0);\n";
    const content = `${line.repeat(Math.ceil(2 ** 20 / line.length))}debugger;\n`;
    const result = await engine.validate({ rules: rules.map(({ rule }) => rule), content });
    expect(result.violations.map(({ rule_id }) => rule_id)).toEqual(["ts-debugger"]);
  });
});

describe("koor-cli rules import --file rules/...", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.dispose());

  test("takes every set, for all projects, and a second time changes nothing", async () => {
    const env = { KOOR_SERVER: server.url };
    for (const set of sets) {
      const run = await runCli(["rules", "import", "--file", join(directory, set)], { env });
      expect(run).toMatchObject({ exit: 0, stdout: `{"imported":${readSet(set).length}}\n` });
    }
    const list = async () => (await runCli(["rules", "list", "_global"], { env })).stdout;
    const before = await list();
    expect(JSON.parse(before)).toHaveLength(rules.length);
    for (const set of sets) await runCli(["rules", "import", "--file", join(directory, set)], { env });
    expect(await list()).toBe(before);
    const { stdout } = await runCli(["validate", "any", "-", "--filename", "a.ts"], {
      env,
      stdin: "eval(x)",
    });
    expect(stdout).toStartWith("a.ts:1: error: Text is run as code.");
  });
});
