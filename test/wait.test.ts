import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { runCli } from "../src/cli/io-for-tests.ts";
import { changeLog } from "../src/changes/log.ts";
import type { Commit } from "../src/core/commit.ts";
import { isAbove } from "../src/core/version-wait.ts";
import { createFeed } from "../src/feed/feed.ts";
import { versionWaits } from "../src/feed/version-waits.ts";
import { openWaitingRoom } from "../src/feed/waiting-room.ts";
import { openMemory } from "../src/store/memory/open.ts";
import { openTcp } from "./followers.ts";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

const put = (path: string, body = "1") => server.json(path, { method: "PUT", body });
const waitFor = (path: string, after: number, wait = "60s") =>
  server.ask(`${path}?after_version=${after}&wait=${wait}`);
const waiting = async (count: number) => {
  while (server.followers().waiting !== count) await Bun.sleep(2);
};
/** A subscription begins and ends when the engine has said where the log stands, which takes a while on some. */
const following = async (count: number) => {
  while (server.followers().subscriptions !== count) await Bun.sleep(2);
};

describe.each([
  ["state", "/api/state/"],
  ["specs", "/api/specs/shop/"],
])("waiting for %s", (noun, base) => {
  test("answers at once when the version is above already", async () => {
    await put(`${base}there`, "1");
    await put(`${base}there`, "2");
    const answer = await waitFor(`${base}there`, 1);
    expect([answer.status, await answer.text(), answer.headers.get("x-koor-version")]).toEqual([
      200,
      "2",
      "2",
    ]);
    expect(server.followers().waiting).toBe(0);
  });

  test("answers with the next version as soon as it is written, and is not woken by others", async () => {
    await put(`${base}watched`, "1");
    const answer = waitFor(`${base}watched`, 1);
    await waiting(1);
    await put(`${base}other`, "1");
    await put(`${base}watched/deeper`.replace("/watched/", "/watched%2F"), "1");
    expect(server.followers().waiting).toBe(1);
    await put(`${base}watched`, "2");
    expect(await (await answer).text()).toBe("2");
    await following(0);
    expect(server.followers()).toEqual({ subscriptions: 0, waiting: 0, bufferedBytes: 0 });
  });

  test("when the time is up it is 304, with the version that is", async () => {
    await put(`${base}quiet`, "1");
    for (const wait of ["20ms", "0"]) {
      const answer = await waitFor(`${base}quiet`, 1, wait);
      expect([answer.status, await answer.text(), answer.headers.get("x-koor-version")]).toEqual([
        304,
        "",
        "1",
      ]);
      expect(answer.headers.get("etag")).not.toBeNull();
    }
    const nothing = await waitFor(`${base}never-was`, 0, "20ms");
    expect([nothing.status, nothing.headers.get("x-koor-version"), nothing.headers.get("etag")]).toEqual([
      304,
      "0",
      null,
    ]);
  });

  test("what does not exist yet is waited for, and above a version that is not reached yet, too", async () => {
    const first = waitFor(`${base}new`, 0);
    const third = waitFor(`${base}new`, 2);
    await waiting(2);
    await put(`${base}new`, "1");
    expect(await (await first).text()).toBe("1");
    await put(`${base}new`, "2");
    expect(server.followers().waiting).toBe(1);
    await put(`${base}new`, "3");
    expect(await (await third).text()).toBe("3");
  });

  test("a deletion wakes who waits with 404, and after it 0 waits until it is made anew", async () => {
    await put(`${base}gone`, "1");
    const answer = waitFor(`${base}gone`, 1);
    await waiting(1);
    await server.ask(`${base}gone`, { method: "DELETE" });
    expect((await answer).status).toBe(404);
    // Who slept through it is told, too.
    expect((await waitFor(`${base}gone`, 1)).status).toBe(404);
    const anew = waitFor(`${base}gone`, 0);
    const above = waitFor(`${base}gone`, 2);
    await waiting(2);
    await put(`${base}gone`, "anew");
    expect(await (await anew).text()).toBe("anew");
    expect((await above).headers.get("x-koor-version")).toBe("3");
  });

  test.each([
    ["after_version=x", "after_version"],
    ["after_version=-1", "after_version"],
    ["after_version=1&wait=soon", "wait"],
    ["wait=1s", "after_version"],
  ])("refuses ?%s, naming the field", async (query, path) => {
    const { status, body } = await server.json(`${base}there?${query}`);
    expect({ status, path: body.path }).toEqual({ status: 400, path });
  });

  test("HEAD waits like GET, and If-None-Match counts once it is over", async () => {
    await put(`${base}head`, "1");
    const head = server.ask(`${base}head?after_version=1&wait=60s`, { method: "HEAD" });
    await waiting(1);
    const { headers } = await server.ask(`${base}head`, { method: "PUT", body: "2" });
    expect((await head).headers.get("x-koor-version")).toBe("2");
    const same = await server.ask(`${base}head?after_version=1&wait=60s`, {
      headers: { "If-None-Match": headers.get("etag")! },
    });
    expect(same.status).toBe(304);
  });

  test(`koor-cli ${noun} wait prints the next version, and says when the time is up`, async () => {
    const env = { KOOR_SERVER: server.url };
    const name = noun === "state" ? "by-cli" : "shop/by-cli";
    await put(`${base}by-cli`, '"one"');
    const next = runCli([noun, "wait", name], { env });
    await waiting(1);
    await put(`${base}by-cli`, '"two"');
    expect(await next).toMatchObject({ exit: 0, stdout: '"two"', stderr: "" });
    expect(await runCli([noun, "wait", name, "--after", "1"], { env })).toMatchObject({ exit: 0 });
    expect(await runCli([noun, "wait", name, "--timeout", "50ms"], { env })).toMatchObject({
      exit: 4,
      stdout: "",
      stderr: "koor-cli: no new version within 50ms",
    });
    const deleted = runCli([noun, "wait", name], { env });
    await waiting(1);
    await server.ask(`${base}by-cli`, { method: "DELETE" });
    expect(await deleted).toMatchObject({ exit: 3, stdout: "" });
  });
});

describe("many who wait", () => {
  test("a thousand on a thousand keys wake each by its own, and cost one subscription", async () => {
    const count = 1000;
    // By connections of their own: fetch holds back all but 256.
    const heads = Array.from({ length: count }, async (_, n) => {
      const path = `/api/state/many/${n}?after_version=0&wait=60s`;
      const { socket, head } = await openTcp(
        server.url,
        path,
        {},
        (bytes) => bytes,
        () => {},
      );
      socket.terminate();
      return head;
    });
    await waiting(count);
    await following(1);
    const hashes = Array.from(
      { length: count },
      async (_, n) => (await put(`/api/state/many/${n}`, String(n))).body.hash,
    );
    for (const [n, hash] of (await Promise.all(hashes)).entries()) expect(await heads[n]).toContain(hash);
    await waiting(0);
    await following(0);
  });

  test("all that wait for one key wake, whatever they wait above", async () => {
    const answers = Array.from({ length: 60 }, (_, n) => waitFor("/api/state/shared", n % 3));
    await waiting(60);
    for (const value of ["1", "2", "3"]) await put("/api/state/shared", value);
    const versions = await Promise.all(
      answers.map(async (answer) => Number((await answer).headers.get("x-koor-version"))),
    );
    for (const [n, version] of versions.entries()) expect(version).toBeGreaterThan(n % 3);
  });

  test("no wake-up is lost between the look and the wait, however they meet", async () => {
    for (let round = 0; round < 200; round++) {
      const path = `/api/state/race/${round}`;
      const [answer] = await Promise.all([waitFor(path, 0), put(path, String(round))]);
      expect(await answer.text()).toBe(String(round));
    }
  });

  test("the request of a caller that has gone is forgotten", async () => {
    const gone = new AbortController();
    const answers = Array.from({ length: 10 }, () =>
      server.ask("/api/state/nobody?after_version=0&wait=60s", { signal: gone.signal }).catch(() => {}),
    );
    await waiting(10);
    gone.abort();
    await Promise.all(answers);
    await waiting(0);
    await following(0);
  });
});

describe("the waiting room", () => {
  test("is bounded: over it there is a clear refusal, and a place that is given back is there again (LIMIT-1)", () => {
    const room = openWaitingRoom(2);
    const leave = room.enter(60_000, undefined, () => {});
    room.enter(60_000, undefined, () => {});
    expect(() => room.enter(60_000, undefined, () => {})).toThrow("too many requests are waiting");
    leave();
    expect(room.waiting).toBe(1);
    room.enter(60_000, undefined, () => {});
    room.close();
    expect(room.waiting).toBe(0);
  });

  test("once it is closed nobody waits any more", async () => {
    const room = openWaitingRoom();
    room.close();
    await new Promise<void>((resolve) => room.enter(60_000, undefined, resolve));
    await new Promise<void>((resolve) => room.enter(60_000, AbortSignal.abort(), resolve));
    expect(room.waiting).toBe(0);
  });
});

const aPut: Commit = {
  by: "",
  ops: [
    {
      kind: "put",
      collection: "state",
      key: "k",
      value: new Uint8Array([49]),
      contentType: "text/plain",
      audit: { action: "state.put", resource: "k" },
    },
  ],
};

describe("a change by another server on the same store", () => {
  test("wakes, since only the log of changes does", async () => {
    const store = openMemory({ now: () => 1 });
    const feed = createFeed({ log: changeLog(store), now: () => 1, onError: () => {} });
    const waitForVersion = versionWaits({ store, feed, room: openWaitingRoom() });
    const query = { after_version: 0, wait: 60_000 };
    const over = waitForVersion({ collection: "state", key: "k", topic: "state.k", query });
    while (feed.subscriptions === 0) await Bun.sleep(1);
    // As the other server does it: this one's services know nothing of it.
    await store.commit(aPut);
    expect(await over).toBeUndefined();
    expect(feed.subscriptions).toBe(0);
  });

  test("who waits when another server restores a backup goes on waiting", async () => {
    const store = openMemory({ now: () => 1 });
    const feed = createFeed({ log: changeLog(store), now: () => 1, onError: () => {} });
    const waitForVersion = versionWaits({ store, feed, room: openWaitingRoom() });
    const query = { after_version: 0, wait: 60_000 };
    const over = waitForVersion({ collection: "state", key: "k", topic: "state.k", query });
    while (feed.subscriptions === 0) await Bun.sleep(1);
    feed.reset();
    while (feed.subscriptions === 0) await Bun.sleep(1);
    await store.commit(aPut);
    expect(await over).toBeUndefined();
    expect(feed.subscriptions).toBe(0);
  });

  test("a deletion is above the version before it, but what is deleted is not above 0", () => {
    const head = { version: 4, deleted: true } as never;
    expect([0, 3, 4].map((version) => isAbove(head, version))).toEqual([false, true, false]);
    expect(isAbove(undefined, 0)).toBe(false);
  });
});

describe("koor-cli events wait", () => {
  const cli = (...argv: string[]) =>
    runCli(["events", "wait", ...argv], { env: { KOOR_SERVER: server.url } });
  const publish = (topic: string) =>
    server.json("/api/events/publish", { method: "POST", body: JSON.stringify({ topic, data: 12 }) });

  test("prints the first event that matches, after now or after a position", async () => {
    await publish("cli.old");
    const next = cli("cli.*");
    await waiting(1);
    await publish("other");
    const { body } = await publish("cli.new");
    const outcome = await next;
    expect(outcome).toMatchObject({ exit: 0, stderr: "" });
    expect(JSON.parse(outcome.stdout)).toEqual(body);
    expect(JSON.parse((await cli("cli.*", "--after", "0")).stdout).topic).toBe("cli.old");
  });

  test("exits 4 when the time is up, and says so on stderr alone", async () => {
    expect(await cli("nothing", "--timeout", "60ms")).toMatchObject({
      exit: 4,
      stdout: "",
      stderr: "koor-cli: no event that matches within 60ms",
    });
    // Over before the first answer, which says only where the log stands.
    expect(await cli("nothing", "--timeout", "0")).toMatchObject({ exit: 4 });
  });

  test("what is wrong with the command or the position is told at once", async () => {
    expect(await cli("[a")).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining("pattern is malformed"),
    });
    expect(await cli("x", "--timeout", "soon")).toMatchObject({ exit: 1 });
    expect(await cli("x", "--after", "one")).toMatchObject({ exit: 1 });
    expect(await cli("x", "--after", "0", "--epoch", "another")).toMatchObject({ exit: 4 });
    const nowhere = await runCli(["events", "wait"], { env: { KOOR_SERVER: "http://127.0.0.1:1" } });
    expect(nowhere).toMatchObject({ exit: 1, stderr: expect.stringContaining("no Koor server") });
  });

  /** A server that does with each connection, the first being 1, what it is told to. */
  async function against(answer: (socket: Bun.Socket, connection: number) => void, ...argv: string[]) {
    let connections = 0;
    const numbers = new Map<Bun.Socket, number>();
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => void numbers.set(socket, ++connections),
        data: (socket) => answer(socket, numbers.get(socket) as number),
      },
    });
    const outcome = await runCli(argv, { env: { KOOR_SERVER: `http://127.0.0.1:${listener.port}` } });
    listener.stop(true);
    return outcome;
  }

  test("a server that hangs holds nobody beyond the time", async () => {
    const outcome = await against(() => {}, "events", "wait", "--timeout", "100ms");
    expect(outcome).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining("has not answered for 5 s. Try again"),
    });
  }, 60_000);

  test("a server that is started again in the first round is waited for", async () => {
    const head =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Koor-Version: 1\r\nContent-Length: 1\r\n\r\n";
    const answer = (socket: Bun.Socket, connection: number) =>
      connection === 1 ? void socket.end() : void socket.write(`${head}7`);
    expect(await against(answer, "state", "wait", "k", "--after", "0")).toMatchObject({
      exit: 0,
      stdout: "7",
    });
  });
});
