import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { emptyDirectory, runCli } from "../src/cli/io-for-tests.ts";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
const clock = { now: Date.parse("2026-11-01T12:00:00Z") };
beforeAll(async () => {
  server = await startServer([], { now: () => clock.now });
});
afterAll(() => server.dispose());

const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  server.json(path, {
    method,
    headers,
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
const create = (template: unknown, headers: Record<string, string> = {}) =>
  send("POST", "/api/templates", template, headers);
const get = async (id: string, query = "") => (await send("GET", `/api/templates/${id}${query}`)).body;
const apply = (id: string, project: unknown, headers: Record<string, string> = {}) =>
  send("POST", `/api/templates/${id}/apply`, { project }, headers);
const rulesOf = async (project: string) =>
  (await send("GET", `/api/validate/${project}/rules`)).body.rules as any[];
const specsOf = async (project: string) => (await send("GET", `/api/specs/${project}`)).body.specs as any[];
const lastChange = async () => (await send("GET", "/api/changes/next?wait=0")).body.last_id as number;

const noTodo = { rule_id: "no-todo", severity: "warning", pattern: "(?i)todo", message: "Finish it" };
const contract = {
  kind: "contract",
  version: 1,
  endpoints: { "GET /x": { response: { id: { type: "string" } } } },
};

describe("templates over REST", () => {
  test("a fresh server has none", async () => {
    expect((await send("GET", "/api/templates")).body).toEqual([]);
  });

  test("only an id and a name are required, and the kind is rules unless said", async () => {
    const { status, headers, body } = await create({ id: "least", name: "Least" });
    expect(status).toBe(200);
    const made = {
      id: "least",
      name: "Least",
      description: "",
      kind: "rules",
      tags: [],
      version: 1,
      created_at: "2026-11-01T12:00:00.000Z",
      updated_at: "2026-11-01T12:00:00.000Z",
    };
    expect(body).toEqual(made);
    expect(headers.get("x-koor-version")).toBe("1");
    expect(await get("least")).toEqual({ ...made, data: null });
    expect((await create({ id: "empty kind", name: "n", kind: "", tags: null })).body).toMatchObject({
      kind: "rules",
      tags: [],
    });
  });

  test("data comes back as the JSON it was, and lists leave it out", async () => {
    const data = '{"a": [12345678901234567890, 1.0, {"__proto__": 1}]}';
    await create(`{"id":"raw","name":"raw","kind":"bundle","tags":["x","y"],"data":${data}}`);
    expect(await (await server.ask("/api/templates/raw")).text()).toEndWith(`"data":${data}}`);
    const list = (await send("GET", "/api/templates")).body;
    expect(list.map(({ id }: any) => id)).toContain("raw");
    expect(list.every((one: object) => !("data" in one))).toBe(true);
    const ids = async (query: string) =>
      (await send("GET", `/api/templates?${query}`)).body.map(({ id }: any) => id);
    expect(await ids("kind=bundle&tag=y")).toEqual(["raw"]);
    expect(await ids("tag=%25")).toEqual([]);
    expect(await ids("kind=contracts")).toEqual([]);
    expect((await send("GET", "/api/templates?kind=other")).body).toMatchObject({ code: 400, path: "kind" });
  });

  test.each([
    [{}, "id is required", "id"],
    [{ id: "x" }, "name is required", "name"],
    [{ id: "", name: "x" }, "id is required", "id"],
    [{ id: "x", name: 7 }, "name must be a text", "name"],
    [{ id: "x", name: "x", kind: "other" }, 'kind must be "rules", "contracts" or "bundle"', "kind"],
    [{ id: "x", name: "x", tags: "a" }, "tags must be an array of texts", "tags"],
    [{ id: "x", name: "x", tags: [1] }, "tags.0 must be a text", "tags.0"],
    [{ id: "x".repeat(513), name: "x" }, "id is longer than 512 bytes", "id"],
  ])("refuses %j", async (body, error, path) => {
    expect(await create(body)).toMatchObject({ status: 400, body: { error, path } });
  });

  test("an id in use is refused, and is replaced under its version; old versions stay", async () => {
    const first = { id: "again", name: "one", data: [noTodo] };
    await create(first);
    expect(await create(first)).toMatchObject({
      status: 409,
      body: { reason: "already_exists", path: "id", current: 1 },
    });
    clock.now += 1000;
    const second = { id: "again", name: "two", data: [] };
    expect(await create(second, { "X-Koor-If-Version": "7" })).toMatchObject({ status: 412 });
    const { body } = await create(second, { "X-Koor-If-Version": "1" });
    expect(body).toMatchObject({ name: "two", version: 2 });
    expect(Date.parse(body.updated_at) - Date.parse(body.created_at)).toBe(1000);
    expect(await get("again", "?version=1")).toMatchObject({ name: "one", version: 1, data: [noTodo] });
    expect((await get("again", "?history=1")).versions).toMatchObject([{ version: 2 }, { version: 1 }]);
    expect(await get("again", "?version=3")).toMatchObject({
      code: 404,
      error: "version 3 not found: again",
      hint: "List its versions: koor-cli templates history again",
    });
    expect(await create(second, { "If-None-Match": "*" })).toMatchObject({ status: 412 });
  });

  test("what is not there is said, and what is deleted keeps its versions", async () => {
    for (const [method, path] of [
      ["GET", "/api/templates/none"],
      ["DELETE", "/api/templates/none"],
    ] as const)
      expect((await send(method, path)).body).toMatchObject({ code: 404, error: "template not found: none" });
    expect((await apply("none", "p")).body).toMatchObject({ code: 404 });
    await create({ id: "a/b c", name: "n", data: 1 });
    expect((await send("DELETE", "/api/templates/a%2Fb%20c")).body).toEqual({ deleted: "a/b c" });
    expect((await send("GET", "/api/templates/a%2Fb%20c")).status).toBe(404);
    expect((await create({ id: "a/b c", name: "n", data: 2 })).body).toMatchObject({ version: 3 });
    expect(await get("a%2Fb%20c", "?version=1")).toMatchObject({ data: 1 });
    expect((await get("a%2Fb%20c", "?version=2")).code).toBe(404);
  });

  test("an idempotency key makes one once; without the server's token nothing is done", async () => {
    const template = { id: "once", name: "once" };
    const key = { "Idempotency-Key": "k" };
    const { body } = await create(template, key);
    expect((await create(template, key)).body).toEqual(body);
    const locked = await startServer(["--auth-token", "secret"]);
    for (const [method, path] of [
      ["POST", "/api/templates"],
      ["GET", "/api/templates"],
      ["GET", "/api/templates/x"],
      ["DELETE", "/api/templates/x"],
      ["POST", "/api/templates/x/apply"],
    ] as const)
      expect((await locked.json(path, { method })).status).toBe(401);
    await locked.dispose();
  });
});

describe("applying a template", () => {
  test("imports rules into the project, whatever project they name", async () => {
    await create({ id: "r1", name: "r1", data: { rules: [{ ...noTodo, project: "elsewhere" }] } });
    expect((await apply("r1", "shop")).body).toEqual({ applied: "r1", project: "shop", kind: "rules" });
    expect(await rulesOf("shop")).toMatchObject([
      { ...noTodo, project: "shop", source: "external", status: "accepted" },
    ]);
    expect(await rulesOf("elsewhere")).toEqual([]);
    const { body } = await send("POST", "/api/validate/shop", { content: "// TODO" });
    expect(body.violations).toMatchObject([{ rule_id: "no-todo", line: 1 }]);
  });

  test("makes a contract a spec of the template's name", async () => {
    await create({ id: "c1", name: "orders", kind: "contracts", data: contract });
    expect((await apply("c1", "contracts")).body).toEqual({
      applied: "c1",
      project: "contracts",
      kind: "contracts",
    });
    expect((await send("GET", "/api/specs/contracts/orders")).body).toEqual(contract);
    expect((await send("GET", "/api/contracts/contracts/orders")).body).toMatchObject({
      endpoints: ["GET /x"],
    });
  });

  test("makes a bundle a spec of the template's name, its contracts specs and its rules rules", async () => {
    const text =
      '{"note":12345678901234567890,"rules":[{"rule_id":"r","pattern":"x"}],"contracts":{"a":{"kind": "contract"},"__proto__":{"kind": "contract"}}}';
    await create(`{"id":"b1","name":"start","kind":"bundle","data":${text}}`);
    expect((await apply("b1", "bundled")).body).toEqual({
      applied: "b1",
      project: "bundled",
      kind: "bundle",
    });
    expect(await (await server.ask("/api/specs/bundled/start")).text()).toBe(text);
    expect(await (await server.ask("/api/specs/bundled/a")).text()).toBe('{"kind": "contract"}');
    expect((await specsOf("bundled")).map(({ name }) => name)).toEqual(["__proto__", "a", "start"]);
    expect(await rulesOf("bundled")).toMatchObject([{ rule_id: "r" }]);
    await create({ id: "b2", name: "plain", kind: "bundle", data: { anything: [1] } });
    await apply("b2", "bundled");
    expect((await send("GET", "/api/specs/bundled/plain")).body).toEqual({ anything: [1] });
  });

  test("again changes nothing", async () => {
    await create({
      id: "twice",
      name: "twice",
      kind: "bundle",
      data: { rules: [noTodo], contracts: { a: contract } },
    });
    await apply("twice", "twice");
    const before = await lastChange();
    expect((await apply("twice", "twice")).status).toBe(200);
    expect(await lastChange()).toBe(before);
    expect((await specsOf("twice")).map(({ version }) => version)).toEqual([1, 1]);
  });

  test.each([
    ["rules", null, "data", "must be"],
    ["rules", 7, "data", "must be"],
    ["rules", [noTodo, { rule_id: "x", pattern: "(?=x)" }], "data.1.pattern", "rule x"],
    ["rules", { rules: [{ rule_id: "x", pattern: "[" }] }, "data.rules.0.pattern", "rule x"],
    ["rules", { rules: [noTodo, noTodo] }, "data.rules.1.rule_id", "twice"],
    ["rules", [{ pattern: "x" }], "data.0.rule_id", "is required"],
    ["contracts", null, "data", "must be a contract"],
    ["contracts", [contract], "data", "must be a contract"],
    ["contracts", { a: 1 }, "data", "is no contract"],
    [
      "contracts",
      { kind: "contract", endpoints: { "GET /x": { request: { a: { type: "int" } } } } },
      "data.endpoints.GET /x.request.a.type",
      "must be one of",
    ],
    ["bundle", null, "data", "must be an object"],
    ["bundle", { rules: {} }, "data.rules", "must be an array of rules"],
    ["bundle", { rules: [{ rule_id: "x", pattern: "[" }] }, "data.rules.0.pattern", "rule x"],
    ["bundle", { contracts: [] }, "data.contracts", "must be an object"],
    ["bundle", { contracts: { a: contract, b: { no: 1 } } }, "data.contracts.b", "is no contract"],
    ["bundle", { contracts: { "": contract } }, "data.contracts.", "is required"],
    ["bundle", { contracts: { bad: contract } }, "data.contracts.bad", "the template's own name"],
    [
      "bundle",
      { rules: [noTodo], contracts: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [n, contract])) },
      "data.contracts",
      "more than 64",
    ],
  ])("of kind %s refuses %j, and stores nothing", async (kind, data, path, error) => {
    await send("DELETE", "/api/templates/bad");
    await create({ id: "bad", name: "bad", kind, data });
    const refused = await apply("bad", "refusing");
    expect(refused).toMatchObject({ status: 400, body: { path, error: expect.stringContaining(error) } });
    expect(await specsOf("refusing")).toEqual([]);
    expect(await rulesOf("refusing")).toEqual([]);
  });

  test("a contract nested 5,000 levels deep is refused, and stores nothing (LIMIT-1)", async () => {
    const deep = `{"kind":"contract","endpoints":{"GET /x":{"request":{"a":${'{"items":'.repeat(5000)}{}${"}".repeat(5001)}}}}`;
    for (const [kind, data] of [
      ["contracts", deep],
      ["bundle", `{"rules":[{"rule_id":"r","pattern":"x"}],"contracts":{"deep":${deep}}}`],
    ]) {
      await send("DELETE", "/api/templates/deep");
      expect((await create(`{"id":"deep","name":"n","kind":"${kind}","data":${data}}`)).status).toBe(200);
      const refused = await apply("deep", "deep");
      expect(refused).toMatchObject({ status: 400, body: { path: expect.stringMatching(/^data/) } });
      expect(await specsOf("deep")).toEqual([]);
      expect(await rulesOf("deep")).toEqual([]);
    }
  });

  test("data of any depth is kept as it is, and refused when it is to be used (LIMIT-1)", async () => {
    const deep = "[".repeat(300_000) + "]".repeat(300_000);
    for (const [kind, data] of [
      ["rules", deep],
      ["contracts", `{"kind":"contract","x":${deep}}`],
      ["bundle", `{"contracts":{"x":{"$schema":"x","a":${deep}}}}`],
    ]) {
      await send("DELETE", "/api/templates/deepest");
      expect((await create(`{"id":"deepest","name":"n","kind":"${kind}","data":${data}}`)).status).toBe(200);
      expect(await (await server.ask("/api/templates/deepest")).text()).toEndWith(`"data":${data}}`);
      expect(await apply("deepest", "deepest")).toMatchObject({
        status: 400,
        body: { path: expect.stringMatching(/^data/) },
      });
    }
    expect(await specsOf("deepest")).toEqual([]);
  });

  test("is all or nothing: what breaks a promise leaves the rules as they were (TXN-1, COMPAT-1)", async () => {
    await send("PUT", "/api/specs/kept/orders", contract);
    await send("PUT", "/api/contracts/kept/orders/compatibility", { mode: "full" });
    const renamed = { ...contract, endpoints: { "GET /x": { response: { key: { type: "string" } } } } };
    await create({
      id: "breaks",
      name: "breaks",
      kind: "bundle",
      data: { rules: [noTodo], contracts: { orders: renamed } },
    });
    expect(await apply("breaks", "kept")).toMatchObject({ status: 409, body: { reason: "incompatible" } });
    expect(await rulesOf("kept")).toEqual([]);
    expect(await specsOf("kept")).toMatchObject([{ name: "orders", version: 1 }]);
  });

  test("a strict server does not let it overwrite what differs", async () => {
    const strict = await startServer(["--strict-writes"]);
    const post = (path: string, body: unknown) =>
      strict.json(path, { method: "POST", body: JSON.stringify(body) });
    await post("/api/templates", { id: "c", name: "c", kind: "contracts", data: contract });
    const asked = { project: "p" };
    expect((await post("/api/templates/c/apply", asked)).status).toBe(200);
    expect((await post("/api/templates/c/apply", asked)).status).toBe(200);
    await strict.ask("/api/specs/p/c", {
      method: "PUT",
      body: '{"other":1}',
      headers: { "X-Koor-If-Version": "1" },
    });
    expect(await post("/api/templates/c/apply", asked)).toMatchObject({
      status: 428,
      body: { reason: "precondition_required" },
    });
    await strict.dispose();
  });

  test("many at once, of one template and of many, each come to what they say", async () => {
    const ids = Array.from({ length: 8 }, (_, index) => `many${index}`);
    for (const id of ids)
      await create({ id, name: id, kind: "bundle", data: { rules: [{ rule_id: id, pattern: "x" }] } });
    const asked = ids.flatMap((id) => [apply(id, "many"), apply(id, "many")]);
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(asked.map(() => 200));
    expect(new Set((await rulesOf("many")).map(({ rule_id }) => rule_id))).toEqual(new Set(ids));
    expect((await specsOf("many")).map(({ version }) => version)).toEqual(ids.map(() => 1));
  });

  test("is in the audit under the names of what it changed, with the template", async () => {
    const after = await lastChange();
    await create({ id: "told", name: "told", kind: "bundle", data: { rules: [noTodo] } });
    await apply("told", "told", { "Idempotency-Key": "apply" });
    expect((await apply("told", "told", { "Idempotency-Key": "apply" })).status).toBe(200);
    await send("DELETE", "/api/templates/told");
    const { events } = (await send("GET", `/api/changes/next?after=${after}`)).body;
    expect(events.map(({ topic, action }: any) => [topic, action])).toEqual([
      ["templates.told", "template.create"],
      ["specs.told/told", "spec.put"],
      ["rules.told", "rules.import"],
      ["templates.told", "template.apply"],
      ["templates.told", "template.delete"],
    ]);
  });

  test("a project is required", async () => {
    expect((await apply("r1", undefined)).body).toMatchObject({ code: 400, error: "project is required" });
    expect((await apply("r1", 7)).body).toMatchObject({ code: 400, path: "project" });
  });
});

describe("templates by the command line", () => {
  const directory = emptyDirectory();
  const cli = (...argv: string[]) => runCli(argv, { env: { KOOR_SERVER: server.url }, cwd: directory });

  test("create, list, get, apply and delete, as its documentation has them", async () => {
    writeFileSync(join(directory, "rules.json"), JSON.stringify([noTodo]));
    const made = await cli(
      "templates",
      "create",
      "--id",
      "cli",
      "--name",
      "Cli",
      "--kind",
      "rules",
      "--file",
      "rules.json",
      "--tags",
      "a, b",
    );
    expect(JSON.parse(made.stdout)).toMatchObject({
      id: "cli",
      name: "Cli",
      kind: "rules",
      tags: ["a", "b"],
    });
    expect(
      JSON.parse((await cli("templates", "list", "--kind", "rules", "--tag", "b")).stdout),
    ).toMatchObject([{ id: "cli" }]);
    expect(JSON.parse((await cli("templates", "get", "cli")).stdout)).toMatchObject({ data: [noTodo] });
    expect(JSON.parse((await cli("templates", "apply", "cli", "--project", "cli")).stdout)).toEqual({
      applied: "cli",
      project: "cli",
      kind: "rules",
    });
    expect(await cli("templates", "create", "--id", "cli", "--name", "Cli")).toMatchObject({ exit: 4 });
    const again = await cli("templates", "create", "--id", "cli", "--name", "New", "--if-version", "1");
    expect(JSON.parse(again.stdout)).toMatchObject({ name: "New", version: 2 });
    expect(await cli("templates", "delete", "cli")).toMatchObject({ exit: 0, stdout: '{"deleted":"cli"}\n' });
    expect((await cli("templates", "get", "cli")).exit).toBe(3);
  });

  test("a template goes to a file, and comes out of it on another server as it was", async () => {
    const data = '{"n":12345678901234567890}';
    await create(`{"id":"file","name":"file","kind":"bundle","description":"d","tags":["t"],"data":${data}}`);
    const told = await cli("templates", "get", "file", "--output", "file.json");
    expect(JSON.parse(told.stdout)).toMatchObject({ id: "file", file: "file.json" });
    const other = await startServer();
    const there = await runCli(["templates", "create", "--file", "file.json"], {
      env: { KOOR_SERVER: other.url },
      cwd: directory,
    });
    expect(JSON.parse(there.stdout)).toMatchObject({ id: "file", description: "d", tags: ["t"], version: 1 });
    expect(await (await other.ask("/api/templates/file")).text()).toEndWith(`"data":${data}}`);
    await other.dispose();
  });

  test.each([
    [["--id", "x"], "needs --id and --name"],
    [[], "needs --id and --name"],
    [["--file", "none.json"], "there is no such file"],
    [["--data", "{"], "is not JSON"],
    [["--data", "{}", "--tags", "a"], "--tags is of a template"],
    [["--data", "{}"], "id is required"],
    [["--id", "x", "--name", "x", "--if-version", "y"], "must be a whole number"],
  ])("%j is refused", async (flags, words) => {
    const refused = await cli("templates", "create", ...flags);
    expect(refused).toMatchObject({ exit: 1, stdout: "" });
    expect(refused.stderr).toContain(words);
  });
});
