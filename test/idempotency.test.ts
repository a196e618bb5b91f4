import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
let clock = 1_000_000;
beforeAll(async () => {
  server = await startServer([], { now: () => clock });
});
afterAll(() => server.dispose());

const send = (
  method: string,
  path: string,
  key: string,
  body?: string,
  headers: Record<string, string> = {},
) =>
  server.json(path, {
    method,
    headers: { "Idempotency-Key": key, ...headers },
    ...(body !== undefined && { body }),
  });

describe("Idempotency-Key (IDEM-1)", () => {
  test("a write that is sent again changes nothing and gets the same answer, entity tag included", async () => {
    const first = await send("PUT", "/api/state/once", "w", '{"a":1}');
    clock += 1000;
    const again = await send("PUT", "/api/state/once", "w", '{"a":1}');
    expect(first).toMatchObject({ status: 200, body: { version: 1 } });
    expect(again.body).toEqual(first.body);
    expect(again.headers.get("etag")).toBe(first.headers.get("etag") as string);
    expect((await server.ask("/api/state/once")).headers.get("x-koor-version")).toBe("1");
  });

  test("an event is published once, however often it is sent, also at the same time", async () => {
    const publish = () =>
      send("POST", "/api/events/publish", "e", '{"topic":"once","data":12345678901234567890}');
    const answers = await Promise.all(Array.from({ length: 20 }, publish));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    const text = await (await server.ask("/api/events/history?topic=once")).text();
    expect(JSON.parse(text)).toHaveLength(1);
    expect(text).toContain("12345678901234567890");
  });

  test("a delete that is sent again does not find the key gone", async () => {
    await server.ask("/api/state/short", { method: "PUT", body: "1" });
    const first = await send("DELETE", "/api/state/short", "d");
    const again = await send("DELETE", "/api/state/short", "d");
    expect(first).toMatchObject({ status: 200, body: { deleted: "short" } });
    expect(again).toMatchObject({ status: 200, body: { deleted: "short" } });
    expect((await server.ask("/api/state/short", { method: "DELETE" })).status).toBe(404);
  });

  test("another body, type or query under the same key is 422, and nothing changes", async () => {
    await send("PUT", "/api/state/other", "o", "1");
    expect(await send("PUT", "/api/state/other", "o", "2")).toMatchObject({
      status: 422,
      body: { reason: "key_reused", path: "Idempotency-Key" },
    });
    expect((await send("PUT", "/api/state/other", "o", "1", { "Content-Type": "text/plain" })).status).toBe(
      422,
    );
    expect(await (await server.ask("/api/state/other")).text()).toBe("1");
  });

  test("a key is of one caller, method and path", async () => {
    const register = async (name: string) => {
      const { body } = await server.json("/api/instances/register", {
        method: "POST",
        body: JSON.stringify({ name }),
      });
      return { "Koor-Instance-Token": body.token as string };
    };
    const [ada, bob] = [await register("ada"), await register("bob")];
    const sources: string[] = [];
    for (const headers of [{}, ada, bob, ada]) {
      const { body } = await send("POST", "/api/events/publish", "shared", '{"topic":"t"}', headers);
      sources.push(`${body.source}${body.id}`);
    }
    expect(new Set(sources).size).toBe(3);
    expect(sources[3]).toBe(sources[1] as string);
    expect((await send("PUT", "/api/state/p1", "shared", "1")).body.key).toBe("p1");
    expect((await send("PUT", "/api/state/p2", "shared", "1")).body.key).toBe("p2");
  });

  test("a refusal is not kept: the same key succeeds once the fault is gone", async () => {
    const headers = { "X-Koor-If-Version": "1" };
    expect((await send("PUT", "/api/state/later", "l", "2", headers)).status).toBe(412);
    await server.ask("/api/state/later", { method: "PUT", body: "1" });
    expect((await send("PUT", "/api/state/later", "l", "2", headers)).body).toMatchObject({ version: 2 });
    expect((await send("PUT", "/api/state/later", "l", "2", headers)).body).toMatchObject({ version: 2 });
  });

  test("rules and instances take it too", async () => {
    const rule = '{"project":"p","rule_id":"r","pattern":"x"}';
    const first = await send("POST", "/api/rules/propose", "r", rule);
    expect(first.body).toMatchObject({ status: "proposed" });
    expect((await send("POST", "/api/rules/propose", "r", rule)).body).toEqual(first.body);
    const { body } = await server.json("/api/instances/register", { method: "POST", body: '{"name":"x"}' });
    const path = `/api/instances/${body.id}`;
    expect((await send("DELETE", path, "i")).body).toEqual({ deleted: body.id });
    expect((await send("DELETE", path, "i")).body).toEqual({ deleted: body.id });
  });

  test("a key is kept for a whole day, and one that is none is refused", async () => {
    await send("PUT", "/api/state/day", "day", "1");
    clock += 24 * 60 * 60 * 1000 - 1;
    expect((await send("PUT", "/api/state/day", "day", "1")).body.version).toBe(1);
    expect(await send("PUT", "/api/state/day", "x".repeat(256), "1")).toMatchObject({
      status: 400,
      body: { path: "Idempotency-Key" },
    });
  });
});
