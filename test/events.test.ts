import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestServer, openSocket, sendRaw, startServer } from "./harness.ts";
import { trimEvents } from "./rows.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

const post = (body: string) => server.json("/api/events/publish", { method: "POST", body });
const publish = (topic: string, data: unknown = null) => post(JSON.stringify({ topic, data }));
const subscribe = (query = "") => openSocket(`${server.url}/api/events/subscribe${query}`);

describe("publishing", () => {
  test("answers with the event: its position, its data, when, and by whom", async () => {
    const { status, body } = await publish("api.change.contract", { v: 2 });
    expect(status).toBe(200);
    expect(body).toEqual({
      id: expect.any(Number),
      topic: "api.change.contract",
      data: { v: 2 },
      source: "",
      created_at: expect.any(String),
    });
    expect(new Date(body.created_at).toISOString()).toBe(body.created_at);
  });

  test("works as people type it: curl -d without a header", async () => {
    const { url } = server;
    const curl = Bun.spawn([
      "curl",
      "-s",
      "-d",
      '{"topic":"typed","data":"by hand"}',
      `${url}/api/events/publish`,
    ]);
    expect(JSON.parse(await new Response(curl.stdout).text())).toMatchObject({
      topic: "typed",
      data: "by hand",
    });
  });

  test("data is kept as the text that came in, on one line", async () => {
    const socket = await subscribe("?pattern=digits");
    const answer = await server.ask("/api/events/publish", {
      method: "POST",
      body: '{ "data" : { "n" : 12345678901234567890,\n "d": 1.10, "s": " a  b " }, "topic":"digits" }',
    });
    const wanted = '"data":{"n":12345678901234567890,"d":1.10,"s":" a  b "}';
    expect(await answer.text()).toContain(wanted);
    expect(await socket.next()).toContain(wanted);
    expect(await (await server.ask("/api/events/history?topic=digits")).text()).toContain(wanted);
    socket.close();
  });

  test("without data it is null, and of a member given twice the last counts", async () => {
    expect((await post('{"topic":"t"}')).body.data).toBeNull();
    expect((await post('{"topic":"t","data":1,"data":{"x":[2]}}')).body.data).toEqual({ x: [2] });
  });

  test.each([
    ['{"data":1}', "topic is required", "topic"],
    ['{"topic":""}', "topic is required", "topic"],
    ['{"topic":7}', "topic must be a text", "topic"],
    ['{"topic":null}', "topic must be a text", "topic"],
    ['{"topic":"a\\u0000b"}', "topic holds U+0000 or is not valid UTF-8", "topic"],
    ['{"topic":"\\ud800"}', "topic holds U+0000 or is not valid UTF-8", "topic"],
    [`{"topic":"${"x".repeat(4097)}"}`, "topic is longer than 4096 bytes", "topic"],
    ["[]", "body must be an object", "body"],
    ["null", "body must be an object", "body"],
    ["", "empty body", "body"],
  ])("refuses %p", async (body, error, path) => {
    const answer = await post(body);
    expect(answer).toMatchObject({ status: 400, body: { error, reason: "bad_request", path } });
  });

  test.each([
    "{",
    '{"topic":"t"} x',
    '{"topic":"t"}{"topic":"u"}',
    "\u{FEFF}\u{FEFF}{}",
    "[".repeat(500_000),
  ])("refuses what is not JSON: %p", async (body) => {
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(answer.body.path).toBe("body");
  });

  test("refuses a body that is not UTF-8, and one over 1 MiB", async () => {
    const bytes = new Uint8Array([...new TextEncoder().encode('{"topic":"'), 0xff, 0x22, 0x7d]);
    expect((await server.json("/api/events/publish", { method: "POST", body: bytes })).status).toBe(400);
    expect((await publish("big", "x".repeat(1024 * 1024))).status).toBe(413);
    expect((await publish("big", "x".repeat(1024 * 1024 - 100))).status).toBe(200);
  });

  test("JSON nested a hundred thousand deep is refused or kept, and the server goes on", async () => {
    const deep = `{"topic":"deep","data":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    expect([200, 400]).toContain(
      (await server.ask("/api/events/publish", { method: "POST", body: deep })).status,
    );
    expect((await server.ask("/health")).status).toBe(200);
  });
});

describe("history", () => {
  test("is newest first, with filters over the whole of it", async () => {
    for (let index = 0; index < 5; index++) await publish(`history.${index % 2 ? "odd" : "even"}`, index);
    const data = async (query: string) =>
      (await server.json(`/api/events/history?${query}`)).body.map((event: any) => event.data);
    expect(await data("topic=history.*&last=3")).toEqual([4, 3, 2]);
    expect(await data("topic=history.odd")).toEqual([3, 1]);
    expect(await data("topic=history.{odd,none}")).toEqual([3, 1]);
    expect(await data("topic=history.odd,history.even&last=2")).toEqual([4, 3]);
    expect(await data("topic=history.*&source=nobody")).toEqual([]);
    const ids = (await server.json("/api/events/history?topic=history.*")).body.map((event: any) => event.id);
    expect(await data(`topic=history.*&last=2&before=${ids[1]}`)).toEqual([2, 1]);
    expect(await data(`topic=history.*&after=${ids[3]}&before=${ids[1]}`)).toEqual([2]);
    expect(await data(`before=1`)).toEqual([]);
    expect(await data("topic=history.*&from=2100-01-01T00:00:00Z")).toEqual([]);
    expect(await data("topic=history.*&to=2100-01-01T00:00:00%2B02:00")).toHaveLength(5);
  });

  test("with `after` it is oldest first: for catching up", async () => {
    const { body: first } = await publish("catch.up", 1);
    await publish("catch.up", 2);
    await publish("catch.up", 3);
    const { body } = await server.json(`/api/events/history?after=${first.id}&topic=catch.*&limit=1`);
    expect(body.map((event: any) => event.data)).toEqual([2]);
  });

  test.each([
    "last=0",
    "last=x",
    "last=-1",
    "limit=0",
    "after=-1",
    "from=yesterday",
    "to=2026-13-01T00:00:00Z",
    "from=2026-02-30T00:00:00Z",
    "to=2026-02-28T24:00:00Z",
    "topic=%5Ba",
    "topic={a",
  ])("refuses ?%s, naming the field", async (query) => {
    const { status, body } = await server.json(`/api/events/history?${query}`);
    expect(status).toBe(400);
    expect(body.path).toBe(query.split("=")[0]);
  });
});

describe("subscribing", () => {
  test("the first frame is an event, with exactly the five fields", async () => {
    const socket = await subscribe("?pattern=live.*");
    await publish("other");
    const { body } = await publish("live.a", { x: 1 });
    const frame = JSON.parse(await socket.next());
    expect(frame).toEqual(body);
    expect(Object.keys(frame)).toEqual(["id", "topic", "data", "source", "created_at"]);
    socket.close();
  });

  test("hello names the epoch and the position, and `after` sends what was missed first", async () => {
    const { body: first } = await publish("missed", 1);
    await publish("missed", 2);
    const socket = await subscribe(`?pattern=missed&hello=1&after=${first.id}`);
    const { hello } = JSON.parse(await socket.next());
    expect(hello).toEqual({ epoch: expect.any(String), last_id: first.id + 1 });
    await publish("missed", 3);
    expect(JSON.parse(await socket.next()).data).toBe(2);
    expect(JSON.parse(await socket.next()).data).toBe(3);
    socket.close();
  });

  test("every subscriber gets every event once and in order, while many publish (LOG-1, LOG-2)", async () => {
    const sockets = await Promise.all(Array.from({ length: 10 }, () => subscribe("?pattern=burst")));
    const answers = await Promise.all(Array.from({ length: 500 }, (_, index) => publish("burst", index)));
    const ids = answers.map(({ body }) => body.id).sort((a, b) => a - b);
    expect(ids.at(-1) - ids[0]).toBe(499);
    for (const socket of sockets) {
      const received: number[] = [];
      while (received.length < 500) received.push(JSON.parse(await socket.next()).id);
      expect(received).toEqual(ids);
      socket.close();
    }
  });

  test("what retention took is told as a gap", async () => {
    const own = await startServer(["--event-retention", "5"]);
    const ask = (data: number) =>
      own.ask("/api/events/publish", { method: "POST", body: JSON.stringify({ topic: "t", data }) });
    for (let index = 1; index <= 20; index++) await ask(index);
    await trimEvents(own, 15);
    const socket = await openSocket(`${own.url}/api/events/subscribe?after=3`);
    expect(JSON.parse(await socket.next())).toEqual({ gap: { from: 4, to: 15 } });
    expect(JSON.parse(await socket.next()).id).toBe(16);
    await own.dispose();
  });

  test("a position or an epoch that is not of this log is 410, a bad pattern 400, and no upgrade 400", async () => {
    const handshake = {
      headers: {
        Upgrade: "websocket",
        Connection: "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
      },
    };
    expect((await server.json("/api/events/subscribe?after=99999999", handshake)).body).toMatchObject({
      code: 410,
      reason: "gone",
    });
    expect((await server.json("/api/events/subscribe?after=0&epoch=other", handshake)).body).toMatchObject({
      code: 410,
    });
    expect((await server.json("/api/events/subscribe?pattern=%5Ba", handshake)).body).toMatchObject({
      code: 400,
      path: "pattern",
    });
    expect((await server.json("/api/events/subscribe")).body).toMatchObject({
      code: 400,
      hint: expect.stringContaining("koor-cli"),
    });
  });

  test("broken handshakes and frames end that socket, and nothing else", async () => {
    const broken = await sendRaw(
      server.url,
      "GET /api/events/subscribe HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n",
    );
    expect(broken).toStartWith("HTTP/1.1 4");
    const healthy = await subscribe("?pattern=healthy");
    const garbage = sendRaw(
      server.url,
      "GET /api/events/subscribe HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\u007f\u007f\u007fgarbage",
    );
    // Refused where it came in while the database was asked where the log stands, before the handshake was over.
    expect(await garbage).toMatch(/^HTTP\/1\.1 (101|400) /);
    const chatty = await subscribe();
    chatty.send("x".repeat(100_000));
    expect((await chatty.closed).code).not.toBe(1000);
    await publish("healthy", 1);
    expect(JSON.parse(await healthy.next()).data).toBe(1);
    healthy.close();
  });

  test("when the server stops, subscribers are told their position with code 1001", async () => {
    const own = await startServer();
    const socket = await openSocket(`${own.url}/api/events/subscribe`);
    await own.ask("/api/events/publish", { method: "POST", body: '{"topic":"last"}' });
    await socket.next();
    await own.dispose();
    expect(await socket.closed).toEqual({ code: 1001, reason: "server stops; go on with after=1" });
  });
});
