import { afterAll, beforeAll, expect, test } from "bun:test";
import { pageRecords } from "../src/store/pages.ts";
import { type TestServer, startServer } from "./harness.ts";

/** Lists that are too long to be made in one go. */

const keys = Array.from({ length: 20 * pageRecords + 7 }, (_, at) => `key-${String(at).padStart(5, "0")}`);
let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  for (let at = 0; at < keys.length; at += 64) {
    const puts = keys.slice(at, at + 64).map((key) => ({ put: { key, value: 1 } }));
    expect(
      (await server.ask("/api/txn", { method: "POST", body: JSON.stringify({ do: puts }) })).status,
    ).toBe(200);
  }
});
afterAll(() => server.dispose());

const metrics = async () => (await server.json("/api/metrics")).body.token_ledger.rest_bytes as number;

test("a list of all keys has every one, in order, and lets others go first after each page (READ-1)", async () => {
  let turns = 0;
  let counting = true;
  const count = () => {
    turns += 1;
    if (counting) setImmediate(count);
  };
  count();
  const { status, headers, body } = await server.json("/api/state");
  counting = false;
  expect(status).toBe(200);
  expect(headers.get("content-type")).toBe("application/json");
  expect(body.map(({ key }: any) => key)).toEqual(keys);
  expect(body[0]).toEqual({
    key: keys[0],
    version: 1,
    content_type: "application/json",
    updated_at: expect.any(String),
    updated_by: "",
  });
  expect(turns).toBeGreaterThan(20);
});

test("a prefix that nothing has, and a limit, are answered as ever", async () => {
  expect((await server.json("/api/state?prefix=none")).body).toEqual([]);
  const { body } = await server.json(`/api/state?limit=1000&after=${keys[9]}`);
  expect(body.map(({ key }: any) => key)).toEqual(keys.slice(10, 1010));
});

test("every byte of it is in the ledger, and HEAD has none of them", async () => {
  const before = await metrics();
  const text = await (await server.ask("/api/state")).text();
  expect((await metrics()) - before).toBe(Buffer.byteLength(text));
  const head = await server.ask("/api/state", { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
});

test("readers that leave in the middle, or never read, keep nobody from the list", async () => {
  for (let time = 0; time < 12; time++) {
    const controller = new AbortController();
    const response = await server.ask("/api/state", { signal: controller.signal });
    if (time % 2 === 0) await response.body?.getReader().read();
    controller.abort();
  }
  for (let time = 0; time < 6; time++) await server.ask("/api/state", { method: "HEAD" });
  expect((await server.json("/api/state")).body).toHaveLength(keys.length);
});

test("twenty at once all get the whole of it", async () => {
  const lists = await Promise.all(Array.from({ length: 20 }, () => server.json("/api/state")));
  for (const { body } of lists) expect(body).toHaveLength(keys.length);
});

test("specs of a project, and the count of them, are whole, too", async () => {
  const names = Array.from({ length: 2 * pageRecords }, (_, at) => `s${at}`);
  for (let at = 0; at < names.length; at += 64) {
    const puts = names.slice(at, at + 64).map((name) => ({ put: { spec: `big/${name}`, value: {} } }));
    await server.ask("/api/txn", { method: "POST", body: JSON.stringify({ do: puts }) });
  }
  expect((await server.json("/api/specs")).body).toEqual([{ project: "big", specs: names.length }]);
  const { specs } = (await server.json("/api/specs/big")).body;
  expect(specs.map(({ name }: any) => name)).toEqual(names.toSorted());
});
