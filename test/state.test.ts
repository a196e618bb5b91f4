import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fillPath } from "../src/client/address.ts";
import { type TestServer, getRaw, startServer } from "./harness.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

const put = (key: string, body: BodyInit, headers: Record<string, string> = {}) =>
  server.json(`/api/state/${key}`, { method: "PUT", body, headers });

describe("state over REST", () => {
  test("keys of any depth come through as the client writes their URLs", async () => {
    for (const depth of [64, 65, 256]) {
      const key = Array.from({ length: depth }, (_, at) => at % 10).join("/");
      const path = fillPath("/api/state/{key...}", { key });
      expect((await server.json(path, { method: "PUT", body: `${depth}` })).body).toMatchObject({ key });
      expect(await (await server.ask(path)).text()).toBe(`${depth}`);
    }
  });

  test("a value is stored and comes back as it came in, with its type, version, hash and entity tag", async () => {
    const written = await put("plan/a", "# hello\n", { "Content-Type": "text/markdown" });
    expect(written.status).toBe(200);
    expect(written.body).toMatchObject({ key: "plan/a", version: 1, content_type: "text/markdown" });
    const read = await server.ask("/api/state/plan/a");
    expect(await read.text()).toBe("# hello\n");
    expect(read.headers.get("content-type")).toBe("text/markdown");
    expect(read.headers.get("x-koor-version")).toBe("1");
    expect(read.headers.get("x-koor-hash")).toBe(written.body.hash);
    expect(read.headers.get("etag")).toBe(written.headers.get("etag"));
    expect(read.headers.get("etag")).toMatch(/^"[^"]+"$/);
    expect(read.headers.get("content-security-policy")).toBe("sandbox");
    expect(read.headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("a second write has version 2, and the old entity tag no longer counts", async () => {
    const first = await put("twice", "1");
    const second = await put("twice", "2");
    expect(second.body.version).toBe(2);
    const read = await server.ask("/api/state/twice", {
      headers: { "If-None-Match": first.headers.get("etag") as string },
    });
    expect(read.status).toBe(200);
  });

  test("If-None-Match answers 304 without a body: exact, weak, in a list, and as *", async () => {
    const { headers } = await put("cached", "x");
    const tag = headers.get("etag") as string;
    for (const value of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
      const read = await server.ask("/api/state/cached", { headers: { "If-None-Match": value } });
      expect(read.status).toBe(304);
      expect(await read.text()).toBe("");
      expect(read.headers.get("etag")).toBe(tag);
    }
  });

  test("conditional writes: 412 says the current version, and the value is untouched", async () => {
    const { headers } = await put("guarded", "1");
    const tag = headers.get("etag") as string;
    expect((await put("guarded", "2", { "If-None-Match": "*" })).body).toMatchObject({
      code: 412,
      reason: "version_mismatch",
      current: 1,
    });
    expect((await put("guarded", "2", { "X-Koor-If-Version": "7" })).status).toBe(412);
    expect((await put("guarded", "2", { "If-Match": '"nonsense"' })).status).toBe(412);
    expect((await put("guarded", "2", { "If-Match": `W/${tag}` })).status).toBe(412);
    expect((await put("nothing", "2", { "If-Match": "*" })).body).toMatchObject({ code: 412, current: 0 });
    expect(await (await server.ask("/api/state/guarded")).text()).toBe("1");
    expect((await put("guarded", "2", { "If-Match": tag })).body.version).toBe(2);
    expect((await put("guarded", "3", { "X-Koor-If-Version": "2" })).body.version).toBe(3);
    expect((await put("new", "1", { "X-Koor-If-Version": "0" })).body.version).toBe(1);
  });

  test("of 1,000 concurrent writes with one If-Match exactly one succeeds (CAS-1)", async () => {
    const { headers } = await put("race", "0");
    const tag = headers.get("etag") as string;
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, index) => put("race", `${index}`, { "If-Match": tag })),
    );
    const statuses = Map.groupBy(answers, ({ status }) => status);
    expect(statuses.get(200)).toHaveLength(1);
    expect(statuses.get(412)).toHaveLength(999);
    expect(new Set(statuses.get(412)?.map(({ body }) => body.current))).toEqual(new Set([2]));
  });

  test("delete says what it deleted, the key is gone, and its versions go on", async () => {
    await put("gone", "1");
    expect((await server.json("/api/state/gone", { method: "DELETE" })).body).toEqual({ deleted: "gone" });
    expect(await server.json("/api/state/gone")).toMatchObject({
      status: 404,
      body: { error: "key not found: gone", reason: "not_found" },
    });
    expect((await server.json("/api/state/gone", { method: "DELETE" })).status).toBe(404);
    expect((await put("gone", "2")).body.version).toBe(3);
  });

  test("HEAD answers as GET does, without the body", async () => {
    await put("head", "12345");
    const head = await server.ask("/api/state/head", { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(head.headers.get("content-length")).toBe("5");
    expect(head.headers.get("x-koor-version")).toBe("1");
    expect(await head.text()).toBe("");
    expect((await server.ask("/api/state/nothing", { method: "HEAD" })).status).toBe(404);
    await put("h%C3%B6he", "1");
    const list = await (await server.ask("/api/state?prefix=h%C3%B6")).bytes();
    const listHead = await server.ask("/api/state?prefix=h%C3%B6", { method: "HEAD" });
    expect(listHead.headers.get("content-length")).toBe(String(list.length));
  });

  test("a body without a type, or with the one that curl -d sends, is JSON", async () => {
    const typed = await put("form", "{}", { "Content-Type": "application/x-www-form-urlencoded" });
    expect(typed.body.content_type).toBe("application/json");
    const bare = await put("bare", new Uint8Array([123, 125]));
    expect(bare.body.content_type).toBe("application/json");
  });

  test("keys may hold slashes, spaces, any Unicode, and names that mean something to JavaScript", async () => {
    for (const key of [
      "a/b/c",
      "mit Leerzeichen",
      "schlüssel/😀",
      "__proto__",
      "constructor",
      "a%b",
      "tab\tkey",
      "x?y#z",
      "a//b",
      "/lead",
      "trail/",
    ]) {
      const written = await put(encodeURIComponent(key), key);
      expect(written.body.key).toBe(key);
      expect(await (await server.ask(`/api/state/${encodeURIComponent(key)}`)).text()).toBe(key);
    }
    expect(await (await server.ask("/api/state/a%2Fb/c")).text()).toBe("a/b/c");
  });

  test("paths that clients and proxies would rewrite are refused, not followed", async () => {
    await put("b", "secret");
    for (const path of ["x/../b", "x/%2E%2E/b", "x/./b", "..", "%2e%2e"]) {
      expect((await getRaw(server.url, `/api/state/${path}`)).status).toBe(400);
    }
    for (const path of ["a//b", "/b", "b/"]) {
      expect((await getRaw(server.url, `/api/state/${path}`)).body).toMatchObject({ code: 400, path: "key" });
    }
    expect((await getRaw(server.url, "/api/state/")).body).toMatchObject({ error: "key is required" });
  });

  test("bad keys are refused, and 512 bytes are fine", async () => {
    expect((await put("k".repeat(512), "x")).status).toBe(200);
    expect((await put("k".repeat(513), "x")).body).toMatchObject({
      code: 400,
      path: "key",
      error: "key is longer than 512 bytes",
    });
    expect((await put("%C3%A4".repeat(257), "x")).status).toBe(400);
    expect((await put("a%00b", "x")).status).toBe(400);
    expect((await getRaw(server.url, "/api/state/%ff")).body).toMatchObject({ code: 400, path: "key" });
    expect((await getRaw(server.url, "/api/state/%zz")).status).toBe(400);
    // What Bun makes of bytes that are no UTF-8, so two such keys would be one.
    expect((await put("%EF%BF%BD", "x")).body).toMatchObject({ code: 400, path: "key" });
    expect((await put("s/".repeat(63) + "s", "x")).body.key).toBe("s/".repeat(63) + "s");
    expect((await put("s%2F".repeat(255) + "s", "x")).body.key).toBe("s/".repeat(255) + "s");
    const deep = await getRaw(server.url, `/api/state/${"s/".repeat(64)}s`);
    expect(deep.body).toMatchObject({ code: 400, path: "key", hint: expect.stringContaining("%2F") });
  });

  test("an empty body is exactly `empty body`, and stores nothing", async () => {
    const answer = await server.json("/api/state/empty", { method: "PUT" });
    expect(answer).toMatchObject({ status: 400, body: { error: "empty body", reason: "bad_request" } });
    expect((await server.ask("/api/state/empty")).status).toBe(404);
  });

  test("10 MiB are stored; one byte more is 413, with a length and without", async () => {
    const limit = 10 * 1024 * 1024;
    expect((await put("big", new Uint8Array(limit).fill(7))).status).toBe(200);
    expect((await (await server.ask("/api/state/big")).bytes()).length).toBe(limit);
    expect((await put("bigger", new Uint8Array(limit + 1))).body).toMatchObject({
      code: 413,
      reason: "too_large",
    });
    const chunks = new ReadableStream({
      start(controller) {
        for (let index = 0; index < 11; index++) controller.enqueue(new Uint8Array(1024 * 1024));
        controller.close();
      },
    });
    expect((await put("bigger", chunks)).status).toBe(413);
    expect((await server.ask("/api/state/bigger")).status).toBe(404);
  });

  test("the list is sorted, and takes a prefix, a start and a limit", async () => {
    for (const key of ["list/c", "list/a", "list/b", "listing"]) await put(key, "x");
    const keys = async (query: string) =>
      (await server.json(`/api/state?${query}`)).body.map(({ key }: { key: string }) => key);
    expect(await keys("prefix=list/")).toEqual(["list/a", "list/b", "list/c"]);
    expect(await keys("prefix=list/&after=list/a&limit=1")).toEqual(["list/b"]);
    expect(await keys("prefix=none")).toEqual([]);
    const [first] = (await server.json("/api/state?prefix=list/a")).body;
    expect(Object.keys(first).sort()).toEqual(["content_type", "key", "updated_at", "updated_by", "version"]);
    for (const bad of ["0", "-1", "x", "1.5", ""]) {
      expect((await server.json(`/api/state?limit=${bad}`)).body).toMatchObject({ code: 400, path: "limit" });
    }
    expect((await server.json("/api/state?limit=100000")).status).toBe(200);
  });

  test("an unknown route is 404, a wrong method 405 with what is allowed, both as JSON", async () => {
    expect((await server.json("/api/nonsense")).body).toMatchObject({ code: 404, reason: "not_found" });
    const wrong = await server.json("/api/state/k", { method: "OPTIONS" });
    expect(wrong).toMatchObject({ status: 405, body: { reason: "method_not_allowed" } });
    expect(wrong.headers.get("allow")).toBe("GET, HEAD, PUT, PATCH, POST, DELETE");
  });
});
