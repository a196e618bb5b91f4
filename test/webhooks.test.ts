import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { type AddressInfo, createServer } from "node:net";
import { Webhook } from "standardwebhooks";
import { runCli } from "../src/cli/io-for-tests.ts";
import { limits } from "../src/contract/limits.ts";
import { type TestServer, startServer, temporaryDirectory } from "./harness.ts";
import { type Receiver, startReceiver, until } from "./webhooks-harness.ts";

/** Short, so that tests need not wait for what the same code does over hours. */
const quick = { delays: [50, 50, 50] };

let server: TestServer;
const receivers: Receiver[] = [];
const ids: string[] = [];
beforeAll(async () => {
  server = await startServer([], { webhooks: quick });
});
afterEach(async () => {
  for (const id of ids.splice(0)) await server.ask(`/api/webhooks/${id}`, { method: "DELETE" });
  await Promise.all(receivers.splice(0).map((receiver) => receiver.stop()));
});
afterAll(() => server.dispose());

const post = (path: string, body: unknown = {}, on = server) =>
  on.json(path, { method: "POST", body: JSON.stringify(body) });
const publish = async (topic: string, data: unknown = null, on = server): Promise<number> =>
  (await post("/api/events/publish", { topic, data }, on)).body.id;
const list = async (on = server) => (await on.json("/api/webhooks")).body;
const one = async (id: string, on = server) =>
  (await list(on)).find((webhook: { id: string }) => webhook.id === id);
const deliveries = async (id: string, on = server) => (await on.json(`/api/webhooks/${id}/deliveries`)).body;
const events = async (topic: string, on = server) =>
  (await on.json(`/api/events/history?topic=${topic}`)).body;

function receive(answer?: Receiver["answer"]): Receiver {
  const receiver = startReceiver(answer);
  receivers.push(receiver);
  return receiver;
}

let count = 0;
/** A webhook with a topic of its own. */
async function add(receiver: Receiver, more: object = {}): Promise<{ id: string; topic: string }> {
  const id = `hook${++count}`;
  const topic = `t${count}.x`;
  ids.push(id);
  const { status, body } = await post("/api/webhooks", {
    id,
    url: `${receiver.url}/in?x=1`,
    patterns: [`t${count}.*`],
    ...more,
  });
  expect([status, body.error]).toEqual([200, undefined]);
  return { id, topic };
}

describe("registering", () => {
  test("shows the webhook, and never its secret", async () => {
    const receiver = receive();
    const { id } = await add(receiver, { secret: "hush-hush-secret", patterns: ["a.*", "b"] });
    const shown = {
      id,
      url: `${receiver.url}/in?x=1`,
      patterns: ["a.*", "b"],
      active: true,
      fail_count: 0,
      created_at: expect.stringMatching(/^20.*Z$/),
      last_fired: null,
    };
    expect(await list()).toEqual([shown]);
    for (const path of [
      "/api/webhooks",
      `/api/webhooks/${id}/deliveries`,
      "/api/changes/next?after=0&limit=1000",
    ])
      expect(await (await server.ask(path)).text()).not.toContain("hush-hush");
  });

  test("an id in use is 409, also for many at once; a deleted one is free again", async () => {
    const receiver = receive();
    const body = { id: "taken", url: receiver.url };
    ids.push("taken");
    const statuses = (await Promise.all(Array.from({ length: 10 }, () => post("/api/webhooks", body)))).map(
      ({ status }) => status,
    );
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, ...Array.from({ length: 9 }, () => 409)]);
    expect((await post("/api/webhooks", body)).body).toMatchObject({ reason: "already_exists", path: "id" });
    expect((await server.json("/api/webhooks/taken", { method: "DELETE" })).body).toEqual({
      deleted: "taken",
    });
    expect((await post("/api/webhooks", body)).status).toBe(200);
  });

  test("a repeated request with one Idempotency-Key makes one webhook (IDEM-1)", async () => {
    const receiver = receive();
    ids.push("repeated");
    const init = {
      method: "POST",
      headers: { "Idempotency-Key": "once" },
      body: JSON.stringify({ id: "repeated", url: receiver.url, secret: "s" }),
    };
    const answers = [await server.json("/api/webhooks", init), await server.json("/api/webhooks", init)];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers[0]?.body).toEqual(answers[1]?.body);
  });

  test.each([
    [{ url: "http://127.0.0.1:1/" }, "id", "id is required"],
    [{ id: "x" }, "url", "url is required"],
    [{ id: "x", url: "ftp://127.0.0.1/" }, "url", "url must be an http"],
    [{ id: "x", url: "not a url" }, "url", "url must be an http"],
    [{ id: "x", url: "http://user:pw@127.0.0.1/" }, "url", "url must be an http"],
    [{ id: "x", url: `http://127.0.0.1/${"x".repeat(2048)}` }, "url", "url is longer than 2048 bytes"],
    [{ id: "x", url: "http://127.0.0.1/", patterns: "a" }, "patterns", "must be an array"],
    [{ id: "x", url: "http://127.0.0.1/", patterns: ["a", "["] }, "patterns.1", "patterns.1 is malformed"],
    [{ id: "x", url: "http://127.0.0.1/", secret: "whsec_###" }, "secret", "no base64"],
    [{ id: "x", url: "http://10.0.0.1/" }, "url", "may not call"],
    [{ id: "x", url: "http://192.168.1.1/" }, "url", "may not call"],
    [{ id: "x", url: "http://169.254.169.254/latest/meta-data" }, "url", "may not call"],
    [{ id: "x", url: "http://[::ffff:10.0.0.1]/" }, "url", "may not call"],
    [{ id: "x", url: "http://[fe80::1]/" }, "url", "may not call"],
    [{ id: "x", url: "http://0x0a000001/" }, "url", "may not call"],
    [{ id: "x", url: "http://0.0.0.0/" }, "url", "may not call"],
  ])("refuses %j, naming the field, and stores nothing", async (body, path, error) => {
    const answer = await post("/api/webhooks", body);
    expect(answer).toMatchObject({ status: 400, body: { path } });
    expect(answer.body.error).toContain(error);
    expect(await list()).toEqual([]);
  });

  test("an unknown id is 404 everywhere", async () => {
    const asked = [
      await server.json("/api/webhooks/nobody", { method: "DELETE" }),
      await post("/api/webhooks/nobody/test"),
      await post("/api/webhooks/nobody/replay"),
      await server.json("/api/webhooks/nobody/deliveries"),
    ];
    for (const { status, body } of asked)
      expect([status, body.error, typeof body.hint]).toEqual([404, "webhook not found: nobody", "string"]);
  });

  test("this machine may be called only while the server is bound to it, unless it is named", async () => {
    const receiver = receive();
    const token = ["--auth-token", "t"];
    const open = ["--bind", "0.0.0.0:0", ...token];
    for (const [flags, status] of [
      [open, 400],
      [["--dashboard-bind", "0.0.0.0:0", ...token], 400],
      [["--dashboard-bind", "127.0.0.1:0", ...token], 200],
      [[...open, "--webhook-allow", "127.0.0.1"], 200],
    ] as const) {
      const other = await startServer(flags);
      const answer = await other.json("/api/webhooks", {
        method: "POST",
        headers: { Authorization: "Bearer t" },
        body: JSON.stringify({ id: "x", url: receiver.url }),
      });
      expect(answer.status).toBe(status);
      await other.dispose();
    }
  });

  test("no more are taken than the bound; one that is deleted makes room (LIMIT-1)", async () => {
    const full = await startServer();
    const make = (id: string) =>
      post("/api/webhooks", { id, url: "http://127.0.0.1:9/", patterns: ["none"] }, full);
    for (let from = 0; from < limits.webhooks; from += 100)
      await Promise.all(Array.from({ length: 100 }, (_, index) => make(`w${from + index}`)));
    expect(await list(full)).toHaveLength(limits.webhooks);
    expect(await make("more")).toMatchObject({ status: 429, body: { reason: "rate_limited" } });
    await full.ask("/api/webhooks/w7", { method: "DELETE" });
    expect((await make("more")).status).toBe(200);
    await full.dispose();
  });
});

describe("delivering", () => {
  test("sends what matches, in order, from its registration on, as it was published", async () => {
    const receiver = receive();
    await publish(`t${count + 1}.before`);
    const { id, topic } = await add(receiver);
    const wanted: number[] = [];
    for (let n = 0; n < 20; n++) {
      wanted.push(await publish(topic, n));
      await publish("other", n);
    }
    const text = '{"topic":"TOPIC","data":{"big":12345678901234567890}}'.replace("TOPIC", topic);
    const last = (await server.json("/api/events/publish", { method: "POST", body: text })).body;
    const received = await receiver.got(21);
    expect(received.map(({ body }) => body.event_id)).toEqual([...wanted, last.id]);
    expect(received[20]?.text).toBe(
      `{"topic":"${topic}","data":{"big":12345678901234567890},"source":"","event_id":${last.id},"created_at":"${last.created_at}"}`,
    );
    expect(received[0]).toMatchObject({
      path: "/in?x=1",
      headers: { "content-type": "application/json", "x-koor-event": "true" },
    });
    expect(received[0]?.headers).not.toContainKeys(["webhook-signature", "x-koor-signature"]);
    await until(async () => (await deliveries(id)).position >= last.id);
    expect(await one(id)).toMatchObject({ fail_count: 0, last_fired: expect.any(String) });
    const shown = await deliveries(id);
    expect(shown.deliveries).toHaveLength(20);
    expect(shown).toMatchObject({ id, missed: 0 });
    expect(shown.deliveries[0]).toEqual({
      id: received[20]?.headers["webhook-id"],
      event_id: last.id,
      topic,
      status: "delivered",
      attempts: 1,
      code: 200,
      error: "",
      at: expect.any(String),
      next_at: null,
    });
  });

  test.each([
    ["as Standard Webhooks has them", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    ["of plain text", "a plain secret: ü"],
  ])("is signed with secrets %s", async (_, secret) => {
    const receiver = receive();
    const { topic } = await add(receiver, { secret });
    await publish(topic, { a: "ü" });
    const [got] = await receiver.got(1);
    const { text, headers } = got as NonNullable<typeof got>;
    const standard = secret.startsWith("whsec_")
      ? new Webhook(secret)
      : new Webhook(Buffer.from(secret), { format: "raw" });
    expect(standard.verify(text, headers)).toMatchObject({ topic, data: { a: "ü" } });
    expect(() => standard.verify(text.replace("ü", "u"), headers)).toThrow();
    const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : secret;
    expect(headers["x-koor-signature"]).toBe(createHmac("sha256", key).update(text).digest("hex"));
  });

  test("a test sends webhook.test at once, and says when it does not get through", async () => {
    const receiver = receive();
    const { id } = await add(receiver, { secret: "s" });
    expect((await post(`/api/webhooks/${id}/test`)).body).toEqual({ tested: id, status: "ok" });
    const [got] = await receiver.got(1);
    expect(got?.body).toMatchObject({ topic: "webhook.test", data: { webhook_id: id }, event_id: 0 });
    new Webhook("s", { format: "raw" }).verify(got?.text ?? "", got?.headers ?? {});
    receiver.answer = () => 503;
    const refused = await post(`/api/webhooks/${id}/test`);
    expect(refused).toMatchObject({ status: 400, body: { reason: "bad_request" } });
    expect(refused.body.error).toContain("answered 503");
    expect(await one(id)).toMatchObject({ fail_count: 0, last_fired: null, active: true });
  });

  test("a failed event is tried again beside the others, under the same id, with a time of its own", async () => {
    const others = Promise.withResolvers<void>();
    let fails = 2;
    const receiver = receive(async ({ body }) => {
      if (body.data === "last") others.resolve();
      if (body.data !== "bad" || fails-- === 0) return 200;
      // The second attempt is under way until the event behind it has come.
      if (fails === 0) await others.promise;
      return 500;
    });
    const { id, topic } = await add(receiver, { secret: "s" });
    await publish(topic, "first");
    const bad = await publish(topic, "bad");
    await publish(topic, "last");
    const received = await receiver.got(5);
    const order = received.map(({ body }) => body.data);
    expect([...new Set(order)]).toEqual(["first", "bad", "last"]);
    // It did not wait until the second attempt was given up.
    expect(order.indexOf("last")).toBeLessThan(order.lastIndexOf("bad"));
    const attempts = received.filter(({ body }) => body.event_id === bad);
    expect(attempts).toHaveLength(3);
    expect(new Set(attempts.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(new Set(attempts.map(({ text }) => text)).size).toBe(1);
    for (const { text, headers } of attempts) new Webhook("s", { format: "raw" }).verify(text, headers);
    const mine = async () =>
      (await deliveries(id)).deliveries.find(({ event_id }: { event_id: number }) => event_id === bad);
    await until(async () => (await mine()).status === "delivered");
    expect(await mine()).toMatchObject({ attempts: 3, code: 200 });
  });

  test("fail_count counts events in a row whose first attempt failed, and a success clears it", async () => {
    const receiver = receive(({ body }) => (body.data === "good" ? 200 : 400));
    const { id, topic } = await add(receiver);
    for (let n = 0; n < 3; n++) await publish(topic, "bad");
    await until(async () => (await one(id)).fail_count === 3);
    await publish(topic, "good");
    await until(async () => (await one(id)).fail_count === 0);
    // Given up after the last delay, and kept.
    await until(async () =>
      (await deliveries(id)).deliveries.every(({ status }: { status: string }) => status !== "waiting"),
    );
    const failed = (await deliveries(id)).deliveries.filter(
      ({ status }: { status: string }) => status === "failed",
    );
    expect(failed).toHaveLength(3);
    expect(failed[0]).toMatchObject({ attempts: 4, code: 400, error: "answered 400", next_at: null });
    expect((await one(id)).fail_count).toBe(0);
  });

  test("ten failures in a row disable it, with an event that says so; a replay enables it and sends them all", async () => {
    const receiver = receive(() => 500);
    const { id, topic } = await add(receiver);
    const wanted: number[] = [];
    for (let n = 0; n < 13; n++) wanted.push(await publish(topic, n));
    await until(async () => !(await one(id)).active);
    expect((await one(id)).fail_count).toBe(10);
    const told = (await events("webhook.disabled")).filter(({ data }: any) => data.webhook_id === id);
    expect(told).toMatchObject([
      { source: "webhooks", data: { fail_count: 10, reason: "10 events in a row failed" } },
    ]);
    expect(JSON.stringify(told)).not.toContain("/in");
    receiver.answer = () => 200;
    // No field of its body is required, and so neither is the body.
    const replayed = await server.json(`/api/webhooks/${id}/replay`, { method: "POST" });
    expect(replayed.body).toMatchObject({ id, retried: 10 });
    const gotten = () => new Set(receiver.received.slice(10).map(({ body }) => body.event_id));
    await until(() => wanted.every((event) => gotten().has(event)));
    await until(async () => (await one(id)).fail_count === 0);
    expect(await one(id)).toMatchObject({ active: true });
    // And all that waited went through: nothing is kept.
    await until(async () =>
      (await deliveries(id)).deliveries.every(({ status }: { status: string }) => status === "delivered"),
    );
  });

  test("410 disables it at once", async () => {
    const receiver = receive(() => 410);
    const { id, topic } = await add(receiver);
    await publish(topic);
    await until(async () => !(await one(id)).active);
    const told = (await events("webhook.disabled")).find(({ data }: any) => data.webhook_id === id);
    expect(told.data).toMatchObject({ reason: "the receiver answered 410 Gone", fail_count: 1 });
    // It stands still, so there is no next attempt that could be told.
    expect((await deliveries(id)).deliveries).toMatchObject([{ status: "waiting", next_at: null }]);
    await publish(topic);
    expect(receiver.received).toHaveLength(1);
  });

  test("Retry-After is kept to", async () => {
    const receiver = receive(() => new Response(null, { status: 429, headers: { "Retry-After": "3600" } }));
    const { id, topic } = await add(receiver);
    await publish(topic);
    await until(async () => (await deliveries(id)).deliveries.length === 1);
    const [{ status, at, next_at }] = (await deliveries(id)).deliveries;
    expect(status).toBe("waiting");
    expect(Date.parse(next_at) - Date.parse(at)).toBeGreaterThanOrEqual(3_590_000);
  });

  test("one that leads back to Koor is refused there, so that no event makes another", async () => {
    for (const id of ["loop1", "loop2"]) {
      ids.push(id);
      await post("/api/webhooks", { id, url: `${server.url}/api/events/publish`, patterns: ["loop"] });
    }
    expect((await post("/api/webhooks/loop1/test")).body).toMatchObject({ code: 400, reason: "bad_request" });
    const event = await publish("loop");
    await until(
      async () => (await deliveries("loop2")).position >= event && (await one("loop1")).fail_count > 0,
    );
    const [kept] = (await deliveries("loop1")).deliveries;
    expect(kept).toMatchObject({ event_id: event, code: 400 });
    expect(await events("loop")).toHaveLength(1);
  });

  test("redirects are not followed", async () => {
    const elsewhere = receive();
    const receiver = receive(() => Response.redirect(elsewhere.url, 307));
    const { id, topic } = await add(receiver);
    await publish(topic);
    await until(async () => (await deliveries(id)).deliveries.length === 1);
    // It is tried again meanwhile, and given up at last.
    expect((await deliveries(id)).deliveries[0]).toMatchObject({
      status: expect.stringMatching(/^(waiting|failed)$/),
      code: 307,
      error: "answered 307; redirects are not followed",
    });
    expect((await post(`/api/webhooks/${id}/test`)).body.error).toEndWith("redirects are not followed");
    expect(elsewhere.received).toHaveLength(0);
  });

  test("receivers that hang, close, or send without an end delay no other", async () => {
    const never = new Promise<number>(() => {});
    const hung = receive(() => never);
    const dead = receive();
    const endless = receive(
      () =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
          }),
        ),
    );
    const good = receive();
    const patterns = ["shared"];
    const stuck = await Promise.all([hung, dead, endless].map((receiver) => add(receiver, { patterns })));
    await dead.stop();
    await add(good, { patterns });
    const wanted: number[] = [];
    for (let n = 0; n < 30; n++) wanted.push(await publish("shared", n));
    const received = await good.got(30);
    expect(received.map(({ body }) => body.event_id)).toEqual(wanted);
    // Not before the first of the hung one's attempts was given up: nobody waited for it.
    expect(hung.received.length).toBeLessThan(30);
    const closed = async () => (await deliveries(stuck[1]?.id ?? "")).deliveries;
    await until(async () => (await closed()).length > 0);
    expect((await closed())[0].error).toContain("ECONNREFUSED");
    // A status is an answer, however much comes behind it.
    await until(async () => (await deliveries(stuck[2]?.id ?? "")).deliveries.length >= 20);
    expect((await one(stuck[2]?.id ?? "")).fail_count).toBe(0);
  });

  test("a receiver that changes the protocol has failed, and holds up neither others nor a deletion nor a stop", async () => {
    const changing = createServer((socket) =>
      socket.on("data", () =>
        socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
      ),
    );
    await new Promise<void>((resolve) => changing.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(changing.address() as AddressInfo).port}`;
    const own = await startServer();
    for (const id of ["deleted", "stopped"]) await post("/api/webhooks", { id, url }, own);
    expect((await post("/api/webhooks/deleted/test", {}, own)).body.error).toContain("answered 101");
    await publish("t", null, own);
    await until(async () => (await one("deleted", own)).fail_count === 1);
    await own.ask("/api/webhooks/deleted", { method: "DELETE" });
    const receiver = receive();
    await post("/api/webhooks", { id: "good", url: receiver.url }, own);
    await publish("t", null, own);
    await receiver.got(1);
    await own.dispose();
    changing.close();
  });

  test("an attempt that nobody answers is given up, and counts as failed", async () => {
    const receiver = receive(() => new Promise<number>(() => {}));
    const own = await startServer([], { webhooks: { ...quick, timeoutMs: 400 } });
    await post("/api/webhooks", { id: "w", url: receiver.url, patterns: ["t"] }, own);
    await publish("t", null, own);
    await until(async () => (await one("w", own)).fail_count === 1);
    expect((await deliveries("w", own)).deliveries).toMatchObject([
      { code: 0, error: "no answer within 0.4 s" },
    ]);
    await own.dispose();
  });

  test("a replay from a position sends everything after it again, in order", async () => {
    const receiver = receive();
    const { id, topic } = await add(receiver);
    const wanted: number[] = [];
    for (let n = 0; n < 5; n++) wanted.push(await publish(topic, n));
    await receiver.got(5);
    await until(async () => (await deliveries(id)).position >= (wanted[4] ?? 0));
    const answer = await post(`/api/webhooks/${id}/replay`, { after: wanted[1] });
    expect(answer.body).toEqual({ id, position: wanted[1], retried: 0 });
    const received = await receiver.got(8);
    expect(received.slice(5).map(({ body }) => body.event_id)).toEqual(wanted.slice(2));
    expect(received[5]?.headers["webhook-id"]).toBe(received[2]?.headers["webhook-id"] as string);
    expect(await post(`/api/webhooks/${id}/replay`, { after: 1e9 })).toMatchObject({
      status: 400,
      body: { path: "after" },
    });
    for (const after of [-1, 1.5, "x"])
      expect(await post(`/api/webhooks/${id}/replay`, { after })).toMatchObject({
        status: 400,
        body: { path: "after" },
      });
  });

  test.each([
    ["first attempt", 1],
    ["retry", 2],
  ])("a replay of what failed does not send again what is under way: a %s", async (_, attempts) => {
    const gate = Promise.withResolvers<number>();
    const receiver = receive((_, index) => (index + 1 < attempts ? 500 : gate.promise));
    const { id, topic } = await add(receiver);
    const first = await publish(topic, "slow");
    await receiver.got(attempts);
    expect((await post(`/api/webhooks/${id}/replay`)).status).toBe(200);
    const other = receive();
    // The look at all webhooks has come to the replay when one that is newer is served.
    const newer = await add(other);
    await publish(newer.topic);
    await other.got(1);
    receiver.answer = () => 200;
    gate.resolve(200);
    const second = await publish(topic, "next");
    await until(async () => (await deliveries(id)).position >= second);
    await until(async () => (await deliveries(id)).deliveries.length === 2);
    const sent = receiver.received.map(({ body }) => body.event_id);
    expect(sent.filter((event) => event === first)).toHaveLength(attempts);
    expect((await deliveries(id)).deliveries).toMatchObject([
      { event_id: second, status: "delivered" },
      { event_id: first, status: "delivered", attempts },
    ]);
  });

  test("a deleted webhook gets nothing more, and another of its id nothing of the old one's", async () => {
    const late = Promise.withResolvers<number>();
    const receiver = receive((_, index) => (index === 0 ? 500 : late.promise));
    const { id, topic } = await add(receiver);
    await publish(topic, "old");
    // With its second attempt under way there is none that may come at any moment.
    await receiver.got(2);
    await server.ask(`/api/webhooks/${id}`, { method: "DELETE" });
    receiver.answer = () => 200;
    receiver.received.length = 0;
    late.resolve(500);
    await post("/api/webhooks", { id, url: receiver.url, patterns: [topic] });
    expect((await deliveries(id)).deliveries).toEqual([]);
    await publish(topic, "new");
    await receiver.got(1);
    expect(receiver.received.map(({ body }) => body.data)).toEqual(["new"]);
    expect(await one(id)).toMatchObject({ fail_count: 0 });
  });
});

describe("across a stop of the server", () => {
  test("goes on where it was, with what it had to try again, and sends nothing twice", async () => {
    const receiver = receive(({ body }) => (body.data === "bad" ? 500 : 200));
    const directory = temporaryDirectory();
    const hour = 3_600_000;
    const first = await startServer([], { directory, webhooks: { delays: [hour] } });
    await post("/api/webhooks", { id: "w", url: receiver.url, patterns: ["t"], secret: "s" }, first);
    await publish("t", "bad", first);
    for (let n = 0; n < 10; n++) await publish("t", n, first);
    await receiver.got(11);
    await until(async () => (await deliveries("w", first)).position >= 11);
    await first.close();
    receiver.answer = () => 200;
    const second = await startServer([], { directory, now: () => Date.now() + 2 * hour });
    await publish("t", "after", second);
    await receiver.got(13);
    const seen = receiver.received.map(({ body }) => body.data);
    expect(seen.slice(0, 11)).toEqual(["bad", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(new Set(seen.slice(11))).toEqual(new Set(["after", "bad"]));
    await second.dispose();
  });
});

describe("a backup", () => {
  test("holds webhooks and how far they got: after a restore they go on, also on another server", async () => {
    const receiver = receive();
    const from = await startServer();
    await post("/api/webhooks", { id: "w", url: receiver.url, patterns: ["t"], secret: "kept" }, from);
    await publish("t", "before", from);
    await receiver.got(1);
    await until(async () => (await deliveries("w", from)).position === 1);
    const file = await (await from.ask("/api/backup")).bytes();
    await publish("t", "lost", from);
    await receiver.got(2);
    for (const target of [from, await startServer()]) {
      receiver.received.length = 0;
      expect((await target.ask("/api/restore", { method: "POST", body: file })).status).toBe(200);
      expect(await deliveries("w", target)).toMatchObject({ position: 1 });
      await publish("t", "after", target);
      await receiver.got(1);
      const [got] = receiver.received;
      expect(got?.body).toMatchObject({ data: "after", event_id: 2 });
      new Webhook(Buffer.from("kept"), { format: "raw" }).verify(got?.text ?? "", got?.headers ?? {});
      await until(async () => (await one("w", target)).last_fired !== null);
      await target.dispose();
    }
  });
});

describe("koor-cli", () => {
  test("adds, lists, tests, shows, replays and deletes", async () => {
    const receiver = receive();
    const cli = (...argv: string[]) => runCli(argv, { env: { KOOR_SERVER: server.url } });
    const added = await cli(
      "webhooks",
      "add",
      "--id",
      "c",
      "--url",
      receiver.url,
      "--patterns",
      "c.*,d",
      "--secret",
      "S",
    );
    expect([added.exit, added.stderr]).toEqual([0, ""]);
    expect(JSON.parse(added.stdout)).toMatchObject({ id: "c", patterns: ["c.*", "d"], active: true });
    expect(JSON.parse((await cli("webhooks", "list")).stdout)).toMatchObject([{ id: "c" }]);
    expect(JSON.parse((await cli("webhooks", "test", "c")).stdout)).toEqual({ tested: "c", status: "ok" });
    await publish("c.1");
    await receiver.got(2);
    await until(async () => (await one("c")).last_fired !== null);
    expect(JSON.parse((await cli("webhooks", "deliveries", "c", "--limit", "1")).stdout)).toMatchObject({
      id: "c",
      deliveries: [{ topic: "c.1", status: "delivered" }],
    });
    expect(JSON.parse((await cli("webhooks", "replay", "c")).stdout)).toMatchObject({ id: "c", retried: 0 });
    const { position } = await deliveries("c");
    expect((await cli("webhooks", "replay", "c", "--after", String(position - 1))).exit).toBe(0);
    await receiver.got(3);
    expect((await cli("webhooks", "add", "--id", "c", "--url", receiver.url)).exit).toBe(4);
    expect(JSON.parse((await cli("webhooks", "delete", "c")).stdout)).toEqual({ deleted: "c" });
    expect((await cli("webhooks", "delete", "c")).exit).toBe(3);
  });
});
