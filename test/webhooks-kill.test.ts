import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { startServer, temporaryFolder } from "../demo/compiled.ts";
import { type Received, startReceiver, until } from "./webhooks-harness.ts";

const webhooks = 5;
const events = 200;

test("kill -9 in the middle of 1,000 deliveries loses none, and repeats at most the one in flight of each webhook (HOOK-1)", async () => {
  const receiver = startReceiver(async () => {
    await Bun.sleep(1);
    return 200;
  });
  const folder = temporaryFolder();
  let server = await startServer(folder);
  const post = (path: string, body: object) =>
    fetch(server.url + path, { method: "POST", body: JSON.stringify(body) });
  for (let n = 0; n < webhooks; n++)
    await post("/api/webhooks", { id: `w${n}`, url: `${receiver.url}/w${n}`, patterns: ["t"] });
  for (let from = 0; from < events; from += 50) {
    const some = Array.from({ length: 50 }, (_, n) => ({ publish: { topic: "t", data: from + n } }));
    expect((await post("/api/txn", { do: some })).status).toBe(200);
  }
  const got = (at: number) => receiver.received.filter(({ path }: Received) => path === `/w${at}`);
  const numbers = (at: number) => got(at).map(({ body }) => body.data as number);
  const distinct = (at: number) => new Set(numbers(at)).size;
  const all = () => Array.from({ length: webhooks }, (_, at) => distinct(at));
  const total = () => all().reduce((sum, count) => sum + count, 0);

  const kills: number[] = [];
  for (const when of [100, 400, 700]) {
    await until(() => total() >= when);
    server.kill("SIGKILL");
    await server.exited;
    kills.push(total());
    server = await startServer(folder);
  }
  // Each was in the middle.
  for (const count of kills) expect(count).toBeLessThan(webhooks * events);
  await until(() => total() === webhooks * events);
  for (let at = 0; at < webhooks; at++) {
    const order = numbers(at);
    const repeated = order.length - events;
    expect(repeated).toBeLessThanOrEqual(kills.length);
    // What came twice came again at once, as the first of the next life; all else in order.
    expect(order.toSorted((a, b) => a - b)).toEqual(order);
    expect(new Set(order).size).toBe(events);
    const ids = new Map(got(at).map(({ body, headers }) => [body.data, headers["webhook-id"]]));
    for (const { body, headers } of got(at)) expect(headers["webhook-id"]).toBe(ids.get(body.data) as string);
  }
  server.kill("SIGTERM");
  await server.exited;
  await receiver.stop();
  rmSync(folder, { recursive: true, force: true });
}, 120_000);
