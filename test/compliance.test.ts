import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { runCli } from "../src/cli/io-for-tests.ts";
import { openApiDocument } from "../src/http/openapi.ts";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
const clock = { now: Date.parse("2026-11-01T12:00:00Z") };
beforeAll(async () => {
  server = await startServer([], { now: () => clock.now });
});
afterAll(() => server.dispose());

const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  server.json(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
const put = (name: string, spec: unknown) => send("PUT", `/api/specs/${name}`, spec);
const check = (headers: Record<string, string> = {}) =>
  send("POST", "/api/compliance/run", undefined, headers);
const history = async (query = "") => (await send("GET", `/api/compliance/history${query}`)).body;
const lastEvent = async () => (await send("GET", "/api/metrics")).body.last_event_id as number;
const eventsAfter = async (id: number) =>
  (await send("GET", `/api/events/history?after=${id}&topic=compliance.*`)).body as any[];

async function register(name: string, workspace: string, activate = true): Promise<string> {
  clock.now += 1;
  const { id } = (await send("POST", "/api/instances/register", { name, workspace })).body;
  if (activate) await send("POST", `/api/instances/${id}/activate`);
  return id as string;
}

const withEndpoints = (endpoints: object) => ({ kind: "contract", version: 1, endpoints });
const sound = withEndpoints({ "GET /x": { response: { id: { type: "string" } } } });
const silent = withEndpoints({ "GET /x": { response_status: 204 }, "GET /y": { query: {} } });

describe("compliance over REST", () => {
  test("a fresh server has checked nothing, and a check without anybody at work finds nothing", async () => {
    expect(await history()).toEqual([]);
    await put("nobody/api", silent);
    expect((await check()).body).toEqual({ checked: true, runs: [], count: 0 });
    expect(await history()).toEqual([]);
    expect((await send("GET", "/api/events/history")).body).toEqual([]);
  });

  test("every contract of the projects that active instances work on is checked, for each of them", async () => {
    const [one, two] = [await register("one", "shop"), await register("two", "shop")];
    await register("pending", "shop", false);
    await register("without a project", "");
    await put("shop/good", sound);
    await put("shop/silent", silent);
    await put("shop/notes", { just: "a spec" });
    await put("shop2/other", silent);
    const { body } = await check();
    const run = (n: number, instance_id: string, contract: string, violations: unknown[] = []) => ({
      id: `1.${n}`,
      instance_id,
      project: "shop",
      contract,
      pass: violations.length === 0,
      violations,
      run_at: new Date(clock.now).toISOString(),
    });
    const fault = {
      path: "GET /x",
      message: "the endpoint has no schema: nothing was agreed of what goes in or out",
    };
    expect(body).toEqual({
      checked: true,
      runs: [
        run(1, one, "good"),
        run(2, one, "silent", [fault]),
        run(3, two, "good"),
        run(4, two, "silent", [fault]),
      ],
      count: 4,
    });
    expect(await history()).toEqual(body.runs);
  });

  test.each([
    ["no endpoints", withEndpoints({}), "endpoints", "no endpoints"],
    ["no member endpoints", { kind: "contract" }, "endpoints", "no endpoints"],
    ["an endpoint without any schema", withEndpoints({ "POST /x": {} }), "POST /x", "no schema"],
    ["an OpenAPI document without paths", { openapi: "3.1.0", paths: {} }, "/paths", "no endpoints"],
    [
      "an operation that says nothing",
      { openapi: "3.1.0", paths: { "/x": { get: { responses: { 200: { content: { "text/*": {} } } } } } } },
      "GET /x",
      "no schema",
    ],
    [
      "a reference to the outside",
      {
        openapi: "3.0.0",
        paths: { "/x": { get: { parameters: [{ $ref: "http://elsewhere/p.json" }] } } },
      },
      "/paths/~1x/get/parameters/0/$ref",
      "leads nowhere",
    ],
  ])("%s is a violation", async (name, spec, path, message) => {
    const project = `faults of ${name}`;
    await register("watcher", project);
    await put(`${encodeURIComponent(project)}/api`, spec);
    const runs = (await check()).body.runs.filter((run: any) => run.project === project);
    expect(runs).toMatchObject([
      { pass: false, violations: [{ path, message: expect.stringContaining(message) }] },
    ]);
  });

  test.each([
    ["Koor's own OpenAPI document", openApiDocument()],
    ["a JSON Schema", { $schema: "https://json-schema.org/draft/2020-12/schema", type: "object" }],
    ["an endpoint of which only the query was agreed", withEndpoints({ "GET /x": { query: {} } })],
    [
      "an OpenAPI operation with a parameter",
      {
        openapi: "3.0.0",
        paths: {
          "/x/{id}": { delete: { parameters: [{ name: "id", in: "path", schema: { type: "string" } }] } },
        },
      },
    ],
  ])("%s passes", async (name, spec) => {
    await register("watcher", name);
    await put(`${encodeURIComponent(name)}/api`, spec);
    const runs = (await check()).body.runs.filter((run: any) => run.project === name);
    expect(runs).toMatchObject([{ pass: true, violations: [] }]);
  });

  test("a contract with very many faults tells the first twenty, its texts cut", async () => {
    await register("watcher", "long");
    const names = Array.from({ length: 50 }, (_, index) => [`GET /${index}/${"x".repeat(5000)}`, {}]);
    await put("long/api", withEndpoints(Object.fromEntries(names)));
    const [run] = (await check()).body.runs.filter((one: any) => one.project === "long");
    expect(run.violations).toHaveLength(20);
    expect(JSON.stringify(run).length).toBeLessThan(20 * 600);
  });

  test("the history is of one instance where that is asked, the newest check first, as many as are asked for", async () => {
    const id = await register("historian", "past");
    await put("past/api", sound);
    for (let at = 0; at < 20; at++) {
      clock.now += 1000;
      await check();
    }
    const runs = await history(`?instance_id=${id}&limit=19`);
    expect(runs).toHaveLength(19);
    const times: string[] = runs.map((run: any) => run.run_at);
    expect(times).toEqual(times.toSorted((a, b) => (a < b ? 1 : -1)));
    expect(times[0]).toBe(new Date(clock.now).toISOString());
    expect(await history(`?instance_id=${id}`)).toHaveLength(20);
    expect(await history("?instance_id=nobody")).toEqual([]);
    expect(await history("?limit=1")).toHaveLength(1);
    expect(await history("?limit=0")).toMatchObject({ code: 400, path: "limit" });
  });

  test("an idempotency key makes a check once, and without the server's token nothing is told (IDEM-1)", async () => {
    const id = await register("repeater", "once");
    await put("once/api", sound);
    const first = await check({ "Idempotency-Key": "once" });
    clock.now += 1000;
    expect((await check({ "Idempotency-Key": "once" })).body).toEqual(first.body);
    expect(await history(`?instance_id=${id}`)).toHaveLength(1);
    const locked = await startServer(["--auth-token", "secret"]);
    for (const [method, path] of [
      ["POST", "/api/compliance/run"],
      ["GET", "/api/compliance/history"],
    ] as const)
      expect((await locked.json(path, { method })).status).toBe(401);
    await locked.dispose();
  });
});

describe("compliance.violation", () => {
  const ofProject = async (project: string, after: number) =>
    (await eventsAfter(after)).filter(({ data }) => data.project === project);

  test("tells when a contract fails and when it is sound again, once for all instances", async () => {
    const id = await register("first", "told");
    await register("second", "told");
    await put("told/api", sound);
    let before = await lastEvent();
    await check();
    expect(await ofProject("told", before)).toEqual([]);

    await put("told/api", silent);
    before = await lastEvent();
    await check();
    const [failed, ...more] = await ofProject("told", before);
    expect(more).toEqual([]);
    expect(failed).toMatchObject({
      topic: "compliance.violation",
      source: "compliance-scheduler",
      data: {
        instance_id: id,
        project: "told",
        contract: "api",
        pass: false,
        violations: [{ path: "GET /x" }],
        instances: 2,
      },
    });

    before = await lastEvent();
    await check();
    expect(await ofProject("told", before)).toMatchObject([{ data: { pass: false } }]);

    await put("told/api", sound);
    before = await lastEvent();
    await check();
    expect(await ofProject("told", before)).toMatchObject([{ data: { pass: true, violations: [] } }]);
    before = await lastEvent();
    await check();
    expect(await ofProject("told", before)).toEqual([]);
  });

  test("a contract that is gone is forgotten", async () => {
    await register("first", "gone");
    await put("gone/api", silent);
    await check();
    await send("DELETE", "/api/specs/gone/api");
    await check();
    await put("gone/api", sound);
    const before = await lastEvent();
    await check();
    expect(await ofProject("gone", before)).toEqual([]);
  });

  test("a check that was asked for is in the audit, with who asked", async () => {
    const { token, id } = (await send("POST", "/api/instances/register", { name: "ann", workspace: "told" }))
      .body;
    const after = (await send("GET", "/api/changes/next?wait=0")).body.last_id;
    const { body } = await check({ "Koor-Instance-Token": token });
    const { events } = (await send("GET", `/api/changes/next?after=${after}&pattern=compliance.*`)).body;
    expect(events).toMatchObject([
      {
        topic: `compliance.${body.runs[0].id.split(".")[0]}`,
        action: "compliance.run",
        actor: "ann",
      },
    ]);
    expect(body.runs.map(({ instance_id }: any) => instance_id)).toContain(id);
  });
});

describe("compliance by the command line", () => {
  const cli = (...argv: string[]) => runCli(argv, { env: { KOOR_SERVER: server.url } });

  test("run and history, as its documentation has them", async () => {
    const id = await register("shell", "shell");
    await put("shell/api", sound);
    const ran = await cli("compliance", "run");
    expect(ran.exit).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({ checked: true });
    const told = await cli("compliance", "history", "--instance_id", id, "--limit", "5");
    expect(JSON.parse(told.stdout)).toMatchObject([{ instance_id: id, contract: "api", pass: true }]);
    expect((await cli("compliance", "history", "--limit", "x")).exit).toBe(1);
  });
});
