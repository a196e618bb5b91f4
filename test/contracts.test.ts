import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { runCli } from "../src/cli/io-for-tests.ts";
import { openSmallServer } from "../src/cli/io-for-tests.ts";
import { openApiDocument } from "../src/http/openapi.ts";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  server.json(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
const put = (name: string, contract: unknown, query = "", headers: Record<string, string> = {}) =>
  send("PUT", `/api/specs/${name}${query}`, contract, headers);
const validate = (name: string, body: unknown) => send("POST", `/api/contracts/${name}/validate`, body);
const call = (name: string, body: unknown) => send("POST", `/api/contracts/${name}/test`, body);
const promise = (name: string, mode: string) => send("PUT", `/api/contracts/${name}/compatibility`, { mode });

const orders = {
  kind: "contract",
  version: 1,
  endpoints: {
    "POST /api/orders": {
      request: {
        id: { type: "string", required: true },
        amount: { type: "number", required: true },
        status: { type: "string", enum: ["open", "paid"] },
        note: { type: "string", nullable: true },
        lines: {
          type: "array",
          items: {
            type: "object",
            fields: {
              sku: { type: "string", required: true },
              sizes: { type: "array", items: { type: "string", enum: ["s", "m"] } },
              grid: { type: "array", items: { type: "array", items: { type: "integer" } } },
            },
          },
        },
      },
      response: { id: { type: "string", required: true } },
      error: { error: { type: "string", required: true } },
      response_status: 201,
    },
    "GET /api/orders": {
      query: { limit: { type: "integer" } },
      response_array: { id: { type: "string", required: true } },
    },
    "GET /api/orders/{id}": { response: { id: { type: "string", required: true } } },
  },
};

const petstore = {
  openapi: "3.0.3",
  info: { title: "Pets", version: "1" },
  paths: {
    "/pets": {
      post: {
        parameters: [{ name: "dry", in: "query", schema: { type: "boolean" } }],
        requestBody: {
          required: true,
          content: { "application/json": { schema: { $ref: "#/components/schemas/Pet" } } },
        },
        responses: {
          "201": {
            description: "made",
            content: { "application/json": { schema: { $ref: "#/components/schemas/Pet" } } },
          },
          default: {
            description: "refused",
            content: { "application/json": { schema: { type: "object", required: ["error"] } } },
          },
        },
      },
    },
  },
  components: {
    schemas: {
      Pet: {
        type: "object",
        additionalProperties: false,
        required: ["name"],
        properties: {
          name: { type: "string", minLength: 1 },
          age: { type: "number", minimum: 0, exclusiveMinimum: true, nullable: true },
          kind: { type: "string", enum: ["cat", "dog"] },
          parent: { $ref: "#/components/schemas/Pet" },
        },
      },
    },
  },
};

describe("contracts over REST", () => {
  test("a payload is checked, field by field, in a stable order", async () => {
    await put("shop/orders", orders);
    const good = { id: "a", amount: 1.5, note: null, lines: [{ sku: "x", sizes: ["s"], grid: [[1], []] }] };
    expect((await validate("shop/orders", { endpoint: "POST /api/orders", payload: good })).body).toEqual({
      valid: true,
      violations: [],
    });
    const bad = {
      more: 1,
      amount: "1",
      status: "gone",
      lines: [{ sku: "x" }, { sizes: ["s", "xl", 1], grid: [[1, 1.5]], extra: true }, null],
    };
    expect((await validate("shop/orders", { endpoint: "POST /api/orders", payload: bad })).body).toEqual({
      valid: false,
      violations: [
        { path: "request.id", message: "missing required field" },
        { path: "request.amount", message: "expected number, got string" },
        { path: "request.status", message: 'value not in allowed enum: "open", "paid"' },
        { path: "request.lines[1].sku", message: "missing required field" },
        { path: "request.lines[1].sizes[1]", message: 'value not in allowed enum: "s", "m"' },
        { path: "request.lines[1].sizes[2]", message: "expected string, got number" },
        { path: "request.lines[1].grid[0][1]", message: "expected integer, got number" },
        { path: "request.lines[1].extra", message: "unexpected field" },
        { path: "request.lines[2]", message: "expected object, null is not allowed" },
        { path: "request.more", message: "unexpected field" },
      ],
    });
  });

  test("each direction has its own definition, and an array its own paths", async () => {
    await put("shop/orders", orders);
    const of = async (endpoint: string, direction: string, payload: unknown) =>
      (await validate("shop/orders", { endpoint, direction, payload })).body.violations;
    expect(await of("GET /api/orders", "response", [{ id: "a" }, {}, 3])).toEqual([
      { path: "response[1].id", message: "missing required field" },
      { path: "response[2]", message: "expected object, got number" },
    ]);
    expect(await of("GET /api/orders", "response", { id: "a" })).toEqual([
      { path: "response", message: "expected array, got object" },
    ]);
    expect(await of("GET /api/orders", "query", { limit: "3", page: 1 })).toEqual([
      { path: "query.limit", message: "expected integer, got string" },
      { path: "query.page", message: "unexpected field" },
    ]);
    expect(await of("POST /api/orders", "error", {})).toEqual([
      { path: "error.error", message: "missing required field" },
    ]);
  });

  test("an unknown endpoint or direction and a missing definition are violations", async () => {
    await put("shop/orders", orders);
    for (const [body, path, message] of [
      [{ endpoint: "GET /nothing", payload: {} }, "GET /nothing", "unknown endpoint"],
      [
        { endpoint: "POST /api/orders", direction: "sideways", payload: {} },
        "direction",
        "unknown direction",
      ],
      [{ endpoint: "GET /api/orders", direction: "error", payload: {} }, "error", "no error definition"],
      [{ endpoint: "GET /api/orders", payload: {} }, "request", "no request definition"],
    ] as const) {
      const answer = await validate("shop/orders", body);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({
        valid: false,
        violations: [{ path, message: expect.stringContaining(message) }],
      });
    }
  });

  test("what is there is told, and what is not is refused", async () => {
    await put("shop/orders", orders);
    expect((await server.json("/api/contracts/shop/orders")).body).toEqual({
      project: "shop",
      name: "orders",
      version: expect.any(Number),
      kind: "contract",
      compatibility: "none",
      endpoints: Object.keys(orders.endpoints),
    });
    expect((await server.json("/api/contracts/shop/none")).body).toMatchObject({
      code: 404,
      error: "contract not found: shop/none",
    });
    await put("shop/plain", { hello: 1 });
    expect((await validate("shop/plain", { endpoint: "GET /x", payload: 1 })).body).toMatchObject({
      code: 400,
      error: "shop/plain is a spec, but no contract",
    });
    expect((await validate("shop/orders", { payload: 1 })).body).toMatchObject({
      code: 400,
      error: "endpoint is required",
    });
  });

  test("a contract that was written anew is judged anew", async () => {
    const of = async () =>
      (await validate("shop/turn", { endpoint: "POST /x", payload: { a: 1 } })).body.valid as boolean;
    await put("shop/turn", {
      kind: "contract",
      endpoints: { "POST /x": { request: { a: { type: "number" } } } },
    });
    expect(await of()).toBe(true);
    await put("shop/turn", {
      kind: "contract",
      endpoints: { "POST /x": { request: { a: { type: "string" } } } },
    });
    expect(await of()).toBe(false);
  });

  test.each([
    ["endpoints.POST /x.request.a.type", { request: { a: { type: "strng" } } }],
    ["endpoints.POST /x.request.a.required", { request: { a: { required: "yes" } } }],
    ["endpoints.POST /x.request.a.enum", { request: { a: { enum: "x" } } }],
    ["endpoints.POST /x.request.a", { request: { a: "string" } }],
    ["endpoints.POST /x.response", { response: [] }],
    ["endpoints.POST /x.response_status", { response_status: 20 }],
  ])("a contract that is malformed at %s is refused, and nothing is stored", async (path, endpoint) => {
    const answer = await put("bad/contract", { kind: "contract", endpoints: { "POST /x": endpoint } });
    expect(answer.body).toMatchObject({ code: 400, path });
    expect((await server.ask("/api/specs/bad/contract")).status).toBe(404);
  });

  test("a contract nested 5,000 levels deep is refused with its field, whatever its kind (LIMIT-1)", async () => {
    const deep = '{"items":'.repeat(5000) + "{}" + "}".repeat(5000);
    for (const [field, text] of [
      ["endpoints", `{"kind":"contract","endpoints":{"POST /x":{"request":{"a":${deep}}}}}`],
      ["a", `{"$schema":"https://json-schema.org/draft/2020-12/schema","a":${deep}}`],
      ["paths", `{"openapi":"3.1.0","paths":{"/x":${deep}}}`],
    ] as const) {
      const answer = await server.json("/api/specs/bad/deep", { method: "PUT", body: text });
      expect(answer.status).toBe(400);
      expect(answer.body.path).toStartWith(field);
    }
    expect((await server.ask("/api/specs/bad/deep")).status).toBe(404);
  });

  test("hostile payloads are judged or refused, and hurt nobody (LIMIT-1)", async () => {
    await put("hard/fields", {
      kind: "contract",
      endpoints: {
        "POST /x": { request: { a: { enum: [[1]] }, constructor: { type: "string", required: true } } },
      },
    });
    await put("hard/schema", {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      $defs: { tree: { items: { $ref: "#/$defs/tree" } } },
      $ref: "#/$defs/tree",
    });
    const deep = "[".repeat(300_000) + "]".repeat(300_000);
    for (const payload of [
      `{"a":${deep}}`,
      deep,
      '{"__proto__":{"constructor":"x"}}',
      '{"a":1e999}',
      '"\\ud800"',
    ]) {
      for (const name of ["fields", "schema"]) {
        const answer = await server.json(`/api/contracts/hard/${name}/validate`, {
          method: "POST",
          body: `{"endpoint":"POST /x","payload":${payload}}`,
        });
        expect([200, 400, 422]).toContain(answer.status);
      }
    }
    expect((await validate("hard/fields", { endpoint: "POST /x" })).body).toMatchObject({
      code: 400,
      error: "payload is required",
    });
    const polluted = await server.json("/api/contracts/hard/fields/validate", {
      method: "POST",
      body: '{"endpoint":"POST /x","payload":{"__proto__":{"constructor":"x"}}}',
    });
    expect(polluted.body.violations).toEqual([
      { path: "request.constructor", message: "missing required field" },
      { path: "request.__proto__", message: "unexpected field" },
    ]);
  });

  test("without the server's token nothing is answered", async () => {
    const closed = await startServer(["--auth-token", "secret"]);
    for (const [method, path] of [
      ["GET", ""],
      ["POST", "/validate"],
      ["POST", "/test"],
      ["GET", "/diff?v1=1&v2=2"],
      ["POST", "/check"],
      ["PUT", "/compatibility"],
    ] as const)
      expect((await closed.ask(`/api/contracts/p/n${path}`, { method })).status).toBe(401);
    await closed.dispose();
  });
});

describe("OpenAPI documents and JSON Schemas as contracts", () => {
  test("an OpenAPI 3.0 document is checked in the same words", async () => {
    await put("pets/api", petstore);
    const of = async (direction: string, payload: unknown) =>
      (await validate("pets/api", { endpoint: "post /pets", direction, payload })).body.violations;
    expect(await of("request", { name: "Tom", age: null, parent: { name: "Ma" } })).toEqual([]);
    expect(await of("request", { name: "", age: 0, kind: "cow", parent: { nick: 1 } })).toEqual([
      { path: "request.name", message: "must NOT have fewer than 1 characters" },
      { path: "request.age", message: "must be > 0" },
      { path: "request.kind", message: 'value not in allowed enum: "cat", "dog"' },
      { path: "request.parent.name", message: "missing required field" },
      { path: "request.parent.nick", message: "unexpected field" },
    ]);
    expect(await of("response", { name: null })).toEqual([
      { path: "response.name", message: "expected string, null is not allowed" },
    ]);
    expect(await of("query", { dry: "yes" })).toEqual([
      { path: "query.dry", message: "expected boolean, got string" },
    ]);
    expect(await of("error", {})).toEqual([{ path: "error.error", message: "missing required field" }]);
  });

  test.each([
    [
      "https://json-schema.org/draft/2020-12/schema",
      { $defs: { id: { type: "integer" } }, ref: "#/$defs/id" },
    ],
    [
      "http://json-schema.org/draft-07/schema#",
      { definitions: { id: { type: "integer" } }, ref: "#/definitions/id" },
    ],
    [
      "http://json-schema.org/draft-04/schema#",
      {
        definitions: { id: { type: "integer", minimum: 0, exclusiveMinimum: true } },
        ref: "#/definitions/id",
      },
    ],
  ])("a JSON Schema of %s is a contract of one thing", async ($schema, { ref, ...defs }) => {
    await put("data/thing", {
      $schema,
      ...defs,
      type: "object",
      properties: { id: { $ref: ref } },
      required: ["id"],
    });
    expect((await validate("data/thing", { payload: { id: 1 } })).body).toEqual({
      valid: true,
      violations: [],
    });
    expect((await validate("data/thing", { payload: { id: "1" } })).body.violations).toEqual([
      { path: "request.id", message: "expected integer, got string" },
    ]);
    expect((await validate("data/thing", { payload: [] })).body.violations[0].path).toBe("request");
  });

  test("a reference to the outside is refused, and nothing is fetched", async () => {
    const outside = openSmallServer(() => Response.json({ type: "string" }));
    const $schema = "https://json-schema.org/draft/2020-12/schema";
    await put("data/ref", { $schema, properties: { a: { $ref: `${outside.url}/schema.json` } } });
    expect((await validate("data/ref", { payload: { a: "x" } })).body).toMatchObject({
      code: 400,
      path: "/properties/a/$ref",
    });
    await put("data/ref", { ...petstore, paths: { "/x": { get: { $ref: `${outside.url}/op.json` } } } });
    expect((await validate("data/ref", { endpoint: "GET /x", payload: 1 })).status).toBe(400);
    expect(outside.seen).toEqual([]);
    outside.close();
  });

  test("a pattern that takes for ever is stopped, and others do not notice (REGEX-1)", async () => {
    await put("data/slow", {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      properties: {
        a: { allOf: Array.from({ length: 50 }, (_, at) => ({ pattern: `[ab]{0,${1000 - at}}[bc]` })) },
        b: { pattern: "^.*.*.*.*y$" },
      },
    });
    const slow = validate("data/slow", { payload: { a: "a".repeat(900_000) } });
    await put("data/quick", { $schema: "https://json-schema.org/draft/2020-12/schema", type: "string" });
    expect((await validate("data/quick", { payload: "x" })).body.valid).toBe(true);
    expect((await server.ask("/health")).status).toBe(200);
    expect((await slow).body).toMatchObject({ code: 422, reason: "over_budget" });
    expect(
      (await validate("data/slow", { payload: { a: "ab", b: `${"x".repeat(5000)}y` } })).body.valid,
    ).toBe(true);
  });

  test("a pattern that RE2 cannot run is refused when it is to be run", async () => {
    await put("data/look", { $schema: "https://json-schema.org/draft/2020-12/schema", pattern: "(?=x)" });
    expect((await validate("data/look", { payload: "x" })).body).toMatchObject({
      code: 400,
      path: "pattern",
    });
  });

  test("settings that name a schema are no contract, and stay what they are", async () => {
    expect(
      (await put("data/settings", { $schema: "https://json.schemastore.org/tsconfig", a: 1 })).status,
    ).toBe(200);
    expect((await server.json("/api/contracts/data/settings")).status).toBe(400);
  });
});

describe("testing a running service", () => {
  const service = (answer: (path: string, body: string) => Response) =>
    openSmallServer(({ path, body }) => answer(path, body));

  test("a good answer passes, and the data goes where the endpoint wants it", async () => {
    const running = service((path) =>
      path.startsWith("/api/orders/")
        ? Response.json({ id: "7" })
        : Response.json({ id: "7" }, { status: 201 }),
    );
    await put("shop/orders", orders);
    const posted = await call("shop/orders", {
      endpoint: "POST /api/orders",
      base_url: running.url,
      test_data: { id: "7", amount: 1 },
    });
    expect(posted.body).toEqual({
      valid: true,
      endpoint: "POST /api/orders",
      status_code: 201,
      request_violations: [],
      response_violations: [],
      error: "",
    });
    expect(JSON.parse(running.seen[0]?.body ?? "")).toEqual({ id: "7", amount: 1 });
    const got = await call("shop/orders", {
      endpoint: "GET /api/orders/{id}",
      base_url: `${running.url}/`,
      test_data: { id: "a/b c" },
    });
    expect(got.body.valid).toBe(true);
    expect(running.seen[1]?.path).toBe("/api/orders/a%2Fb%20c");
    // Without data the contract says what to send.
    expect(
      (await call("shop/orders", { endpoint: "POST /api/orders", base_url: running.url })).body.valid,
    ).toBe(true);
    expect(JSON.parse(running.seen[2]?.body ?? "")).toEqual({ id: "sample", amount: 1 });
    running.close();
  });

  test("bad data, a bad status and a bad answer are told apart", async () => {
    const running = service(() => Response.json({ id: 7 }, { status: 200 }));
    await put("shop/orders", orders);
    const { body } = await call("shop/orders", {
      endpoint: "POST /api/orders",
      base_url: running.url,
      test_data: { id: "7", extra: 1 },
    });
    expect(body).toMatchObject({
      valid: false,
      status_code: 200,
      request_violations: [
        { path: "request.amount", message: "missing required field" },
        { path: "request.extra", message: "unexpected field" },
      ],
      response_violations: [
        { path: "POST /api/orders", message: "expected status 201, got 200" },
        { path: "response.id", message: "expected string, got number" },
      ],
      error: "",
    });
    running.close();
  });

  test.each([
    ["empty", () => new Response(null, { status: 201 }), "expected JSON, got an empty answer"],
    [
      "no JSON",
      () => new Response("<p>hello", { status: 201 }),
      "expected JSON, got an answer that is no JSON",
    ],
  ])("an answer that is %s is no valid one", async (_, answer, message) => {
    const running = service(answer);
    await put("shop/orders", orders);
    const { body } = await call("shop/orders", {
      endpoint: "POST /api/orders",
      base_url: running.url,
      test_data: { id: "7", amount: 1 },
    });
    expect(body).toMatchObject({ valid: false, response_violations: [{ path: "response", message }] });
    running.close();
  });

  test("a refusal is checked against what was agreed of refusals", async () => {
    const running = service(() => Response.json({ message: "no" }, { status: 500 }));
    await put("shop/orders", orders);
    const { body } = await call("shop/orders", { endpoint: "POST /api/orders", base_url: running.url });
    expect(body.response_violations).toEqual([
      { path: "POST /api/orders", message: "expected status 201, got 500" },
      { path: "error.error", message: "missing required field" },
      { path: "error.message", message: "unexpected field" },
    ]);
    running.close();
  });

  test("no redirect is followed, no answer over its bound is read, and who does not answer is told", async () => {
    const other = openSmallServer(() => Response.json({ id: "x" }));
    let running = service(() => new Response(null, { status: 302, headers: { Location: other.url } }));
    await put("shop/orders", orders);
    const of = async (base_url: string) =>
      (await call("shop/orders", { endpoint: "GET /api/orders/{id}", base_url, test_data: { id: "1" } }))
        .body;
    expect((await of(running.url)).response_violations[0].message).toBe("expected status 2XX, got 302");
    expect(other.seen).toEqual([]);
    running.close();
    running = service(() => new Response("x".repeat(2 * 1024 * 1024)));
    expect(await of(running.url)).toMatchObject({
      valid: false,
      status_code: 200,
      error: "the answer is over 1048576 bytes",
    });
    running.close();
    const gone = await of(running.url);
    expect(gone).toMatchObject({ valid: false, status_code: 0, response_violations: [] });
    expect(gone.error).toContain("ECONNREFUSED");
    other.close();
  });

  test("only allowed targets are called, whatever their name says", async () => {
    const running = service(() => Response.json({ id: "x" }));
    await put("shop/orders", orders);
    const { port } = new URL(running.url);
    for (const base_url of [
      "ftp://localhost/x",
      "localhost:3000",
      "file:///etc/passwd",
      "http://user:pass@localhost",
      "http://10.0.0.1:80",
      "http://169.254.169.254/latest",
      `http://0.0.0.0:${port}`,
      `http://[::ffff:10.0.0.1]:${port}`,
    ]) {
      const answer = await call("shop/orders", { endpoint: "GET /api/orders", base_url });
      expect(answer).toMatchObject({ status: 400, body: { path: "base_url" } });
    }
    expect(running.seen).toEqual([]);
    running.close();
  });

  test("test data of any text is one request, and no more services are called at once than may be (LIMIT-1)", async () => {
    const held: (() => void)[] = [];
    const running = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Promise<Response>((resolve) => held.push(() => resolve(Response.json({ id: "x" })))),
    });
    await put("shop/orders", orders);
    const ask = { endpoint: "GET /api/orders/{id}", base_url: `http://127.0.0.1:${running.port}` };
    const calls = Array.from({ length: 32 }, (_, at) =>
      call("shop/orders", { ...ask, test_data: { id: at === 0 ? "\ud800 \r\n/.." : String(at) } }),
    );
    while (held.length < 32) await Bun.sleep(5);
    expect(await call("shop/orders", { ...ask, test_data: { id: "33" } })).toMatchObject({
      status: 429,
      body: { reason: "rate_limited" },
    });
    for (const release of held) release();
    for (const { body } of await Promise.all(calls)) expect(body).toMatchObject({ valid: true });
    await running.stop(true);
  });

  test("an endpoint that is not in the contract is refused, and a path that lacks a part is not called", async () => {
    const running = service(() => Response.json({ id: "x" }));
    await put("shop/orders", orders);
    expect(await call("shop/orders", { endpoint: "GET /nothing", base_url: running.url })).toMatchObject({
      status: 400,
      body: { path: "endpoint", error: "endpoint is not in the contract" },
    });
    const { body } = await call("shop/orders", {
      endpoint: "GET /api/orders/{id}",
      base_url: running.url,
      test_data: {},
    });
    expect(body).toMatchObject({ valid: false, status_code: 0, request_violations: [{ path: "path.id" }] });
    expect(running.seen).toEqual([]);
    running.close();
  });

  test("an OpenAPI document's answers are checked by their status", async () => {
    let answer = () => Response.json({ name: "Tom" }, { status: 201 });
    const running = service(() => answer());
    await put("pets/api", petstore);
    const of = async () => (await call("pets/api", { endpoint: "POST /pets", base_url: running.url })).body;
    expect(await of()).toMatchObject({ valid: true, status_code: 201 });
    answer = () => Response.json({ nick: 1 }, { status: 201 });
    expect((await of()).response_violations).toEqual([
      { path: "response.name", message: "missing required field" },
      { path: "response.nick", message: "unexpected field" },
    ]);
    answer = () => Response.json({}, { status: 500 });
    expect((await of()).response_violations).toEqual([
      { path: "POST /pets", message: "expected status 201, got 500" },
      { path: "error.error", message: "missing required field" },
    ]);
    running.close();
  });

  test("Koor keeps to its own OpenAPI document", async () => {
    await put("koor/api", openApiDocument());
    for (const endpoint of ["GET /health", "GET /api/specs", "GET /api/metrics", "POST /api/events/publish"])
      expect((await call("koor/api", { endpoint, base_url: server.url })).body).toMatchObject({
        valid: true,
      });
  });
});

describe("compatibility", () => {
  const contract = (request: object, response: object = {}) => ({
    kind: "contract",
    endpoints: { "POST /x": { request, response } },
  });
  const id = { id: { type: "string", required: true } };

  test("a real change of Koor's own OpenAPI document is refused under full, and accepted under none", async () => {
    const document = JSON.stringify(openApiDocument());
    const renamed = document.replaceAll('"updated_at"', '"changed_at"');
    const set = (text: string) => server.json("/api/specs/koor/self", { method: "PUT", body: text });
    await set(document);
    expect((await promise("koor/self", "full")).body).toEqual({
      project: "koor",
      name: "self",
      compatibility: "full",
    });
    expect((await server.json("/api/contracts/koor/self")).body.compatibility).toBe("full");
    const refused = await set(renamed);
    expect(refused).toMatchObject({ status: 409, body: { reason: "incompatible" } });
    expect(refused.body.path).toMatch(/^\/paths\/.*\/(updated|changed)_at$/);
    expect(refused.body.error).toContain("field-");
    // What says nothing of values may change.
    expect((await set(document.replaceAll("Whether the server answers", "Is it there?"))).status).toBe(200);
    await promise("koor/self", "none");
    expect((await set(renamed)).status).toBe(200);
  });

  test.each([
    [
      "backward",
      contract({ a: { type: "string" } }),
      contract({ a: { type: "string" }, b: { type: "string" } }),
      "",
    ],
    [
      "forward",
      contract({ a: { type: "string" } }),
      contract({ a: { type: "string" }, b: { type: "string" } }),
      "field-added",
    ],
    ["backward", contract({}), contract(id), "field-added"],
    ["forward", contract(id), contract({}), "field-removed"],
    ["forward", contract({ a: { type: "string" } }), contract({}), ""],
    ["backward", contract({}, {}), contract({}, id), ""],
    ["forward", contract({}, {}), contract({}, id), "field-added"],
    ["backward", contract({}, id), contract({}, {}), "field-removed"],
    ["full", contract({}, id), contract({}, { name: { type: "string", required: true } }), "field-"],
    ["backward", contract({ a: { type: "integer" } }), contract({ a: { type: "number" } }), ""],
    ["backward", contract({}, { a: { type: "integer" } }), contract({}, { a: { type: "number" } }), "type"],
    [
      "backward",
      contract({ a: { nullable: true, type: "string" } }),
      contract({ a: { type: "string" } }),
      "nullable",
    ],
    ["backward", contract({ a: { enum: ["x"] } }), contract({ a: { enum: ["x", "y"] } }), ""],
    ["backward", contract({}, { a: { enum: ["x"] } }), contract({}, { a: { enum: ["x", "y"] } }), "enum"],
    ["full", contract({}), { kind: "contract", endpoints: {} }, "endpoint-removed"],
    ["full", contract({}), { openapi: "3.1.0", paths: {} }, "kind"],
    ["full", contract({}), { hello: "world" }, "kind"],
    ["full", contract({}), contract({}), ""],
  ])("under %s, from %j to %j: %s", async (mode, before, after, rule) => {
    await promise("compat/one", "none");
    await put("compat/one", before);
    await promise("compat/one", mode);
    const answer = await put("compat/one", after);
    if (rule === "") expect(answer.status).toBe(200);
    else {
      expect(answer).toMatchObject({
        status: 409,
        body: { reason: "incompatible", path: expect.any(String) },
      });
      expect(answer.body.error).toContain(rule);
    }
  });

  test("a transitive mode looks back at every version since the contract was made", async () => {
    const optional = (names: string[]) =>
      contract(Object.fromEntries(names.map((name) => [name, { type: "string" }])));
    await put("compat/long", optional(["a"]));
    await put("compat/long", optional(["a", "b"]));
    await put("compat/long", optional(["b"]));
    await promise("compat/long", "backward_transitive");
    const refused = await put("compat/long", optional(["b", "c"]));
    expect(refused.body.error).toContain("breaks version 2");
    expect((await put("compat/long", optional(["a", "b", "c"]))).status).toBe(200);
    await promise("compat/long", "backward");
    expect((await put("compat/long", optional(["a", "b", "c", "d"]))).status).toBe(200);
  });

  test("a dry run answers as the write would, and writes nothing", async () => {
    await put("compat/dry", contract(id));
    await promise("compat/dry", "full");
    const good = await put("compat/dry", contract(id), "?dry_run=1");
    expect(good.body).toMatchObject({ project: "compat", name: "dry", version: 2, dry_run: true });
    expect((await put("compat/dry", contract({}), "?dry_run=1")).status).toBe(409);
    expect(
      (await put("compat/dry", contract(id), "?dry_run=1", { "X-Koor-If-Version": "7" })).body,
    ).toMatchObject({
      code: 412,
      current: 1,
    });
    const read = await server.ask("/api/specs/compat/dry");
    expect(read.headers.get("x-koor-version")).toBe("1");
    expect((await put("compat/dry", contract(id))).body).toMatchObject({ version: 2, hash: good.body.hash });
  });

  test("a contract under a promise is not deleted, and conditions still hold", async () => {
    await put("compat/keep", contract(id));
    await promise("compat/keep", "backward");
    expect(await send("DELETE", "/api/specs/compat/keep")).toMatchObject({
      status: 409,
      body: { reason: "incompatible" },
    });
    expect((await put("compat/keep", contract(id), "", { "X-Koor-If-Version": "9" })).body).toMatchObject({
      code: 412,
      current: 1,
    });
    await promise("compat/keep", "none");
    expect((await send("DELETE", "/api/specs/compat/keep")).status).toBe(200);
  });

  test.each<[string, (body: string) => Promise<{ status: number; body: any }>]>([
    ["PUT", (body) => server.json("/api/specs/compat/ways", { method: "PUT", body })],
    [
      "PATCH",
      (body) =>
        server.json("/api/specs/compat/ways", {
          method: "PATCH",
          body: `[{"op":"replace","path":"","value":${body}}]`,
          headers: { "Content-Type": "application/json-patch+json" },
        }),
    ],
    [
      "a transaction",
      (body) =>
        server.json("/api/txn", {
          method: "POST",
          body: `{"do":[{"publish":{"topic":"ways"}},{"put":{"spec":"compat/ways","value":${body}}}]}`,
        }),
    ],
    [
      "a transaction that deletes it first",
      (body) =>
        server.json("/api/txn", {
          method: "POST",
          body: `{"do":[{"delete":{"spec":"compat/ways"}},{"put":{"spec":"compat/ways","value":${body}}}]}`,
        }),
    ],
    ["rollback", () => server.json("/api/specs/compat/ways?rollback=1", { method: "POST" })],
    ["DELETE", () => server.json("/api/specs/compat/ways", { method: "DELETE" })],
  ])("%s is no way around the promise (COMPAT-1)", async (_, write) => {
    await promise("compat/ways", "none");
    await server.ask("/api/specs/compat/ways", { method: "DELETE" });
    const [other, kept] = [contract({}), contract(id, id)];
    await put("compat/ways", other);
    await put("compat/ways", kept);
    await promise("compat/ways", "full");
    const before = await server.json("/api/events/history?topic=ways");
    const answer = await write(JSON.stringify(other));
    expect(answer).toMatchObject({ status: 409, body: { reason: "incompatible" } });
    expect(answer.body.error).toStartWith("compat/ways: ");
    expect(await (await server.ask("/api/specs/compat/ways")).text()).toBe(JSON.stringify(kept));
    expect(await server.json("/api/events/history?topic=ways")).toMatchObject({ body: before.body });
  });

  test("what keeps to the promise passes by every way", async () => {
    await put("compat/good", contract({}, id));
    await promise("compat/good", "backward");
    const more = JSON.stringify(contract({ note: { type: "string" } }, id));
    const patched = await server.json("/api/specs/compat/good", {
      method: "PATCH",
      body: '{"endpoints":{"POST /x":{"request":{"note":{"type":"string"}}}}}',
      headers: { "Content-Type": "application/merge-patch+json" },
    });
    expect(patched.body.version).toBe(2);
    const { status, body } = await server.json("/api/txn", {
      method: "POST",
      body: `{"do":[{"put":{"spec":"compat/good","value":${more}}},{"put":{"key":"k","value":1}}]}`,
    });
    expect(status).toBe(200);
    expect(body.results).toMatchObject([{ spec: "compat/good", version: 3 }, { key: "k" }]);
    expect((await server.json("/api/specs/compat/good?rollback=2", { method: "POST" })).body.version).toBe(4);
  });

  test("of many writers at once none slips past the promise (COMPAT-1)", async () => {
    await put("compat/race", contract({}, { n: { type: "integer", required: true } }));
    await promise("compat/race", "full");
    const fields = (count: number) =>
      contract(Object.fromEntries(Array.from({ length: count }, (_, at) => [`f${at}`, { type: "string" }])), {
        n: { type: "integer", required: true },
      });
    await promise("compat/race", "backward");
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, at) => put("compat/race", fields((at * 5) % 12))),
    );
    for (const { status } of answers) expect([200, 409]).toContain(status);
    // Each version that was written takes all that the one before it took.
    const versions = answers.filter(({ status }) => status === 200).map(({ body }) => body.version as number);
    for (const version of versions) {
      const { body } = await server.json(`/api/contracts/compat/race/diff?v1=${version - 1}&v2=${version}`);
      expect(body.compatible).toBe(true);
    }
  });

  test("the promise is in the audit, kept by an idempotency key, and only made of contracts", async () => {
    await put("compat/once", contract(id));
    const set = () =>
      server.json("/api/contracts/compat/once/compatibility", {
        method: "PUT",
        body: '{"mode":"full"}',
        headers: { "Idempotency-Key": "mode" },
      });
    expect((await set()).body).toEqual((await set()).body);
    expect((await promise("compat/none", "full")).status).toBe(404);
    await put("compat/plain", { a: 1 });
    expect((await promise("compat/plain", "full")).status).toBe(400);
    expect((await promise("compat/once", "strict")).body).toMatchObject({ code: 400, path: "mode" });
    const broken = { ...petstore, paths: { "/x": { get: { parameters: 3 } } } };
    await put("compat/broken", broken);
    expect((await promise("compat/broken", "full")).body).toMatchObject({
      code: 400,
      path: "/paths/~1x/get/parameters",
    });
  });

  test("breaking and safe changes are told, of two versions and of what may come", async () => {
    await put("compat/diff", contract(id, id));
    await put("compat/diff", contract({ ...id, note: { type: "string" } }, {}));
    const { body } = await server.json("/api/contracts/compat/diff/diff?v1=1&v2=2");
    expect(body).toEqual({
      project: "compat",
      name: "diff",
      v1: 1,
      v2: 2,
      mode: "backward",
      compatible: false,
      breaking: [
        {
          rule: "field-removed",
          path: "/endpoints/POST ~1x/response/id",
          message: "the field was removed, and was required",
          breaks: ["backward"],
        },
      ],
      safe: [
        {
          rule: "field-added",
          path: "/endpoints/POST ~1x/request/note",
          message: "the field was added, and services do not know it yet",
          breaks: ["forward"],
        },
      ],
    });
    expect((await server.json("/api/contracts/compat/diff/diff?v1=1&v2=9")).status).toBe(404);
    expect((await server.json("/api/contracts/compat/diff/diff?v1=x&v2=2")).body).toMatchObject({
      code: 400,
      path: "v1",
    });
    const checked = await send(
      "POST",
      "/api/contracts/compat/diff/check",
      contract({ ...id, note: { type: "string" } }, id),
    );
    expect(checked.body).toMatchObject({
      version: 2,
      compatible: true,
      breaking: [],
      safe: [{ rule: "field-added" }],
    });
    expect((await send("POST", "/api/contracts/compat/diff/check", { a: 1 })).body).toMatchObject({
      code: 400,
    });
  });
});

describe("contracts by the command line, as its documentation has them", () => {
  const cli = (argv: string[], stdin = "") => runCli(argv, { env: { KOOR_SERVER: server.url }, stdin });

  test("set, get, validate, test, diff and check", async () => {
    const running = openSmallServer(({ path }) =>
      path === "/api/orders/1"
        ? Response.json({ id: "1" })
        : path === "/api/orders"
          ? Response.json([{ id: "1" }])
          : Response.json({}),
    );
    const get = {
      ...orders,
      endpoints: {
        "GET /api/orders": orders.endpoints["GET /api/orders"],
        "GET /api/orders/{id}": orders.endpoints["GET /api/orders/{id}"],
      },
    };
    expect(await cli(["contract", "set", "cli/orders", "--data", JSON.stringify(orders)])).toMatchObject({
      exit: 0,
    });
    expect((await cli(["contract", "get", "cli/orders"])).stdout).toBe(JSON.stringify(orders));
    const check = ["contract", "validate", "cli/orders", "--endpoint", "POST /api/orders", "--payload"];
    expect(await cli([...check, '{"id":"a","amount":1}'])).toMatchObject({
      exit: 0,
      stdout: "PASS POST /api/orders\n",
    });
    expect(await cli([...check, '{"id":1}'])).toMatchObject({
      exit: 1,
      stdout:
        "FAIL POST /api/orders\n  request.id: expected string, got number\n  request.amount: missing required field\n",
    });
    expect(await cli([...check, '{"id":"a"}', "--direction", "response"])).toMatchObject({ exit: 0 });
    expect((await cli([...check, "{"])).stderr).toContain("--payload is not JSON");
    const first = await cli(["contract", "test", "cli/orders", "--target", running.url]);
    expect(first).toMatchObject({ exit: 1 });
    expect(first.stdout.split("\n")).toEqual(
      [
        "FAIL POST /api/orders (200) POST /api/orders: expected status 201, got 200; response: expected JSON, got an empty answer",
        "PASS GET /api/orders (200)",
        "PASS GET /api/orders/{id} (200)",
        "2/3",
        "",
      ].map((line, at) =>
        at === 0 ? expect.stringContaining("expected status 201, got 200") : line,
      ) as string[],
    );
    expect(
      await cli([
        "contract",
        "test",
        "cli/orders",
        "--target",
        running.url,
        "--endpoint",
        "GET /api/orders/{id}",
        "--data",
        '{"id":1}',
      ]),
    ).toMatchObject({ exit: 0, stdout: "PASS GET /api/orders/{id} (200)\n1/1\n" });
    expect((await cli(["contract", "test", "cli/orders", "--target", "ftp://x"])).stderr).toContain(
      "base_url",
    );

    const removed = await cli(["contract", "check", "cli/orders", "--data", JSON.stringify(get)]);
    expect(removed).toMatchObject({
      exit: 1,
      stdout:
        "breaking endpoint-removed /endpoints/POST ~1api~1orders: POST /api/orders was removed\n1 breaking, 0 safe (backward)\n",
    });
    expect(
      await cli(["contract", "check", "cli/orders", "--file", "-"], JSON.stringify(orders)),
    ).toMatchObject({
      exit: 0,
      stdout: "0 breaking, 0 safe (backward)\n",
    });
    expect(await cli(["contract", "compatibility", "cli/orders", "full"])).toMatchObject({ exit: 0 });
    expect(await cli(["contract", "set", "cli/orders", "--data", JSON.stringify(get)])).toMatchObject({
      exit: 4,
      stdout: "",
    });
    await cli(["contract", "compatibility", "cli/orders", "none"]);
    await cli(["contract", "set", "cli/orders", "--data", JSON.stringify(get)]);
    expect(await cli(["contract", "diff", "cli/orders", "--v1", "2", "--v2", "1"])).toMatchObject({
      exit: 0,
      stdout:
        "safe endpoint-added /endpoints/POST ~1api~1orders: POST /api/orders was added\n0 breaking, 1 safe (backward)\n",
    });
    expect((await cli(["contract", "diff", "cli/orders", "--v1", "1", "--v2", "2"])).exit).toBe(1);
    expect((await cli(["contract", "show", "cli/none"])).exit).toBe(3);
    running.close();
  });
});
