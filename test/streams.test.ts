import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type Follower,
  type Told,
  type Way,
  follow,
  openTcp,
  parseBlock,
  pathOf,
  ways,
} from "./followers.ts";
import { type TestServer, startServer } from "./harness.ts";
import { trimEvents } from "./rows.ts";
import { tortureStreams } from "./stream-torture.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

const publishOn = async (on: TestServer, topic: string, data: unknown = null): Promise<number> => {
  const body = JSON.stringify({ topic, data });
  const answer = await on.json("/api/events/publish", { method: "POST", body });
  if (answer.status !== 200) throw new Error(`not published: ${answer.status} ${answer.body.error}`);
  return answer.body.id;
};
const publish = (topic: string, data?: unknown) => publishOn(server, topic, data);

/** The ids and gaps that come next. */
async function take(follower: Follower, count: number): Promise<(number | string)[]> {
  const list: (number | string)[] = [];
  while (list.length < count) {
    const told = (await follower.next()) as Told;
    if (told.kind === "close") throw new Error(`closed: ${told.reason}`);
    list.push(told.kind === "entry" ? told.id : `${told.from}-${told.to}`);
  }
  return list;
}

/** Looks until it is so; the test's own time limit ends what never becomes so. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(5);
}

const epochOf = async (on: TestServer) =>
  (await on.ask("/api/events/next")).headers.get("koor-epoch") as string;

const upgrade = {
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};
/** Asks as the way would, for answers that are refusals. */
const ask = (way: Way, path: string, headers: Record<string, string> = {}, on = server) =>
  on.json(path, { headers: { ...(way === "socket" && upgrade), ...headers } });

describe.each(ways)("%s", (way) => {
  test("with a position, what was missed comes first, and then what is new, of the pattern (LOG-2)", async () => {
    const first = await publish(`${way}.a`);
    const second = await publish(`${way}.b`);
    await publish("other");
    const follower = await follow(way, server.url, { pattern: `${way}.*`, after: first });
    expect(await take(follower, 1)).toEqual([second]);
    await publish("other");
    const third = await publish(`${way}.c`);
    expect(await take(follower, 1)).toEqual([third]);
    follower.cut();
  });

  test("without a position only what is new comes", async () => {
    const own = await startServer();
    await publishOn(own, "old");
    const follower = await follow(way, own.url);
    await until(() => own.followers().subscriptions === 1);
    const id = await publishOn(own, "new");
    expect(await take(follower, 1)).toEqual([id]);
    follower.cut();
    await own.dispose();
  });

  test("what retention took is told, and the rest comes", async () => {
    const own = await startServer();
    for (let count = 0; count < 9; count++) await publishOn(own, "t");
    await trimEvents(own, 6);
    const follower = await follow(way, own.url, { after: 2 });
    expect(await take(follower, 4)).toEqual(["3-6", 7, 8, 9]);
    follower.cut();
    await own.dispose();
  });

  test("a position that is not of this log is 410 with the oldest that is kept", async () => {
    const { last_id: last } = (await server.json("/api/events/next")).body;
    for (const position of [{ after: last + 1 }, { after: 0, epoch: "another" }, { epoch: "another" }]) {
      const { status, body } = await ask(way, pathOf(way, position));
      expect(status).toBe(410);
      expect(body).toMatchObject({ reason: "gone", code: 410, oldest: 1, hint: expect.any(String) });
    }
    const epoch = await epochOf(server);
    const follower = await follow(way, server.url, { after: last, epoch });
    const id = await publish("of this epoch");
    expect(await take(follower, 1)).toEqual([id]);
    follower.cut();
  });

  test.each([
    ["pattern=%5Ba", "pattern"],
    ["pattern={a", "pattern"],
    [`pattern=${"x".repeat(4097)}`, "pattern"],
    ["after=-1", "after"],
    ["after=x", "after"],
    ["after=1.5", "after"],
  ])("refuses ?%s at the handshake, naming the field", async (query, path) => {
    const { status, body } = await ask(way, `${pathOf(way, {})}${query}`);
    expect({ status, path: body.path }).toEqual({ status: 400, path });
    // Those of tests before this one end in their own time.
    await until(() => server.followers().subscriptions === 0);
  });

  test("is closed to the unauthorized and to other sites' pages (AUTH-1, ORIGIN-1)", async () => {
    const guarded = await startServer(["--auth-token", "secret"]);
    for (const headers of [{}, { Authorization: "Bearer wrong" }] as Record<string, string>[]) {
      const { status, body } = await ask(way, pathOf(way, {}), headers, guarded);
      expect({ status, reason: body.reason }).toEqual({ status: 401, reason: "unauthorized" });
    }
    const Authorization = "Bearer secret";
    const foreign = await ask(
      way,
      pathOf(way, {}),
      { Authorization, Origin: "http://evil.example" },
      guarded,
    );
    expect(foreign.status).toBe(403);
    const rebound = await ask(way, pathOf(way, {}), { Authorization, Host: "evil.example" }, guarded);
    expect(rebound.status).toBe(403);
    const instance = await ask(
      way,
      pathOf(way, {}),
      { Authorization, "Koor-Instance-Token": "none" },
      guarded,
    );
    expect(instance.body.reason).toBe("unknown_instance");
    expect(guarded.followers().subscriptions).toBe(0);
    await guarded.dispose();
  });

  test("a reader that has gone leaves nothing behind", async () => {
    const followers = await Promise.all(Array.from({ length: 20 }, () => follow(way, server.url)));
    await until(() => server.followers().subscriptions === 20);
    for (const follower of followers) follower.cut();
    await until(() => server.followers().subscriptions === 0);
    expect(server.followers()).toEqual({ subscriptions: 0, waiting: 0, bufferedBytes: 0 });
  });

  test("every follower gets every event once and in order, while many publish (LOG-1, LOG-2)", async () => {
    const { last_id: after } = (await server.json("/api/events/next")).body;
    const followers = await Promise.all(
      Array.from({ length: 5 }, () => follow(way, server.url, { after, pattern: "burst" })),
    );
    const ids = await Promise.all(Array.from({ length: 300 }, (_, n) => publish("burst", n)));
    const sorted = ids.toSorted((a, b) => a - b);
    for (const follower of followers) {
      expect(await take(follower, 300)).toEqual(sorted);
      follower.cut();
    }
  });
});

describe("a socket", () => {
  test("answers the word ping, of whoever cannot ping, and nothing else", async () => {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/api/events/subscribe?hello=1`);
    const heard: string[] = [];
    socket.onmessage = ({ data }) => void heard.push(String(data));
    await until(() => heard.length === 1);
    for (const word of ["", "pong", "ping ", '{"ping":{}}', "ping"]) socket.send(word);
    await until(() => heard.length > 1);
    const id = await publish("after.pings");
    await until(() => heard.length > 2);
    expect(heard.slice(1).map((frame) => JSON.parse(frame))).toMatchObject([{ pong: {} }, { id }]);
    socket.close();
  });
});

describe("an event stream", () => {
  const read = async (query = "", headers: Record<string, string> = {}) => {
    let text = "";
    const gone = new AbortController();
    const response = await fetch(`${server.url}/api/events/stream${query}`, { headers, signal: gone.signal });
    void (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of response.body!) text += decoder.decode(chunk, { stream: true });
    })().catch(() => {});
    return {
      response,
      blocks: () => text.split("\n\n").slice(0, -1).map(parseBlock),
      close: () => gone.abort(),
    };
  };
  const data = (stream: Awaited<ReturnType<typeof read>>) =>
    stream.blocks().filter((block) => block.data !== undefined);

  test("says something at once: a comment, and where it stands", async () => {
    const id = await publish("before");
    const epoch = await epochOf(server);
    const stream = await read();
    expect(stream.response.headers.get("content-type")).toBe("text/event-stream");
    expect(stream.response.headers.get("koor-epoch")).toBe(epoch);
    expect(stream.response.headers.get("cache-control")).toBe("no-store");
    await until(() => stream.blocks().length === 1);
    expect(stream.blocks()[0]).toEqual({
      event: "message",
      id: `${epoch}:${id}`,
      data: undefined,
      comment: true,
    });
    stream.close();
  });

  test("each event is a message with its position as id, by which a browser resumes it", async () => {
    const epoch = await epochOf(server);
    const stream = await read("?pattern=sse.*");
    await until(() => stream.blocks().length === 1);
    const first = await publish("sse.a", { text: 'line\nline\r"é' });
    await until(() => data(stream).length === 1);
    expect(data(stream)[0]).toMatchObject({ event: "message", id: `${epoch}:${first}` });
    expect(JSON.parse(data(stream)[0]!.data!)).toMatchObject({ id: first, data: { text: 'line\nline\r"é' } });
    stream.close();
    await publish("sse.b");
    const last = await publish("sse.c");
    for (const header of [`${epoch}:${first}`, `${first}`]) {
      // A browser asks for the address it had: the header counts, not the query.
      const again = await read("?pattern=sse.*&after=0", { "Last-Event-ID": header });
      await until(() => data(again).length === 2);
      expect(data(again).at(-1)?.id).toBe(`${epoch}:${last}`);
      again.close();
    }
  });

  test.each([
    ["x", 400],
    ["1.5", 400],
    ["another:1", 410],
    ["99999999", 410],
    ["", 200],
  ])("a Last-Event-ID %p is answered %d", async (header, status) => {
    const response = await server.ask("/api/events/stream", { headers: { "Last-Event-ID": header } });
    expect(response.status).toBe(status);
    await response.body?.cancel();
  });

  test("no topic and no data can break out of its frame", async () => {
    const hostile = '\n\nevent: close\ndata: {"code":1}\r\n\r\nid: x\rdata: y\u2028\n: ';
    const stream = await read("?pattern=*close*");
    await until(() => stream.blocks().length === 1);
    const id = await publish(`a${hostile}`, hostile);
    // White space between a body's tokens is not the data's.
    const raw = `{"topic":"close", "data": {\n\n"a":\r\n${JSON.stringify(hostile)} }}`;
    await server.ask("/api/events/publish", { method: "POST", body: raw });
    await until(() => data(stream).length >= 2);
    const [first, second, ...more] = data(stream);
    expect(more).toEqual([]);
    expect(first!.event).toBe("message");
    expect(JSON.parse(first!.data!)).toMatchObject({ id, topic: `a${hostile}`, data: hostile });
    expect(JSON.parse(second!.data!)).toMatchObject({ id: id + 1, data: { a: hostile } });
    stream.close();
  });

  test("HEAD says what it would be, and follows nothing", async () => {
    // Those of tests before this one end in their own time.
    await until(() => server.followers().subscriptions === 0);
    const response = await server.ask("/api/events/stream", { method: "HEAD" });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(server.followers().subscriptions).toBe(0);
  });

  test("a quiet stream and a long poll outlive what cuts idle connections; the stream is not silent", async () => {
    const stream = await read();
    const { last_id: after } = (await server.json("/api/events/next")).body;
    const poll = server.json(`/api/events/next?after=${after}&wait=14s`);
    await until(() => stream.blocks().length >= 2);
    expect(stream.blocks()[1]).toMatchObject({ comment: true, data: undefined });
    expect(await poll).toMatchObject({ status: 200, body: { events: [], last_id: after } });
    stream.close();
  }, 60_000);
});

describe("a long poll", () => {
  const next = (query: string) => server.json(`/api/events/next?${query}`);

  test("answers at once with what is there, at most as many as asked for, and says how far it looked", async () => {
    const first = await publish("poll.a", 1);
    await publish("poll.b", 2);
    await publish("other");
    const { body } = await next(`after=${first - 1}&pattern=poll.*&limit=1&wait=30s`);
    expect(body).toEqual({ events: [expect.objectContaining({ id: first, data: 1 })], last_id: first });
    const rest = (await next(`after=${body.last_id}&pattern=poll.*&wait=30s`)).body;
    expect(rest.events).toHaveLength(1);
    // What does not match was looked at, too.
    expect(await next(`after=${rest.last_id}&pattern=poll.*`)).toMatchObject({
      body: { events: [], last_id: first + 2 },
    });
  });

  test("waits for the first event that matches, and is not woken by others", async () => {
    const { last_id: after } = (await next("")).body;
    const waiting = next(`after=${after}&pattern=awaited&wait=60s`);
    await until(() => server.followers().waiting === 1);
    await publish("something else");
    const id = await publish("awaited", "x");
    expect((await waiting).body).toMatchObject({ events: [{ id, data: "x" }], last_id: id });
    expect(server.followers().waiting).toBe(0);
  });

  test("when the time is up it answers with nothing, and the position to go on from", async () => {
    const { last_id: after } = (await next("")).body;
    expect(await next(`after=${after}&wait=50ms`)).toMatchObject({
      status: 200,
      body: { events: [], last_id: after },
    });
    expect(await next(`after=${after}&wait=0`)).toMatchObject({ status: 200, body: { events: [] } });
  });

  test.each(["wait=x", "wait=-1s", "wait=1d", "wait=1s2", "wait=", "limit=0", "limit=x"])(
    "refuses ?%s, naming the field",
    async (query) => {
      const { status, body } = await next(query);
      expect({ status, path: body.path }).toEqual({ status: 400, path: query.split("=")[0]! });
    },
  );

  test("a position that retention has passed is 410 with the oldest, from where one can go on", async () => {
    const own = await startServer();
    for (let count = 0; count < 5; count++) await publishOn(own, "t");
    await trimEvents(own, 3);
    const { status, body } = await own.json("/api/events/next?after=1&wait=30s");
    expect(status).toBe(410);
    expect(body).toMatchObject({ reason: "gone", oldest: 4, hint: expect.stringContaining("after=3") });
    expect((await own.json("/api/events/next?after=3")).body.events).toHaveLength(2);
    await trimEvents(own, 5);
    expect((await own.json("/api/events/next?after=4")).body).toMatchObject({ code: 410, oldest: 6 });
    expect((await own.json("/api/events/next?after=5")).body).toEqual({ events: [], last_id: 5 });
    await own.dispose();
  });

  test("its answer is bounded in bytes, too, and the next goes on behind it", async () => {
    const own = await startServer();
    for (let count = 0; count < 20; count++) await publishOn(own, "large", "x".repeat(1024 * 1024 - 200));
    const first = (await own.json("/api/events/next?after=0")).body;
    expect(first.events.length).toBeLessThan(20);
    const second = (await own.json(`/api/events/next?after=${first.last_id}`)).body;
    expect(first.events.length + second.events.length).toBe(20);
    await own.dispose();
  });

  test("the history names its epoch and refuses another", async () => {
    const epoch = await epochOf(server);
    const { headers } = await server.json("/api/events/history");
    expect(headers.get("koor-epoch")).toBe(epoch);
    expect((await server.json("/api/events/history?epoch=another")).body).toMatchObject({ code: 410 });
    expect((await server.json(`/api/events/history?after=0&epoch=${epoch}`)).status).toBe(200);
  });
});

// Of sockets and not of the engine, and the slowest here.
describe.skipIf(process.env["KOOR_TEST_ENGINE"] === "postgres")("slow and dead readers", () => {
  const large = "x".repeat(512 * 1024);
  const count = 60;

  test.each(["socket", "stream"] as const)(
    "a stopped %s costs bounded memory and delays nobody; in the end it is closed with its position (LOG-3)",
    async (way) => {
      let ahead = 0;
      const own = await startServer([], { now: () => Date.now() + ahead });
      const stopped = await follow(way, own.url, { after: 0 });
      const healthy = await Promise.all(ways.map((one) => follow(one, own.url, { after: 0 })));
      stopped.pause();
      const ids: number[] = [];
      let most = 0;
      for (let n = 0; n < count; n++) {
        ids.push(await publishOn(own, "t", large));
        most = Math.max(most, own.followers().bufferedBytes);
      }
      for (const follower of healthy) expect(await take(follower, count)).toEqual(ids);
      // 30 MiB were published; the kernel and Bun hold some of it, we hold an event or two for each reader.
      expect(most).toBeLessThan(8 * 1024 * 1024);
      for (const follower of healthy) follower.cut();
      await until(() => own.followers().subscriptions === 1);
      ahead = 61_000;
      await until(() => own.followers().subscriptions === 0);
      stopped.resume();
      const told: Told[] = [];
      for (let one = await stopped.next(); one; one = await stopped.next()) {
        told.push(one);
        if (one.kind === "close") break;
      }
      stopped.cut();
      const got = told.filter((one) => one.kind === "entry").map((one) => one.id);
      expect(got).toEqual(ids.slice(0, got.length));
      expect(got.length).toBeLessThan(count);
      const last = told.at(-1);
      expect(last).toMatchObject({ kind: "close", code: 4008 });
      expect(last?.kind === "close" && last.reason).toContain("slow reader");
      // Whoever goes on from there misses nothing.
      const again = await follow(way, own.url, { after: got.at(-1)! });
      expect(await take(again, count - got.length)).toEqual(ids.slice(got.length));
      again.cut();
      await own.dispose();
    },
    60_000,
  );

  test.each(["socket", "stream"] as const)(
    "a %s that reads slowly is caught up from the log",
    async (way) => {
      const own = await startServer();
      const follower = await follow(way, own.url, { after: 0 });
      follower.pause();
      const ids = await Promise.all(Array.from({ length: 40 }, () => publishOn(own, "slow", large)));
      const sorted = ids.toSorted((a, b) => a - b);
      let reading = true;
      void (async () => {
        while (reading) {
          follower.resume();
          await Bun.sleep(2);
          follower.pause();
          await Bun.sleep(10);
        }
      })();
      expect(await take(follower, 40)).toEqual(sorted);
      reading = false;
      follower.cut();
      await own.dispose();
    },
    60_000,
  );
});

describe("when the server stops (STOP-1)", () => {
  test("sockets are closed with 1001, streams and polls end at once with what they have", async () => {
    const own = await startServer();
    const socket = await follow("socket", own.url, { after: 0 });
    const stream = await follow("stream", own.url, { after: 0 });
    const id = await publishOn(own, "t");
    await take(socket, 1);
    await take(stream, 1);
    const poll = own.json(`/api/events/next?after=${id}&wait=60s`);
    const value = own.ask("/api/state/plan?after_version=0&wait=60s");
    await until(() => own.followers().waiting === 2);
    // What is not ended by itself is cut after five seconds, and answers nothing.
    await own.dispose();
    expect(await socket.next()).toEqual({
      kind: "close",
      code: 1001,
      reason: `server stops; go on with after=${id}`,
    });
    expect(await stream.next()).toEqual({
      kind: "close",
      code: 1001,
      after: id,
      reason: "server stops",
    } as never);
    expect(await stream.next()).toBeUndefined();
    expect((await poll).body).toEqual({ events: [], last_id: id });
    expect((await value).status).toBe(304);
  });

  test("readers that do not read do not hold it up", async () => {
    const own = await startServer();
    const stopped = await Promise.all(
      (["socket", "stream"] as const).map((way) => follow(way, own.url, { after: 0 })),
    );
    for (const follower of stopped) follower.pause();
    for (let n = 0; n < 20; n++) await publishOn(own, "t", "x".repeat(1024 * 1024 - 100));
    await own.dispose();
    for (const follower of stopped) follower.cut();
  });
});

test("a request that is half of one is not followed, and a handshake that is cut leaves nothing", async () => {
  const { socket } = await openTcp(
    server.url,
    "/api/events/stream",
    {},
    (bytes) => bytes,
    () => {},
  );
  await until(() => server.followers().subscriptions === 1);
  socket.terminate();
  await until(() => server.followers().subscriptions === 0);
});

/** `KOOR_TORTURE_SECONDS` and `KOOR_TORTURE_SEED` make it longer, and the same again. */
test("followers miss nothing and see nothing twice across pauses, cuts, trims and restarts (LOG-2)", async () => {
  const seed = Number(process.env.KOOR_TORTURE_SEED ?? Math.floor(Math.random() * 1_000_000));
  const seconds = Number(process.env.KOOR_TORTURE_SECONDS ?? 8);
  console.log(`stream torture: KOOR_TORTURE_SEED=${seed}`);
  const report = await tortureStreams({ seed, seconds });
  expect({ seed, faults: report.faults }).toEqual({ seed, faults: [] });
  expect(report.received).toBeGreaterThan(0);
}, 3_600_000);
