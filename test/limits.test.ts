import { afterAll, beforeAll, expect, test } from "bun:test";
import { runCli } from "../src/cli/io-for-tests.ts";
import { type TestServer, openSocket, startServer } from "./harness.ts";

/** Bounds that a test cannot reach: the same code with smaller numbers. */

let server: TestServer;
beforeAll(async () => {
  server = await startServer([], { followers: 2 });
});
afterAll(() => server.dispose());

test("no more follow than may, by WebSocket or event stream; who leaves makes room (LIMIT-1)", async () => {
  const sockets = [
    await openSocket(`${server.url}/api/events/subscribe`),
    await openSocket(`${server.url}/api/changes/subscribe`),
  ];
  const gone = new AbortController();
  const streams = [1, 2].map(() => server.ask("/api/events/stream", { signal: gone.signal }));
  for (const { status } of await Promise.all(streams)) expect(status).toBe(200);
  for (const path of ["/api/events/subscribe", "/api/events/stream"]) {
    const refused = await server.json(path, {
      headers: path.endsWith("stream") ? {} : { Upgrade: "websocket" },
    });
    expect([refused.status, refused.body.reason, refused.headers.get("retry-after")]).toEqual([
      503,
      "unavailable",
      "5",
    ]);
  }
  expect((await server.ask("/api/state")).status).toBe(200);
  sockets[0]?.close();
  await sockets[0]?.closed;
  const next = await openSocket(`${server.url}/api/events/subscribe`);
  for (const socket of [...sockets.slice(1), next]) socket.close();
  gone.abort();
});

test("koor-cli says of a name that is too long to be sent how long it may be (LIMIT-1)", async () => {
  const env = { KOOR_SERVER: server.url };
  const { exit, stderr } = await runCli(["state", "get", "x".repeat(20_000)], { env });
  expect({ exit, stderr }).toEqual({
    exit: 1,
    stderr: expect.stringContaining("A key, a project or a spec's name has at most 512 bytes"),
  });
});
