import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  server.json(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
const setRules = (project: string, rules: unknown) => send("PUT", `/api/validate/${project}/rules`, rules);
const validate = (project: string, body: unknown) => send("POST", `/api/validate/${project}`, body);
const rulesOf = async (project: string) => (await server.json(`/api/validate/${project}/rules`)).body.rules;

describe("rules over REST", () => {
  test("a project's rules are replaced together, and come back whole", async () => {
    expect((await setRules("shop", [{ rule_id: "no-todo", pattern: "TODO" }])).body).toEqual({
      project: "shop",
      count: 1,
    });
    expect(await rulesOf("shop")).toEqual([
      {
        rule_id: "no-todo",
        severity: "error",
        match_type: "regex",
        pattern: "TODO",
        message: expect.stringContaining("TODO"),
        applies_to: ["*"],
        stack: "",
        source: "local",
        status: "accepted",
        proposed_by: "",
        context: "",
        project: "shop",
        created_at: expect.any(String),
      },
    ]);
    await setRules("shop", [{ rule_id: "other", pattern: "x" }]);
    expect((await rulesOf("shop")).map(({ rule_id }: any) => rule_id)).toEqual(["other"]);
    expect(await rulesOf("unknown")).toEqual([]);
  });

  test.each([
    [null, "body must be an array of rules"],
    [{}, "body must be an array of rules"],
    [[{ pattern: "x" }], "0.rule_id is required"],
    [[{ rule_id: "a" }], "0.pattern is required"],
    [[{ rule_id: "a", pattern: "x", severity: "fatal" }], '0.severity must be "error" or "warning"'],
    [
      [{ rule_id: "a", pattern: "x", match_type: "fuzzy" }],
      '0.match_type must be "regex", "missing" or "custom"',
    ],
    [
      [
        { rule_id: "a", pattern: "x" },
        { rule_id: "a", pattern: "y" },
      ],
      "1.rule_id is there twice: a",
    ],
    [[{ rule_id: "a", pattern: "(" }], expect.stringContaining("rule a: ")],
    [[{ rule_id: "a", pattern: "(?=x)" }], expect.stringContaining("rule a: ")],
    [[{ rule_id: "a", pattern: "x", applies_to: ["[z-"] }], expect.stringContaining("rule a: ")],
  ])("refuses %p, and the old rules stay", async (rules, error) => {
    await setRules("kept", [{ rule_id: "old", pattern: "x" }]);
    const answer = await setRules("kept", rules);
    expect(answer.status).toBe(400);
    expect(answer.body.error).toEqual(error);
    expect((await rulesOf("kept")).map(({ rule_id }: any) => rule_id)).toEqual(["old"]);
  });

  test("validation finds lines, missing texts and built-in checks", async () => {
    await setRules("v", [
      { rule_id: "todo", pattern: "(?i)todo", severity: "warning", message: "finish it" },
      { rule_id: "licence", match_type: "missing", pattern: "SPDX", message: "no licence" },
      { rule_id: "no-console-log", match_type: "custom", pattern: "no-console-log" },
      { rule_id: "py", pattern: "print", applies_to: ["*.py"] },
    ]);
    const { body } = await validate("v", {
      filename: "src/a.ts",
      content: "a\r\n// todo: x\r\nconsole.log(1)\r\n",
    });
    expect(body).toMatchObject({ project: "v", count: 3 });
    expect(body.violations).toContainEqual({
      rule_id: "todo",
      severity: "warning",
      message: "finish it",
      line: 2,
      match: "todo",
    });
    expect(body.violations).toContainEqual({ rule_id: "licence", severity: "error", message: "no licence" });
    expect(body.violations).toContainEqual(expect.objectContaining({ rule_id: "no-console-log", line: 3 }));
  });

  test("rules of _global apply everywhere, and a stack selects its own and the universal ones", async () => {
    await setRules("_global", [{ rule_id: "global", pattern: "bad" }]);
    await setRules("s", [
      { rule_id: "go", pattern: "bad", stack: "go" },
      { rule_id: "ts", pattern: "bad", stack: "ts" },
    ]);
    const hits = async (stack?: string) =>
      (await validate("s", { content: "bad", stack })).body.violations.map((hit: any) => hit.rule_id).sort();
    expect(await hits("go")).toEqual(["global", "go"]);
    expect(await hits()).toEqual(["global", "go", "ts"]);
    expect((await validate("elsewhere", { content: "bad" })).body.count).toBe(1);
    await setRules("_global", []);
  });

  test("content is required, but may be empty", async () => {
    expect((await validate("v", {})).body).toMatchObject({ code: 400, error: "content is required" });
    expect((await validate("nothing", { content: "" })).body).toEqual({
      project: "nothing",
      violations: [],
      count: 0,
    });
  });

  test("a hostile pattern is stopped with the rule's name, and others do not notice (REGEX-1)", async () => {
    await setRules("evil", [{ rule_id: "slow", pattern: "[ab]{0,1000}[bc]" }]);
    const slow = validate("evil", { content: `${"a".repeat(1_000_000)}b` });
    await Bun.sleep(50);
    expect((await server.ask("/health")).status).toBe(200);
    expect(await slow).toMatchObject({
      status: 422,
      body: { reason: "over_budget", error: expect.stringContaining("slow") },
    });
    expect((await validate("v", { content: "todo SPDX" })).body.count).toBe(1);
  }, 20_000);

  test("a proposed rule counts once it is accepted, and an id that is taken is 409", async () => {
    const proposal = {
      project: "p",
      rule_id: "learned",
      pattern: "oops",
      proposed_by: "alice",
      context: "saw it",
    };
    expect((await send("POST", "/api/rules/propose", proposal)).body).toEqual({
      project: "p",
      rule_id: "learned",
      status: "proposed",
    });
    expect((await validate("p", { content: "oops" })).body.count).toBe(0);
    expect((await send("POST", "/api/rules/propose", proposal)).body).toMatchObject({
      code: 409,
      reason: "already_exists",
    });
    expect((await send("POST", "/api/rules/p/learned/accept")).body.status).toBe("accepted");
    expect((await validate("p", { content: "oops" })).body.count).toBe(1);
    expect((await send("POST", "/api/rules/p/learned/accept")).status).toBe(404);
    expect((await send("POST", "/api/rules/p/unknown/reject")).status).toBe(404);
    await setRules("p", [{ rule_id: "own", pattern: "x" }]);
    expect((await rulesOf("p")).map(({ rule_id, source }: any) => [rule_id, source])).toEqual([
      ["learned", "learned"],
      ["own", "local"],
    ]);
    expect((await send("POST", "/api/rules/propose", { rule_id: "x", pattern: "y" })).body).toMatchObject({
      code: 400,
      path: "project",
    });
  });

  test("a rejected rule never counts, and its id may be proposed again", async () => {
    const proposal = { project: "r", rule_id: "no", pattern: "oops" };
    await send("POST", "/api/rules/propose", proposal);
    expect((await send("POST", "/api/rules/r/no/reject")).body.status).toBe("rejected");
    expect((await validate("r", { content: "oops" })).body.count).toBe(0);
    expect((await send("POST", "/api/rules/propose", proposal)).status).toBe(200);
  });

  test("export gives what import takes, and importing it again changes nothing", async () => {
    await setRules("exp", [{ rule_id: "a", pattern: "x", message: "m" }]);
    const exported = (await server.json("/api/rules/export?source=local")).body;
    expect(exported.length).toBeGreaterThan(0);
    expect((await server.json("/api/rules/export?source=nonsense")).body).toEqual([]);
    expect((await send("POST", "/api/rules/import", exported)).body).toEqual({ imported: exported.length });
    const again = (await server.json("/api/rules/export?source=local")).body;
    const plain = (rules: any[]) => rules.map(({ created_at: _, ...rule }) => rule);
    expect(plain(again)).toEqual(plain(exported));
    expect((await send("POST", "/api/rules/import", {})).status).toBe(400);
  });

  test("proposals by many at once are all there in the end", async () => {
    const proposals = Array.from({ length: 30 }, (_, index) =>
      send("POST", "/api/rules/propose", { project: "crowd", rule_id: `r${index}`, pattern: "x" }),
    );
    expect(new Set((await Promise.all(proposals)).map(({ status }) => status))).toEqual(new Set([200]));
    expect(await rulesOf("crowd")).toHaveLength(30);
  });

  test("a set is written under a condition as values are", async () => {
    await setRules("c", [{ rule_id: "a", pattern: "x" }]);
    const headers = { "X-Koor-If-Version": "7" };
    expect((await send("PUT", "/api/validate/c/rules", [], headers)).body).toMatchObject({
      code: 412,
      current: 1,
    });
    expect((await send("PUT", "/api/validate/c/rules", [], { "X-Koor-If-Version": "1" })).status).toBe(200);
  });
});
