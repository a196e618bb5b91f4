import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

const put = (path: string, body: string, headers: Record<string, string> = {}) =>
  server.json(`/api/specs/${path}`, { method: "PUT", body, headers });

describe("specs over REST", () => {
  test("a fresh server has none", async () => {
    expect((await server.json("/api/specs")).body).toEqual([]);
    expect((await server.json("/api/specs/shop")).body).toEqual({ project: "shop", specs: [] });
  });

  test("a spec is kept as it came in and always served as JSON, with the headers that state has", async () => {
    const written = await put("shop/openapi", '{ "a": 1.10 }', { "Content-Type": "text/plain" });
    expect(written.body).toEqual({
      project: "shop",
      name: "openapi",
      version: 1,
      hash: expect.any(String),
      updated_at: expect.any(String),
    });
    const read = await server.ask("/api/specs/shop/openapi");
    expect(await read.text()).toBe('{ "a": 1.10 }');
    expect(read.headers.get("content-type")).toBe("application/json");
    expect(read.headers.get("x-koor-version")).toBe("1");
    const again = await server.ask("/api/specs/shop/openapi", {
      headers: { "If-None-Match": read.headers.get("etag") as string },
    });
    expect(again.status).toBe(304);
  });

  test("conditions hold here too", async () => {
    await put("cond/a", "1");
    expect((await put("cond/a", "2", { "If-None-Match": "*" })).body).toMatchObject({
      code: 412,
      current: 1,
    });
    expect((await put("cond/a", "2", { "X-Koor-If-Version": "1" })).body.version).toBe(2);
    const wrong = await server.json("/api/specs/cond/a", {
      method: "DELETE",
      headers: { "X-Koor-If-Version": "1" },
    });
    expect(wrong.body).toMatchObject({ code: 412, current: 2 });
  });

  test("lists and counts follow", async () => {
    await put("zoo/b", "1");
    await put("zoo/a", "1");
    const { body } = await server.json("/api/specs/zoo");
    expect(body.specs.map(({ name, version }: any) => [name, version])).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
    expect((await server.json("/api/specs")).body).toContainEqual({ project: "zoo", specs: 2 });
    expect((await server.json("/api/specs/zoo/a", { method: "DELETE" })).body).toEqual({ deleted: "zoo/a" });
    expect((await server.json("/api/specs")).body).toContainEqual({ project: "zoo", specs: 1 });
    expect((await server.json("/api/specs/zoo/a")).body).toMatchObject({
      code: 404,
      error: "spec not found: zoo/a",
    });
    expect((await server.json("/api/specs/zoo/a", { method: "DELETE" })).status).toBe(404);
  });

  test("a%2Fb + c and a + b%2Fc are two specs, and a project is no prefix of another", async () => {
    await put("a%2Fb/c", "1");
    await put("a/b%2Fc", "2");
    await put("a2/x", "3");
    expect(await (await server.ask("/api/specs/a%2Fb/c")).text()).toBe("1");
    expect(await (await server.ask("/api/specs/a/b%2Fc")).text()).toBe("2");
    expect((await server.json("/api/specs/a")).body.specs.map(({ name }: any) => name)).toEqual(["b/c"]);
  });

  test("missing and overlong names are refused", async () => {
    expect((await put("shop/", "1")).body).toMatchObject({ code: 400, error: "name is required" });
    expect((await put("/x", "1")).body).toMatchObject({ code: 400, error: "project is required" });
    expect((await put(`${"p".repeat(513)}/x`, "1")).body).toMatchObject({ code: 400, path: "project" });
    expect((await put("shop/empty", "")).body).toMatchObject({ code: 400, error: "empty body" });
  });
});
