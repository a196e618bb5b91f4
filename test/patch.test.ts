import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

const merge = "application/merge-patch+json";
const operations = "application/json-patch+json";
const put = (path: string, body: BodyInit, headers: Record<string, string> = {}) =>
  server.json(path, { method: "PUT", body, headers });
const patch = (path: string, type: string, body: string, headers: Record<string, string> = {}) =>
  server.json(path, { method: "PATCH", body, headers: { "Content-Type": type, ...headers } });
const textOf = async (path: string) => (await server.ask(path)).text();

describe("PATCH", () => {
  test("merges, keeps the content type, and answers as PUT does", async () => {
    await put("/api/state/merge", '{ "a": 1.10, "n": 12345678901234567890, "b": {"c": 1, "d": 2} }', {
      "Content-Type": "application/vnd.x+json",
    });
    const answer = await patch("/api/state/merge", merge, '{"b":{"d":null,"e":1e2},"__proto__":{"x":1}}');
    expect(answer).toMatchObject({
      status: 200,
      body: {
        key: "merge",
        version: 2,
        content_type: "application/vnd.x+json",
        hash: expect.any(String),
        updated_at: expect.any(String),
      },
    });
    const read = await server.ask("/api/state/merge");
    expect(await read.text()).toBe(
      '{"a": 1.10, "n": 12345678901234567890,"b": {"c": 1,"e":1e2},"__proto__":{"x":1}}',
    );
    expect(read.headers.get("content-type")).toBe("application/vnd.x+json");
    expect(read.headers.get("etag")).toBe(answer.headers.get("etag") as string);
  });

  test("does a JSON patch's operations in order, or none of them", async () => {
    await put("/api/state/ops", '{"list": [1, 12345678901234567890], "a": {"b": 1}}');
    const good =
      '[{"op":"test","path":"/a/b","value":1.0},{"op":"add","path":"/list/-","value":3},{"op":"move","from":"/a/b","path":"/list/0"},{"op":"remove","path":"/a"}]';
    expect((await patch("/api/state/ops", operations, good)).body.version).toBe(2);
    expect(await textOf("/api/state/ops")).toBe('{"list": [1,1, 12345678901234567890,3]}');
    const failing = '[{"op":"add","path":"/x","value":1},{"op":"test","path":"/list/0","value":2}]';
    expect(await patch("/api/state/ops", operations, failing)).toMatchObject({
      status: 409,
      body: { reason: "conflict", path: "1.value" },
    });
    expect(await patch("/api/state/ops", operations, '[{"op":"remove","path":"/nothing"}]')).toMatchObject({
      status: 409,
      body: { path: "0.path" },
    });
    expect(await patch("/api/state/ops", operations, '[{"op":"grow","path":""}]')).toMatchObject({
      status: 400,
      body: { path: "0.op" },
    });
    expect((await server.ask("/api/state/ops")).headers.get("x-koor-version")).toBe("2");
  });

  test("without a telling type an object is merged, and an array is operations", async () => {
    await put("/api/state/untold", '{"a":1}');
    for (const type of [
      "application/json",
      "application/x-www-form-urlencoded",
      "Application/JSON; charset=utf-8",
    ])
      expect((await patch("/api/state/untold", type, '{"b":2}')).status).toBe(200);
    expect(
      (await patch("/api/state/untold", "application/json", '[{"op":"remove","path":"/a"}]')).status,
    ).toBe(200);
    expect(await textOf("/api/state/untold")).toBe('{"b":2}');
    expect((await patch("/api/state/untold", `${merge}; charset=utf-8`, '{"b":3}')).status).toBe(200);
    for (const type of ["text/plain", "application/xml", "application/merge-patch"])
      expect(await patch("/api/state/untold", type, "{}")).toMatchObject({
        status: 415,
        body: {
          reason: "unsupported_media_type",
          hint: expect.stringMatching(/merge-patch.*\(koor-cli: --type\)/),
        },
      });
  });

  test("what is no JSON is refused, on both sides, and nothing changes", async () => {
    await put("/api/state/text", "# text", { "Content-Type": "text/markdown" });
    expect(await patch("/api/state/text", merge, "{}")).toMatchObject({
      status: 400,
      body: { reason: "bad_request" },
    });
    await put("/api/state/json", "{}");
    const deep = '{"a":'.repeat(5000) + "1" + "}".repeat(5000);
    for (const body of ["", "{", "{} {}", deep, "\u0000"])
      expect(await patch("/api/state/json", merge, body)).toMatchObject({
        status: 400,
        body: { path: "body" },
      });
    await put("/api/state/deep", deep);
    expect((await patch("/api/state/deep", merge, "{}")).status).toBe(400);
    expect(await textOf("/api/state/deep")).toBe(deep);
    expect(
      (await patch("/api/state/json", merge, JSON.stringify({ a: "x".repeat(1024 * 1024) }))).status,
    ).toBe(413);
    expect((await server.ask("/api/state/json")).headers.get("x-koor-version")).toBe("1");
  });

  test("conditions hold, and say the current version", async () => {
    const { headers } = await put("/api/specs/p/if", '{"a":1}');
    const tag = headers.get("etag") as string;
    expect((await patch("/api/specs/p/if", merge, '{"a":2}', { "If-Match": tag })).body).toMatchObject({
      project: "p",
      name: "if",
      version: 2,
    });
    expect((await patch("/api/specs/p/if", merge, '{"a":3}', { "If-Match": tag })).body).toMatchObject({
      code: 412,
      reason: "version_mismatch",
      current: 2,
    });
    expect(
      (await patch("/api/specs/p/if", merge, '{"a":3}', { "X-Koor-If-Version": "1" })).body,
    ).toMatchObject({ code: 412, current: 2 });
    expect((await patch("/api/specs/p/if", merge, '{"a":3}', { "If-None-Match": "*" })).body).toMatchObject({
      code: 412,
      current: 2,
    });
    expect(await textOf("/api/specs/p/if")).toBe('{"a":2}');
    expect((await patch("/api/specs/p/none", merge, "{}", { "If-Match": "*" })).status).toBe(404);
  });

  test("sent again under its idempotency key it is applied once", async () => {
    await put("/api/state/once", '{"list":[]}');
    const add = () =>
      patch("/api/state/once", operations, '[{"op":"add","path":"/list/-","value":1}]', {
        "Idempotency-Key": "add",
      });
    const first = await add();
    expect((await add()).body).toEqual(first.body);
    expect(await textOf("/api/state/once")).toBe('{"list":[1]}');
  });

  test("of many at once on one key none is lost", async () => {
    await put("/api/state/many", '{"list":[]}');
    const answers = await Promise.all([
      ...Array.from({ length: 100 }, (_, at) =>
        patch("/api/state/many", operations, `[{"op":"add","path":"/list/-","value":${at}}]`),
      ),
      ...Array.from({ length: 100 }, (_, at) => patch("/api/state/many", merge, `{"k${at}":${at}}`)),
    ]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body.version)).size).toBe(200);
    const { list, ...others } = (await server.json("/api/state/many")).body;
    expect(new Set(list).size).toBe(100);
    expect(Object.keys(others)).toHaveLength(100);
  });

  test("of those under one version exactly one is applied", async () => {
    await put("/api/state/race", '{"n":0}');
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) =>
        patch("/api/state/race", merge, `{"n":${at}}`, { "X-Koor-If-Version": "1" }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status, body }) => status === 412 && body.current === 2)).toHaveLength(49);
  });
});
