import { expect, test } from "bun:test";
import { createFeed } from "../feed/feed.ts";
import { KoorError } from "../contract/errors.ts";
import type { Commit } from "../core/commit.ts";
import { decodeJson } from "../core/json-bytes.ts";
import { openMemory } from "../store/memory/open.ts";
import type { Store } from "../store/store.ts";
import type { Attempt } from "./attempt.ts";
import { retryDelays } from "./backoff.ts";
import { type Dispatcher, openDispatcher } from "./dispatcher.ts";
import { eventLog } from "../events/log.ts";
import { afterAnswers, payloadOf } from "./log.ts";
import { webhookService } from "./service.ts";
import { type Retry, readPlace } from "./webhook.ts";

const ok: Attempt = { ok: true, code: 200, error: "", retryAfter: undefined };
const input = { query: {}, contentType: "", condition: {}, caller: { name: "" } };

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(5);
}

interface ServerParts {
  alone?: boolean;
  on?: Store;
  delays?: readonly number[];
}

/** A store, and servers on it, each with its own way of sending. */
function open(clock = { now: 1_000_000 }) {
  const now = () => clock.now;
  const store = openMemory({ now });
  let ids = 0;
  const newId = () => `id${++ids}`;
  const policy = { allows: () => true };
  const service = webhookService({
    store,
    send: async () => ok,
    policy,
    resolve: async () => ["192.0.2.1"],
    now,
    newId,
  });
  const dispatchers: Dispatcher[] = [];
  return {
    clock,
    store,
    service,
    add: (id: string) =>
      service.create({
        ...input,
        params: {},
        body: { id, url: "http://example.com/", patterns: ["*"], secret: undefined },
      }),
    async publish(count: number) {
      for (let n = 0; n < count; n++)
        await store.commit({ by: "", ops: [{ kind: "append", topic: "t", data: "1", source: "" }] });
    },
    async place() {
      const [record] = await store.listValues("webhook_positions");
      return readPlace(record!);
    },
    server(
      send: (event: number) => Promise<Attempt>,
      { alone = false, on = store, delays = retryDelays }: ServerParts = {},
    ) {
      const feed = createFeed({ log: afterAnswers(eventLog(on, payloadOf)), now, onError: () => {} });
      const dispatcher = openDispatcher({
        store: on,
        feed,
        send: async (_, id) => send(Number(/_(\d+)$/.exec(id)?.[1])),
        now,
        random: () => 0,
        server: newId(),
        alone,
        delays,
      });
      dispatchers.push(dispatcher);
      return dispatcher;
    },
    close: () => Promise.all(dispatchers.map((dispatcher) => dispatcher.stop())),
  };
}

test("events that retention removed before they could be sent are counted, and it goes on", async () => {
  const { store, add, publish, place, server, close } = open();
  await add("w");
  await publish(100);
  await store.trimEvents(10);
  const sent: number[] = [];
  const dispatcher = server(async (event) => {
    sent.push(event);
    return ok;
  });
  await dispatcher.round();
  await until(async () => (await place()).position === 100);
  expect(sent).toEqual([91, 92, 93, 94, 95, 96, 97, 98, 99, 100]);
  expect((await place()).missed).toBe(90);
  expect(dispatcher.figures().missed).toBe(90);
  await close();
});

test("of two servers one delivers; the other takes over from one that is silent, whose late result counts for nothing", async () => {
  const { clock, add, publish, place, server, close } = open();
  await add("w");
  const frozen = Promise.withResolvers<Attempt>();
  const sent: Record<"a" | "b", number[]> = { a: [], b: [] };
  const a = server(async (event) => {
    sent.a.push(event);
    return event === 3 ? frozen.promise : ok;
  });
  const b = server(async (event) => {
    sent.b.push(event);
    return ok;
  });
  await a.round();
  await b.round();
  await publish(5);
  await until(() => sent.a.length === 3);
  await b.round();
  expect(sent.b).toEqual([]);
  // From here on `a` says nothing, as a process that was stopped.
  clock.now += 16_000;
  await b.round();
  await until(async () => (await place()).position === 5);
  expect(sent.b).toEqual([3, 4, 5]);
  frozen.resolve({ ...ok, ok: false, code: 500, error: "late" });
  await until(() => a.figures().lanes === 0);
  expect(sent.a).toEqual([1, 2, 3]);
  expect(await place()).toMatchObject({ position: 5, fail_count: 0 });
  await publish(1);
  await until(async () => (await place()).position === 6);
  expect([sent.a.length, sent.b.length]).toEqual([3, 4]);
  await close();
});

test("a server that stops lets the other go on at once", async () => {
  const { add, publish, place, server, close } = open();
  await add("w");
  const a = server(async () => ok);
  const b = server(async () => ok);
  await a.round();
  await publish(2);
  await until(async () => (await place()).position === 2);
  await a.stop();
  await b.round();
  await publish(1);
  await until(async () => (await place()).position === 3);
  expect(b.figures()).toMatchObject({ lanes: 1, delivered: 1 });
  await close();
});

test("what cannot be written now is written later, and is not sent again meanwhile", async () => {
  const { store, add, publish, place, server, close } = open();
  await add("w");
  let full = true;
  const on: Store = {
    ...store,
    commit(commit: Commit) {
      if (full && commit.ops.some((op) => "collection" in op && op.collection === "webhook_positions"))
        return Promise.reject(new KoorError("out_of_space", "the disk is full"));
      return store.commit(commit);
    },
  };
  const sent: number[] = [];
  await server(
    async (event) => {
      sent.push(event);
      return ok;
    },
    { on, alone: true },
  ).round();
  await publish(2);
  await until(() => sent.length === 1);
  await Bun.sleep(50);
  expect(sent).toEqual([1]);
  full = false;
  await until(async () => (await place()).position === 2);
  expect(sent).toEqual([1, 2]);
  await close();
});

test("what failed is tried again although that was due before it could be written", async () => {
  const { store, add, publish, place, server, close } = open();
  await add("w");
  const written = Promise.withResolvers<void>();
  const on: Store = {
    ...store,
    async commit(commit: Commit) {
      if (commit.ops.some((op) => "collection" in op && op.collection === "webhook_payloads"))
        await written.promise;
      return store.commit(commit);
    },
  };
  let sent = 0;
  await server(async () => (++sent === 1 ? { ...ok, ok: false, code: 500 } : ok), {
    on,
    alone: true,
    delays: [0],
  }).round();
  await publish(1);
  await until(() => sent === 1);
  // A timer of later than that of the second attempt.
  await Bun.sleep(20);
  expect(sent).toBe(1);
  written.resolve();
  await until(() => sent === 2);
  await until(async () => (await place()).recent[0]?.status === "delivered");
  await close();
});

test("a position moves on past events that are not for the webhook, so that they never count as missed", async () => {
  const { store, clock, publish, place, server, close } = open();
  const policy = { allows: () => true };
  const service = webhookService({
    store,
    send: async () => ok,
    policy,
    resolve: async () => [],
    now: () => clock.now,
    newId: () => "uid",
  });
  await service.create({
    ...input,
    params: {},
    body: { id: "w", url: "http://192.0.2.1/", patterns: ["other"], secret: undefined },
  });
  const dispatcher = server(async () => ok);
  await dispatcher.round();
  await publish(50);
  await until(() => dispatcher.figures().lag === 0);
  await dispatcher.round();
  expect(await place()).toMatchObject({ position: 50, missed: 0 });
  await close();
});

test.each(["first attempt", "retry"])(
  "a %s that ends while its webhook is replayed leaves no room taken, however it ends",
  async (which) => {
    const { add, publish, place, server, service, close } = open();
    await add("w");
    const under = [Promise.withResolvers<Attempt>(), Promise.withResolvers<Attempt>()];
    const failed = { ...ok, ok: false, code: 500 };
    let sent = 0;
    const dispatcher = server(
      async () => {
        sent += 1;
        if (which === "retry" && sent === 1) return failed;
        return under.shift()?.promise ?? ok;
      },
      { alone: true, delays: [0, 0] },
    );
    await dispatcher.round();
    await publish(1);
    const [one, two] = under;
    for (const [index, attempt] of [one, two].entries()) {
      await until(() => under.length === 1 - index);
      await service.replay({ ...input, params: { id: "w" }, body: { after: 0 } });
      const rounds = dispatcher.round();
      attempt?.resolve(which === "retry" ? ok : failed);
      await rounds;
    }
    await until(async () => (await place()).recent[0]?.status === "delivered");
    await until(() => dispatcher.figures().kept === 0);
    expect(dispatcher.figures().keptBytes).toBe(0);
    await service.delete({ ...input, params: { id: "w" } } as never);
    await dispatcher.round();
    expect(dispatcher.figures()).toMatchObject({ lanes: 0, kept: 0, keptBytes: 0 });
    await close();
  },
);

const day = 24 * 60 * 60 * 1000;

test("a delivery is tried for as long as its receiver asks for patience; what is lost in the end is counted, and gives its room back", async () => {
  const { store, clock, add, publish, place, server, close } = open();
  await add("w");
  const settled = async () => {
    const [record] = await store.listValues("webhook_retries");
    return record && decodeJson<Retry>(record.value);
  };
  let sent = 0;
  const dispatcher = server(
    async () => {
      sent += 1;
      return { ok: false, code: 503, error: "answered 503", retryAfter: "86400" };
    },
    { alone: true },
  );
  await dispatcher.round();
  await publish(1);
  for (let attempt = 1; attempt <= retryDelays.length + 1; attempt++) {
    await until(async () => sent === attempt && (await settled())?.attempts === attempt);
    clock.now += day;
    await dispatcher.round();
  }
  expect(await settled()).toMatchObject({ status: "failed" });
  expect(dispatcher.figures()).toMatchObject({ kept: 1, keptBytes: expect.any(Number) });
  clock.now += 2 * day;
  await dispatcher.round();
  await until(async () => (await place()).missed === 1);
  expect((await place()).recent).toMatchObject([{ event: 1, status: "dropped", code: 503, attempts: 8 }]);
  expect(await store.list("webhook_retries")).toEqual([]);
  expect(await store.list("webhook_payloads")).toEqual([]);
  await until(() => dispatcher.figures().kept === 0);
  expect(dispatcher.figures().keptBytes).toBe(0);
  await close();
});

test("what waits for a webhook that is disabled is counted when it is lost, also by a server that stood still meanwhile", async () => {
  const { clock, add, publish, place, server, close } = open();
  await add("w");
  const first = server(async () => ({ ...ok, ok: false, code: 410, error: "answered 410" }), { alone: true });
  await first.round();
  await publish(1);
  await until(async () => (await place()).position === 1);
  await first.stop();
  clock.now += 20 * day;
  const second = server(async () => ok, { alone: true });
  await second.round();
  await until(async () => (await place()).missed === 1);
  expect(second.figures()).toMatchObject({ lanes: 0, delivered: 0, missed: 1, lag: 0 });
  await close();
});
