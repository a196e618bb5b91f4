import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestServer, startServer } from "./harness.ts";
import { sqlOn } from "./rows.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  server.json(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
const setRules = (project: string, rules: unknown) => send("PUT", `/api/validate/${project}/rules`, rules);
const validate = (project: string, body: unknown) => send("POST", `/api/validate/${project}`, body);
const propose = (project: string, rule_id: string, pattern = "oops") =>
  send("POST", "/api/rules/propose", { project, rule_id, pattern });
const importRules = (body: unknown, headers?: Record<string, string>) =>
  send("POST", "/api/rules/import", body, headers);
/** Which rules a query of `GET /api/rules` finds, as `project/rule_id`. */
const found = async (query: string) =>
  (await server.json(`/api/rules?${query}`)).body.map((rule: any) => `${rule.project}/${rule.rule_id}`);
/** The version of a project's set, as a refused write tells it. */
const versionOf = async (project: string) =>
  (await send("PUT", `/api/validate/${project}/rules`, [], { "X-Koor-If-Version": "999999" })).body.current;
/** Action, resource and detail of the audit rows of one project's rules, oldest first. */
async function auditOf(project: string) {
  const sql = `select action, resource, detail from audit
    where outcome = 'ok' and (resource = $1 or resource like $2) order by id`;
  const rows = await sqlOn(server, sql, project, `${project}/%`);
  return rows.map((row) => ({ ...row, detail: JSON.parse(row.detail) }));
}
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
  });

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

  test("a proposed rule is tried where that is asked for, after those that count, and nobody is counted for it", async () => {
    await propose("tried", "waits", "oo");
    await propose("tried", "no", "oo");
    await send("POST", "/api/rules/tried/no/reject");
    await importRules([{ project: "tried", rule_id: "counts", pattern: "oops" }]);
    const content = "oops";
    expect((await validate("tried", { content })).body.violations.map((one: any) => one.rule_id)).toEqual([
      "counts",
    ]);
    const { violations } = (await validate("tried", { content, include_proposed: true })).body;
    expect(violations).toEqual([
      { rule_id: "counts", severity: "error", message: expect.any(String), line: 1, match: "oops" },
      {
        rule_id: "waits",
        severity: "error",
        message: expect.any(String),
        line: 1,
        match: "oo",
        proposed: true,
      },
    ]);
    expect((await validate("tried", { content, include_proposed: "yes" })).body).toMatchObject({
      code: 400,
      path: "include_proposed",
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

  test("rules are found by project, source, status and stack, which match whole values", async () => {
    await setRules("f1", [{ rule_id: "own", pattern: "x" }]);
    await importRules([{ project: "f1", rule_id: "ext", pattern: "x", stack: "f-go" }]);
    await propose("f2", "waits");
    await propose("f2", "no");
    await send("POST", "/api/rules/f2/no/reject");
    expect(await found("project=f1")).toEqual(["f1/own", "f1/ext"]);
    expect(await found("project=f1&source=external")).toEqual(["f1/ext"]);
    expect(await found("project=f1&source=external,local")).toEqual(["f1/own", "f1/ext"]);
    expect(await found("project=f2&status=proposed")).toEqual(["f2/waits"]);
    expect(await found("project=f2&status=proposed,rejected")).toEqual(["f2/waits", "f2/no"]);
    expect(await found("project=f1&stack=f-go")).toEqual(["f1/own", "f1/ext"]);
    expect(await found("project=f1&stack=f-rust")).toEqual(["f1/own"]);
    const everywhere = await found("status=proposed");
    expect(everywhere).toContain("f2/waits");
    for (const nothing of ["project=f%25", "status=propose", "source=nonsense", "project=F1"])
      expect(await found(nothing)).toEqual([]);
    expect((await server.json("/api/rules?project=f1&source=local")).body).toEqual([
      expect.objectContaining({ rule_id: "own", status: "accepted", source: "local", project: "f1" }),
    ]);
  });

  test("a rule of any source and status can be deleted, once", async () => {
    await setRules("d", [{ rule_id: "own/with slash", pattern: "x" }]);
    await propose("d", "waits");
    expect((await send("DELETE", "/api/rules/d/own%2Fwith%20slash")).body).toEqual({
      deleted: "d/own/with slash",
    });
    expect((await send("DELETE", "/api/rules/d/waits")).status).toBe(200);
    expect(await rulesOf("d")).toEqual([]);
    expect((await send("DELETE", "/api/rules/d/waits")).body).toMatchObject({
      code: 404,
      reason: "not_found",
      error: "no rule waits in project d",
    });
    expect((await send("DELETE", "/api/rules/unknown/r")).status).toBe(404);
    expect((await propose("d", "waits")).status).toBe(200);
  });

  test("a proposal is judged once, and by nobody after that", async () => {
    await propose("j", "a");
    await propose("j", "b");
    const judge = (id: string, verdict: string) => send("POST", `/api/rules/j/${id}/${verdict}`);
    expect((await judge("a", "reject")).body).toEqual({ project: "j", rule_id: "a", status: "rejected" });
    expect((await judge("a", "accept")).status).toBe(404);
    expect((await judge("b", "accept")).status).toBe(200);
    expect((await judge("b", "reject")).body).toMatchObject({ code: 404, reason: "not_found" });
    await setRules("j", [{ rule_id: "local", pattern: "x" }]);
    expect((await judge("local", "reject")).status).toBe(404);
    expect((await propose("j", "local")).body).toMatchObject({ code: 409, path: "rule_id" });
    expect((await propose("j", "b")).status).toBe(409);
  });

  test("a rule is judged or deleted under the version of its project's rules that was read, if one is named", async () => {
    await propose("seen", "a");
    const seen = { "If-Match": (await server.ask("/api/validate/seen/rules")).headers.get("etag") ?? "" };
    await propose("seen", "b");
    for (const [method, path] of [
      ["POST", "/api/rules/seen/a/accept"],
      ["POST", "/api/rules/seen/a/reject"],
      ["DELETE", "/api/rules/seen/a"],
    ] as const)
      expect((await send(method, path, undefined, seen)).body).toMatchObject({
        reason: "version_mismatch",
        current: 2,
      });
    expect((await rulesOf("seen"))[0]).toMatchObject({ rule_id: "a", status: "proposed" });
    const now = { "X-Koor-If-Version": "2" };
    expect((await send("POST", "/api/rules/seen/a/accept", undefined, now)).status).toBe(200);
  });

  test("replacing a project's rules leaves proposed, learned and imported ones where they are", async () => {
    await propose("keep", "waits");
    await propose("keep", "learned");
    await send("POST", "/api/rules/keep/learned/accept");
    await importRules([{ project: "keep", rule_id: "ext", pattern: "x" }]);
    await setRules("keep", [{ rule_id: "one", pattern: "x" }]);
    await setRules("keep", [{ rule_id: "two", pattern: "x" }]);
    const status = async () => (await rulesOf("keep")).map((rule: any) => [rule.rule_id, rule.status]);
    const everything = [
      ["waits", "proposed"],
      ["learned", "accepted"],
      ["ext", "accepted"],
      ["two", "accepted"],
    ];
    expect(await status()).toEqual(everything);
    // Who reads all, changes something and writes all back has not accepted what waits.
    expect((await setRules("keep", await rulesOf("keep"))).body).toMatchObject({
      code: 409,
      reason: "already_exists",
      path: "0.rule_id",
    });
    expect(await status()).toEqual(everything);
    await setRules("keep", []);
    expect(await status()).toEqual(everything.slice(0, 3));
  });

  test("an import takes an array or an object with one, and what names no project is for all", async () => {
    expect((await importRules({ rules: [{ rule_id: "i-1", pattern: "i-bad" }] })).body).toEqual({
      imported: 1,
    });
    expect((await validate("anything", { content: "i-bad" })).body.violations).toMatchObject([
      { rule_id: "i-1" },
    ]);
    expect((await server.json("/api/rules?project=_global")).body).toMatchObject([
      { rule_id: "i-1", source: "external", status: "accepted", project: "_global" },
    ]);
    expect((await importRules([])).body).toEqual({ imported: 0 });
    await send("DELETE", "/api/rules/_global/i-1");
  });

  test.each([
    [{}, "rules must be an array of rules", "rules"],
    [null, "body must be an array of rules", "body"],
    ["x", "body must be an array of rules", "body"],
    [{ rules: [{ rule_id: "a" }] }, "rules.0.pattern is required", "rules.0.pattern"],
    [[{ project: "all", rule_id: "a", pattern: "x", source: "elsewhere" }], undefined, "0.source"],
    [
      [
        { project: "all", rule_id: "fine", pattern: "x" },
        { project: "none", rule_id: "b", pattern: "(?=x)" },
      ],
      undefined,
      "1.pattern",
    ],
    [[{ project: "all", rule_id: "g", pattern: "x", applies_to: ["[z-"] }], undefined, "0.applies_to"],
    [
      [
        { rule_id: "a", pattern: "x" },
        { project: "_global", rule_id: "a", pattern: "y" },
      ],
      "1.rule_id is there twice: a",
      "1.rule_id",
    ],
    [{ rules: [{ rule_id: "b", pattern: "(?=x)" }] }, undefined, "rules.0.pattern"],
    [{ rules: [{ rule_id: "g", pattern: "x", applies_to: ["[z-"] }] }, undefined, "rules.0.applies_to"],
    [
      {
        rules: [
          { rule_id: "a", pattern: "x" },
          { rule_id: "a", pattern: "y" },
        ],
      },
      "rules.1.rule_id is there twice: a",
      "rules.1.rule_id",
    ],
  ])("an import of %j is refused, and nothing of it is stored (LIMIT-1)", async (body, error, path) => {
    const answer = await importRules(body);
    expect(answer.body).toMatchObject({ code: 400, reason: "bad_request", path, ...(error && { error }) });
    expect(await found("project=all")).toEqual([]);
    expect(await found("project=_global")).toEqual([]);
  });

  test("a project over its bound refuses the whole import, for others too (LIMIT-1)", async () => {
    const many = (project: string, count: number) =>
      Array.from({ length: count }, (_, index) => ({ project, rule_id: `r${index}`, pattern: "x" }));
    const answer = await importRules([...many("under", 1), ...many("over", 1001)]);
    expect(answer.body).toMatchObject({ code: 400, error: expect.stringContaining("more than 1000 rules") });
    expect(await found("project=under")).toEqual([]);
    expect((await importRules(many("over", 1000))).body).toEqual({ imported: 1000 });
    expect((await propose("over", "one more")).status).toBe(400);
    expect((await importRules([{ rule_id: "x", pattern: "x".repeat(1_100_000) }])).status).toBe(413);
  });

  test("importing what is there makes no version and no audit row, not even when one project of two changes", async () => {
    const rule = (project: string, more = {}) => ({ project, rule_id: "a", pattern: "x", ...more });
    await importRules([rule("same"), rule("other"), { project: "same", rule_id: "z", pattern: "z" }]);
    const before = await rulesOf("same");
    expect(await versionOf("same")).toBe(1);
    await importRules([rule("same")]);
    await importRules([{ project: "same", rule_id: "z", pattern: "z" }, rule("same")]);
    await importRules([rule("same"), rule("other", { message: "new" })]);
    expect([await versionOf("same"), await versionOf("other")]).toEqual([1, 2]);
    expect(await rulesOf("same")).toEqual(before);
    expect(await auditOf("same")).toHaveLength(1);
    expect(await auditOf("other")).toHaveLength(2);
  });

  test("an imported rule takes the place of its id: where it stood, and as old as it was", async () => {
    const rules = ["a", "b"].map((rule_id) => ({ project: "place", rule_id, pattern: "x" }));
    await importRules(rules);
    const [{ created_at }] = await rulesOf("place");
    await Bun.sleep(2);
    await importRules([{ ...rules[0], pattern: "y", severity: "warning" }]);
    expect(await rulesOf("place")).toMatchObject([
      { rule_id: "a", pattern: "y", severity: "warning", created_at },
      { rule_id: "b" },
    ]);
  });

  test("an export without a source is what people here agreed on, not what others made", async () => {
    await setRules("e", [{ rule_id: "own", pattern: "x" }]);
    await importRules([{ project: "e", rule_id: "ext", pattern: "x" }]);
    await propose("e", "learned");
    await propose("e", "waits");
    await send("POST", "/api/rules/e/learned/accept");
    const exported = async (query: string) =>
      (await server.json(`/api/rules/export${query}`)).body
        .filter(({ project }: any) => project === "e")
        .map(({ rule_id }: any) => rule_id);
    expect(await exported("")).toEqual(["own", "learned"]);
    expect(await exported("?source=")).toEqual(["own", "learned"]);
    expect(await exported("?source=external")).toEqual(["ext"]);
    expect(await exported("?source=external,%20local")).toEqual(["own", "ext"]);
    expect(await exported("?source=nonsense")).toEqual([]);
    expect(await exported("?source=nonsense,local")).toEqual(["own"]);
  });

  test("what is said in the audit names the rule", async () => {
    await propose("aud", "a");
    await send("POST", "/api/rules/aud/a/accept");
    await setRules("aud", []);
    await send("DELETE", "/api/rules/aud/a");
    expect(await auditOf("aud")).toMatchObject([
      { action: "rule.propose", detail: { rule_id: "a", version: 1 } },
      { action: "rule.accept", detail: { rule_id: "a", version: 2 } },
      { action: "rules.put", detail: { count: 0, version: 3 } },
      { action: "rule.delete", detail: { rule_id: "a", version: 4 } },
    ]);
  });

  test("a change that is sent again under its key takes effect once (IDEM-1)", async () => {
    const headers = (key: string) => ({ "Idempotency-Key": key });
    const proposal = { project: "idem", rule_id: "a", pattern: "x" };
    const twice = async (method: string, path: string, body?: unknown) => {
      const first = await send(method, path, body, headers(`${method} ${path}`));
      const second = await send(method, path, body, headers(`${method} ${path}`));
      expect([first.status, second.body]).toEqual([200, first.body]);
    };
    await twice("POST", "/api/rules/propose", proposal);
    await twice("POST", "/api/rules/idem/a/accept");
    await twice("POST", "/api/rules/import", [{ project: "idem", rule_id: "b", pattern: "x" }]);
    await twice("DELETE", "/api/rules/idem/a");
    expect(await versionOf("idem")).toBe(4);
    expect(await auditOf("idem")).toHaveLength(4);
  });

  test("without the server's token no rule is read or changed (AUTH-1)", async () => {
    const closed = await startServer(["--auth-token", "secret"]);
    try {
      for (const [method, path] of [
        ["GET", "/api/rules"],
        ["GET", "/api/rules/export"],
        ["POST", "/api/rules/import"],
        ["POST", "/api/rules/propose"],
        ["POST", "/api/rules/p/r/accept"],
        ["POST", "/api/rules/p/r/reject"],
        ["DELETE", "/api/rules/p/r"],
      ] as const)
        expect((await closed.ask(path, { method })).status).toBe(401);
    } finally {
      await closed.dispose();
    }
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
