import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type TestServer, openSocket, startServer } from "./harness.ts";
import { headsTable, sqlOn } from "./rows.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer(["--event-retention", "100000"]);
});
afterAll(() => server.dispose());

const put = (path: string, body: string) => server.json(path, { method: "PUT", body });
const send = (body: string, headers: Record<string, string> = {}) =>
  server.json("/api/txn", { method: "POST", body, headers });
const txn = (body: object, headers: Record<string, string> = {}) => send(JSON.stringify(body), headers);
const textOf = async (path: string) => (await server.ask(path)).text();
const rowsOf = (sql: string) => sqlOn(server, sql);

describe("a transaction", () => {
  test("writes state and specs, deletes and publishes, and says what each came to", async () => {
    await put("/api/state/old", "1");
    await put("/api/specs/p/old/x".replace("old/x", "old%2Fx"), "1");
    const { status, body } = await txn({
      if: [
        { key: "old", version: 1 },
        { spec: "p/old/x", version: 1 },
        { key: "new", absent: true },
        { key: "new", version: 0 },
      ],
      do: [
        { put: { key: "new", value: { a: 1 } } },
        { put: { spec: "p/n/m", value: [1] } },
        { delete: { key: "old" } },
        { delete: { spec: "p/old/x" } },
        { publish: { topic: "txn.first", data: { b: 2 } } },
        { publish: { topic: "txn.first" } },
      ],
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      revision: expect.any(Number),
      results: [
        { key: "new", version: 1, hash: expect.any(String) },
        { spec: "p/n/m", version: 1, hash: expect.any(String) },
        { deleted: "old" },
        { deleted: "p/old/x" },
        { id: expect.any(Number), topic: "txn.first" },
        { id: body.results[4].id + 1, topic: "txn.first" },
      ],
    });
    expect(await textOf("/api/state/new")).toBe('{"a":1}');
    expect(await textOf("/api/specs/p/n%2Fm")).toBe("[1]");
    expect((await server.ask("/api/state/old")).status).toBe(404);
    const { body: events } = await server.json("/api/events/history?topic=txn.first");
    expect(events.map(({ data }: any) => data)).toEqual([null, { b: 2 }]);
    const rows = await rowsOf(
      "select revision from versions where key in ('new', 'old') order by id desc limit 2",
    );
    expect(rows.map(({ revision }) => revision)).toEqual([body.revision, body.revision]);
  });

  test("keeps values as the text that came in, events on one line, and takes bytes as base64", async () => {
    await send(`{"do": [
      {"put": {"key": "digits", "value": { "n": 12345678901234567890, "x": 1.10 }}},
      {"publish": {"topic": "txn.digits", "data": { "n":
        12345678901234567890 }}},
      {"put": {"key": "null", "value": null}},
      {"put": {"key": "text", "value": "# \\u00fc\\n", "content_type": "text/markdown; charset=utf-8"}},
      {"put": {"key": "json-text", "value": "x"}},
      {"put": {"key": "bytes", "base64": "AP8B"}},
      {"put": {"spec": "p/typed", "value": 1, "content_type": "text/plain"}}
    ]}`);
    expect(await textOf("/api/state/digits")).toBe('{ "n": 12345678901234567890, "x": 1.10 }');
    expect(await textOf("/api/events/history?topic=txn.digits")).toContain(
      '"data":{"n":12345678901234567890}',
    );
    expect(await textOf("/api/state/null")).toBe("null");
    const text = await server.ask("/api/state/text");
    expect([await text.text(), text.headers.get("content-type")]).toEqual([
      "# ü\n",
      "text/markdown; charset=utf-8",
    ]);
    const json = await server.ask("/api/state/json-text");
    expect([await json.text(), json.headers.get("content-type")]).toEqual(['"x"', "application/json"]);
    const bytes = await server.ask("/api/state/bytes");
    expect([...(await bytes.bytes())]).toEqual([0, 255, 1]);
    expect(bytes.headers.get("content-type")).toBe("application/octet-stream");
    expect((await server.ask("/api/specs/p/typed")).headers.get("content-type")).toBe("application/json");
  });

  test("whose condition fails does nothing, and says which and the current version (TXN-1)", async () => {
    await put("/api/state/cond", "1");
    await put("/api/state/cond", "2");
    // All but the audit, which notes what was refused.
    const kept = async () => {
      const { events, live } = JSON.parse((await rowsOf(`select heads from ${headsTable(server)}`))[0].heads);
      return { events, live, versions: await rowsOf("select count(*) as count from versions") };
    };
    const before = await kept();
    const rest = [{ put: { key: "cond-other", value: 1 } }, { publish: { topic: "txn.failed" } }];
    const mismatch = (path: string, current: number) => ({
      status: 412,
      body: { reason: "version_mismatch", current, path },
    });
    expect(
      await txn({
        if: [
          { key: "cond-other", absent: true },
          { key: "cond", version: 1 },
        ],
        do: rest,
      }),
    ).toMatchObject(mismatch("if.1", 2));
    expect(await txn({ if: [{ key: "cond", absent: true }], do: rest })).toMatchObject(mismatch("if.0", 2));
    expect(await txn({ if: [{ spec: "p/nothing", version: 1 }], do: rest })).toMatchObject(
      mismatch("if.0", 0),
    );
    expect(await txn({ do: [...rest, { delete: { key: "nothing" } }] })).toMatchObject({
      status: 404,
      body: { reason: "not_found", error: "key not found: nothing", path: "do.2.delete" },
    });
    expect(await txn({ do: [{ delete: { spec: "p/nothing" } }] })).toMatchObject({
      status: 404,
      body: { error: "spec not found: p/nothing", path: "do.0.delete" },
    });
    expect((await server.ask("/api/state/cond-other")).status).toBe(404);
    expect((await server.json("/api/events/history?topic=txn.failed")).body).toEqual([]);
    expect(await kept()).toEqual(before);
  });

  test("does the same key's operations in order", async () => {
    const twice = await txn({
      do: [
        { put: { key: "twice", value: 1 } },
        { put: { key: "twice", value: 2 } },
        { delete: { key: "twice" } },
        { put: { key: "twice", value: 4 } },
      ],
    });
    expect(twice.body.results.map(({ version }: any) => version)).toEqual([1, 2, undefined, 4]);
    expect(await textOf("/api/state/twice")).toBe("4");
    expect(await textOf("/api/state/twice?version=2")).toBe("2");
    expect(await txn({ do: [{ delete: { key: "twice" } }, { delete: { key: "twice" } }] })).toMatchObject({
      status: 404,
      body: { path: "do.1.delete" },
    });
    expect(await textOf("/api/state/twice")).toBe("4");
    expect(
      (await txn({ do: [{ put: { key: "brief", value: 1 } }, { delete: { key: "brief" } }] })).status,
    ).toBe(200);
    expect((await server.ask("/api/state/brief")).status).toBe(404);
  });

  test("has an audit row for each thing that a person would name, with who did it", async () => {
    const { body: instance } = await server.json("/api/instances/register", {
      method: "POST",
      body: '{"name":"tina"}',
    });
    const who = { "Koor-Instance-Token": instance.token };
    await txn(
      {
        do: [
          { put: { key: "aud", value: 1 } },
          { put: { spec: "aud/s", value: 1 } },
          { publish: { topic: "txn.aud" } },
          { delete: { key: "aud" } },
        ],
      },
      who,
    );
    expect(
      await rowsOf("select actor, action, resource from audit where resource like 'aud%' order by id"),
    ).toEqual([
      { actor: "tina", action: "state.put", resource: "aud" },
      { actor: "tina", action: "spec.put", resource: "aud/s" },
      { actor: "tina", action: "state.delete", resource: "aud" },
    ]);
    expect((await server.json("/api/events/history?topic=txn.aud")).body[0].source).toBe("tina");
    expect((await server.json("/api/state/aud?history=1")).body.versions[1].updated_by).toBe("tina");
  });

  test("sent again under its idempotency key changes nothing and gets the same answer (IDEM-1)", async () => {
    const body = { do: [{ put: { key: "idem", value: 1 } }, { publish: { topic: "txn.idem" } }] };
    const first = await txn(body, { "Idempotency-Key": "t" });
    expect((await txn(body, { "Idempotency-Key": "t" })).body).toEqual(first.body);
    expect((await server.json("/api/events/history?topic=txn.idem")).body).toHaveLength(1);
    expect((await txn({ do: [{ publish: { topic: "x" } }] }, { "Idempotency-Key": "t" })).status).toBe(422);
  });

  test("of too many, too large or malformed parts is refused where the fault is", async () => {
    const ops = (count: number) =>
      Array.from({ length: count }, (_, at) => ({ put: { key: `many-${at}`, value: at } }));
    expect((await txn({ do: ops(64) })).body.results).toHaveLength(64);
    for (const [body, path] of [
      [{ do: ops(65) }, "do"],
      [{ do: [] }, "do"],
      [{ if: [{ key: "k", version: 1 }] }, "do"],
      [{ if: Array.from({ length: 65 }, () => ({ key: "k", version: 1 })), do: ops(1) }, "if"],
      [{ do: [{}] }, "do.0"],
      [{ do: [{ put: { key: "k", value: 1 }, delete: { key: "k" } }] }, "do.0"],
      [{ do: [{ put: { key: "k" } }] }, "do.0.put"],
      [{ do: [{ put: { key: "k", value: 1, base64: "AA==" } }] }, "do.0.put"],
      [{ do: [{ put: { key: "k", spec: "p/n", value: 1 } }] }, "do.0.put"],
      [{ do: [{ put: { value: 1 } }] }, "do.0.put"],
      [{ do: [{ put: { key: "", value: 1 } }] }, "do.0.put.key"],
      [{ do: [{ put: { key: "k".repeat(513), value: 1 } }] }, "do.0.put.key"],
      [{ do: [{ put: { spec: "noslash", value: 1 } }] }, "do.0.put.spec"],
      [{ do: [{ put: { spec: `${"p".repeat(513)}/n`, value: 1 } }] }, "do.0.put.spec"],
      [{ do: [{ put: { key: "k", base64: "A" } }] }, "do.0.put.base64"],
      [{ do: [{ put: { key: "k", base64: "" } }] }, "do.0.put.base64"],
      [{ do: [{ put: { key: "k", value: "", content_type: "text/plain" } }] }, "do.0.put.value"],
      [
        { do: [{ put: { key: "k", value: 1, content_type: "a/b\r\nSet-Cookie: x" } }] },
        "do.0.put.content_type",
      ],
      [{ do: [{ delete: {} }] }, "do.0.delete"],
      [{ do: [{ publish: { topic: "" } }] }, "do.0.publish.topic"],
      [{ if: [{ key: "k" }], do: ops(1) }, "if.0"],
      [{ if: [{ key: "k", version: 1, absent: true }], do: ops(1) }, "if.0"],
      [{ if: [{ key: "k", version: -1 }], do: ops(1) }, "if.0.version"],
      [{ if: [{ key: "k", absent: false }], do: ops(1) }, "if.0.absent"],
      // A condition that is misspelt would be none.
      [{ conditions: [{ key: "k", absent: true }], do: ops(1) }, "body"],
      [{ if: [{ key: "k", version: 1, abent: true }], do: ops(1) }, "if.0"],
      [{ do: [{ put: { key: "k", value: 1, if_version: 7 } }] }, "do.0.put"],
      [{ do: [{ delete: { key: "k", version: 7 } }] }, "do.0.delete"],
    ] as const) {
      const answer = await txn(body);
      expect(answer, JSON.stringify(body).slice(0, 100)).toMatchObject({ status: 400, body: { path } });
    }
    expect((await send(`{"do":[{"put":{"key":"k","value":"${"x".repeat(1024 * 1024)}"}}]}`)).status).toBe(
      413,
    );
    expect((await send("[]")).status).toBe(400);
    expect((await server.ask("/api/state/k")).status).toBe(404);
    expect((await server.ask("/api/txn")).headers.get("allow")).toBe("POST");
  });

  test("wants the server's token as everything does", async () => {
    const closed = await startServer(["--auth-token", "secret"]);
    expect(
      (await closed.ask("/api/txn", { method: "POST", body: '{"do":[{"publish":{"topic":"t"}}]}' })).status,
    ).toBe(401);
    await closed.dispose();
  });
});

test("many at once, in conflict, are each all or nothing: in the answers, the store, the logs and for a subscriber (TXN-1)", async () => {
  const socket = await openSocket(`${server.url}/api/events/subscribe?pattern=pair.*`);
  const attempts = 300;
  // Each writes its number under both keys and publishes it twice, but some have a condition that others spoil, and some
  // delete at their end what is never there.
  await txn({ do: [{ put: { key: "pair/a", value: -1 } }, { put: { key: "pair/b", value: -1 } }] });
  const answers = await Promise.all(
    Array.from({ length: attempts }, async (_, number) => {
      const read = Number((await server.ask("/api/state/pair/a")).headers.get("x-koor-version"));
      return txn({
        if: number % 3 === 0 ? [] : [{ key: "pair/b", version: read }],
        do: [
          { put: { key: "pair/a", value: number } },
          { publish: { topic: "pair.first", data: number } },
          { put: { key: "pair/b", value: number } },
          { publish: { topic: "pair.second", data: number } },
          ...(number % 5 === 0 ? [{ delete: { key: "pair/never" } }] : []),
        ],
      });
    }),
  );
  const done = answers.flatMap(({ status, body }, number) => (status === 200 ? [{ number, body }] : []));
  const refused = answers.filter(({ status }) => status === 404 || status === 412);
  expect(done.length + refused.length).toBe(attempts);
  expect(done.length).toBeGreaterThan(attempts / 5);
  expect(refused.length).toBeGreaterThanOrEqual(attempts / 5);

  const inOrder = done.toSorted((a, b) => a.body.revision - b.body.revision);
  const numbers = inOrder.map(({ number }) => number);
  // The store: both keys went through the same values, in the order of the revisions.
  for (const key of ["pair/a", "pair/b"]) {
    const { versions } = (await server.json(`/api/state/${key}?history=1&limit=1000`)).body;
    expect(versions).toHaveLength(numbers.length + 1);
    const values = await Promise.all(
      numbers.map((_, index) => textOf(`/api/state/${key}?version=${index + 2}`)),
    );
    expect(values.map(Number)).toEqual(numbers);
  }
  // The answers: consecutive versions, and ids of events side by side.
  for (const [index, { body }] of inOrder.entries()) {
    const [a, first, b, second] = body.results;
    expect([a.version, b.version]).toEqual([index + 2, index + 2]);
    expect(second.id).toBe(first.id + 1);
  }
  // The subscriber, and the log: pairs, with nothing between them, in the same order.
  const seen: any[] = [];
  while (seen.length < 2 * numbers.length) seen.push(JSON.parse(await socket.next()));
  expect(seen.map(({ topic, data }) => [topic, data])).toEqual(
    numbers.flatMap((number) => [
      ["pair.first", number],
      ["pair.second", number],
    ]),
  );
  const { body: logged } = await server.json(`/api/events/history?topic=pair.*&after=0&limit=1000`);
  expect(logged).toEqual(seen);
  // The audit: two rows for each, side by side, and none for what was refused.
  const audit = await rowsOf("select id, resource from audit where resource like 'pair/%' order by id");
  expect(audit).toHaveLength(2 * (numbers.length + 1));
  for (let at = 0; at < audit.length; at += 2) {
    expect([audit[at].resource, audit[at + 1].resource]).toEqual(["pair/a", "pair/b"]);
    expect(audit[at + 1].id).toBe(audit[at].id + 1);
  }
  socket.close();
});

test("any transactions come to what a model says, in order, or to nothing (TXN-1, CAS-2)", async () => {
  const key = fc.constantFrom("a", "b");
  const step = fc.oneof(
    fc.record({ put: fc.record({ key, value: fc.nat(9) }) }),
    fc.record({ delete: fc.record({ key }) }),
    fc.record({ publish: fc.record({ topic: fc.constant("t"), data: fc.nat(9) }) }),
  );
  const condition = fc.oneof(
    fc.record({ key, version: fc.nat(4) }),
    fc.record({ key, absent: fc.constant(true as const) }),
  );
  const transaction = fc.record({
    if: fc.array(condition, { maxLength: 2 }),
    do: fc.array(step, { minLength: 1, maxLength: 5 }),
  });
  let run = 0;
  const property = fc.asyncProperty(
    fc.array(transaction, { minLength: 1, maxLength: 8 }),
    async (program) => {
      const prefix = `model/${run++}/`;
      const topic = `model.${run}`;
      type Model = { versions: Map<string, (number | undefined)[]>; events: number[] };
      let model: Model = {
        versions: new Map([
          ["a", []],
          ["b", []],
        ]),
        events: [],
      };
      for (const { if: conditions, do: steps } of program) {
        const answer = await txn({
          if: conditions.map((each) => ({ ...each, key: prefix + each.key })),
          do: steps.map((each) =>
            "put" in each
              ? { put: { ...each.put, key: prefix + each.put.key } }
              : "delete" in each
                ? { delete: { key: prefix + each.delete.key } }
                : { publish: { ...each.publish, topic } },
          ),
        });
        const live = (key: string) =>
          model.versions.get(key)?.at(-1) === undefined ? 0 : model.versions.get(key)!.length;
        const next: Model = structuredClone(model);
        const holds = conditions.every((each) => live(each.key) === ("version" in each ? each.version : 0));
        let found = true;
        for (const each of steps) {
          if ("put" in each) next.versions.get(each.put.key)!.push(each.put.value);
          else if ("publish" in each) next.events.push(each.publish.data);
          else {
            const versions = next.versions.get(each.delete.key)!;
            if (versions.at(-1) === undefined) found = false;
            versions.push(undefined);
          }
        }
        // Where both fail either may be told.
        if (holds && found) expect(answer.status).toBe(200);
        else expect([...(holds ? [] : [412]), ...(found ? [] : [404])]).toContain(answer.status);
        if (answer.status === 200) model = next;
      }
      for (const [key, versions] of model.versions) {
        const { body } = await server.json(`/api/state/${prefix}${key}?history=1`);
        expect(
          body.versions.toReversed().map(({ version, deleted }: any) => [version, deleted === true]),
        ).toEqual(versions.map((value, at) => [at + 1, value === undefined]));
        if (versions.at(-1) !== undefined)
          expect(await textOf(`/api/state/${prefix}${key}`)).toBe(String(versions.at(-1)));
      }
      const { body: events } = await server.json(`/api/events/history?topic=${topic}&after=0&limit=1000`);
      expect(events.map(({ data }: any) => data)).toEqual(model.events);
    },
  );
  await fc.assert(property, { numRuns: 60 });
});
