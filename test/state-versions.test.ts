import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type TestServer, startServer } from "./harness.ts";
import { sqlOn } from "./rows.ts";

/** Versions, history, diff and rollback: the same for state and specs but for their names. */

let server: TestServer;
let clock = Date.parse("2026-11-01T12:00:00Z");
beforeAll(async () => {
  server = await startServer([], { now: () => clock });
});
afterAll(() => server.dispose());

const nouns = [
  {
    noun: "state",
    base: "/api/state/v",
    place: (key: string) => ({ key: `v/${key}` }),
    missing: (key: string) => `key not found: v/${key}`,
  },
  {
    noun: "specs",
    base: "/api/specs/v",
    place: (key: string) => ({ project: "v", name: key }),
    missing: (key: string) => `spec not found: v/${key}`,
  },
];

describe.each(nouns)("$noun", ({ noun, base, place, missing }) => {
  const url = (key: string, query = "") => `${base}/${key}${query}`;
  const put = (key: string, body: string, headers: Record<string, string> = {}) =>
    server.json(url(key), { method: "PUT", body, headers });
  const remove = (key: string) => server.json(url(key), { method: "DELETE" });
  const rollback = (key: string, version: string | number, headers: Record<string, string> = {}) =>
    server.json(url(key, `?rollback=${version}`), { method: "POST", headers });

  test("an old version is read as it was written, with its own headers, and a known one is 304", async () => {
    const first = await put("old", '{"n": 12345678901234567890}');
    await put("old", "2");
    const read = await server.ask(url("old", "?version=1"));
    expect(await read.text()).toBe('{"n": 12345678901234567890}');
    expect(read.headers.get("x-koor-version")).toBe("1");
    expect(read.headers.get("x-koor-hash")).toBe(first.body.hash);
    expect(read.headers.get("etag")).toBe(first.headers.get("etag") as string);
    const known = await server.ask(url("old", "?version=1"), {
      headers: { "If-None-Match": read.headers.get("etag") as string },
    });
    expect(known.status).toBe(304);
    expect(
      (await server.ask(url("old", "?version=1"), { method: "HEAD" })).headers.get("x-koor-version"),
    ).toBe("1");
    await remove("old");
    expect(await (await server.ask(url("old", "?version=2"))).text()).toBe("2");
  });

  test("what is not found is told with the command that lists what there is, its name filled in", async () => {
    await put("it%20is", "1");
    const unknown = await server.json(url("it%20is", "?version=9"));
    expect(unknown.body.hint).toBe(`List its versions: koor-cli ${noun} history 'v/it is'`);
    const list = noun === "state" ? "List the keys: koor-cli state list" : "List them: koor-cli specs list v";
    expect((await server.json(url("none"))).body.hint).toBe(list);
  });

  test("a whole number that names no version is 404, and what is no whole number 400", async () => {
    await put("numbers", "1");
    await remove("numbers");
    for (const version of ["0", "-1", "2", "3", "99999999999999999999999999"]) {
      expect(await server.json(url("numbers", `?version=${version}`))).toMatchObject({
        status: 404,
        body: { reason: "not_found" },
      });
      expect((await rollback("numbers", version)).status).toBe(404);
      expect((await server.json(url("numbers", `?diff=1,${version}`))).status).toBe(404);
    }
    for (const version of ["", "x", "1.5", "1e3", " 1", "0x1"]) {
      const query = encodeURIComponent(version);
      expect(await server.json(url("numbers", `?version=${query}`))).toMatchObject({
        status: 400,
        body: { path: "version" },
      });
      expect(await rollback("numbers", query)).toMatchObject({ status: 400, body: { path: "rollback" } });
      expect(await server.json(url("numbers", `?diff=1,${query}`))).toMatchObject({
        status: 400,
        body: { path: "diff" },
      });
    }
    expect(await server.json(url("numbers"), { method: "POST" })).toMatchObject({
      status: 400,
      body: { error: "rollback is required" },
    });
    expect((await server.json(url("never", "?version=1"))).status).toBe(404);
  });

  test("the history is newest first, deletions and the current one included, by whom and when", async () => {
    expect((await server.json(url("history", "?history=1"))).body).toEqual({
      ...place("history"),
      versions: [],
    });
    const { body: instance } = await server.json("/api/instances/register", {
      method: "POST",
      body: '{"name":"ada"}',
    });
    const { hash } = (await put("history", "1", { "Koor-Instance-Token": instance.token })).body;
    clock += 1000;
    await remove("history");
    const again = await put("history", "3");
    const { body } = await server.json(url("history", "?history=1"));
    const now = new Date(clock).toISOString();
    expect(body).toEqual({
      ...place("history"),
      versions: [
        { version: 3, hash: again.body.hash, updated_at: now, updated_by: "" },
        { version: 2, hash: "", updated_at: now, updated_by: "", deleted: true },
        { version: 1, hash, updated_at: new Date(clock - 1000).toISOString(), updated_by: "ada" },
      ],
    });
    const page = await server.json(url("history", "?history=1&limit=1"));
    expect(page.body.versions.map(({ version }: any) => version)).toEqual([3]);
    for (let version = 4; version <= 60; version++) await put("history", String(version));
    expect((await server.json(url("history", "?history=1"))).body.versions).toHaveLength(50);
    expect((await server.json(url("history", "?history=1&limit=99999"))).body.versions).toHaveLength(60);
    expect(await server.json(url("history", "?history=1&limit=0"))).toMatchObject({
      status: 400,
      body: { path: "limit" },
    });
    expect(await server.json(url("history", "?history=yes"))).toMatchObject({
      status: 400,
      body: { path: "history" },
    });
  });

  test("two versions are compared, digits and names as they are", async () => {
    await put("diff", '{"n": 12345678901234567890, "gone": 1, "__proto__": {"a": 1}, "list": [1]}');
    await put("diff", '{"n": 12345678901234567891, "new": 1.10, "__proto__": {"a": 2}, "list": [1]}');
    const answer = await server.ask(url("diff", "?diff=1,2"));
    const text = await answer.text();
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(JSON.parse(text)).toEqual({
      ...place("diff"),
      v1: 1,
      v2: 2,
      diffs: [
        { operation: "replace", path: "/n", old_value: expect.anything(), new_value: expect.anything() },
        { operation: "remove", path: "/gone", old_value: 1 },
        { operation: "replace", path: "/__proto__/a", old_value: 1, new_value: 2 },
        { operation: "add", path: "/new", new_value: 1.1 },
      ],
    });
    expect(text).toContain('"old_value":12345678901234567890,"new_value":12345678901234567891');
    expect(text).toContain('"new_value":1.10');
    expect((await server.json(url("diff", "?diff=2,2"))).body.diffs).toEqual([]);
  });

  test("values that are no JSON objects are not compared", async () => {
    for (const body of ["[1]", "1", "# text", '{"a":', "[".repeat(5000) + "]".repeat(5000)]) {
      await put("nodiff", '{"a":1}');
      const {
        body: { version },
      } = await put("nodiff", body);
      expect(await server.json(url("nodiff", `?diff=${version - 1},${version}`))).toMatchObject({
        status: 400,
        body: { reason: "bad_request" },
      });
    }
  });

  test("a part is picked as it is written, from any version, with the whole's version and tag", async () => {
    const { headers } = await put("pick", '{"a": {"b/c": [12345678901234567890, {"__proto__": 1.10}]}}');
    const pick = (pointer: string, more = "") =>
      server.ask(url("pick", `?pick=${encodeURIComponent(pointer)}${more}`));
    const part = await pick("/a/b~1c");
    expect(await part.text()).toBe('[12345678901234567890, {"__proto__": 1.10}]');
    expect(part.headers.get("content-type")).toBe("application/json");
    expect(part.headers.get("x-koor-version")).toBe("1");
    expect(part.headers.get("etag")).toBe(headers.get("etag") as string);
    expect(await (await pick("/a/b~1c/1/__proto__")).text()).toBe("1.10");
    await put("pick", "{}");
    expect(await (await pick("/a/b~1c/0", "&version=1")).text()).toBe("12345678901234567890");
    expect(await (await pick("")).text()).toBe("{}");
    expect(await (await pick("/a")).json()).toMatchObject({ code: 404, path: "pick" });
    expect(await (await pick("a")).json()).toMatchObject({ code: 400, path: "pick" });
    expect(await (await pick(`/${"a".repeat(4096)}`)).json()).toMatchObject({ code: 400, path: "pick" });
    await put("pick", "plain text");
    expect(await (await pick("/a")).json()).toMatchObject({ code: 400, reason: "bad_request" });
  });

  test("a part of a large value is picked and patched in a worker, digits and all", async () => {
    const row = '{"id":12345678901234567890,"text":"lorem ipsum dolor sit amet, consectetur"},';
    await put("large", `{"rows":[${row.repeat(30_000)}1],"last":{"n":12345678901234567890}}`);
    const picked = server.ask(url("large", "?pick=/last/n")).then((answer) => answer.text());
    expect((await server.ask("/health")).status).toBe(200);
    expect(await picked).toBe("12345678901234567890");
    const patched = await server.json(url("large"), { method: "PATCH", body: '{"last":{"m":1}}' });
    expect(patched.body.version).toBe(2);
    expect(await (await server.ask(url("large", "?pick=/last"))).text()).toBe(
      '{"n":12345678901234567890,"m":1}',
    );
  });

  test("a rollback is a new version with the old value, of a deleted one too", async () => {
    const first = await put("back", '{"v": 1}');
    await put("back", '{"v": 2}');
    const back = await rollback("back", 1);
    const { content_type: _, ...expected } = first.body;
    expect(back.body).toEqual({ ...expected, version: 3, rolled_back: 1, updated_at: expect.any(String) });
    expect(back.headers.get("etag")).toContain('"3-');
    expect(await (await server.ask(url("back"))).text()).toBe('{"v": 1}');
    await remove("back");
    expect((await rollback("back", 2)).body).toMatchObject({ version: 5, rolled_back: 2 });
    expect((await rollback("never", 1)).status).toBe(404);
  });

  test("conditions hold for a rollback as for a write", async () => {
    const { headers } = await put("if", "1");
    await put("if", "2");
    expect((await rollback("if", 1, { "X-Koor-If-Version": "1" })).body).toMatchObject({
      code: 412,
      reason: "version_mismatch",
      current: 2,
    });
    expect((await rollback("if", 1, { "If-Match": headers.get("etag") as string })).body).toMatchObject({
      code: 412,
      current: 2,
    });
    expect((await rollback("if", 1, { "If-None-Match": "*" })).body).toMatchObject({ code: 412, current: 2 });
    expect(await (await server.ask(url("if"))).text()).toBe("2");
    expect((await rollback("if", 1, { "X-Koor-If-Version": "2" })).body.version).toBe(3);
  });

  test("a rollback that is sent again changes nothing", async () => {
    await put("once", "1");
    await put("once", "2");
    const key = { "Idempotency-Key": `rollback-${noun}` };
    const first = await rollback("once", 1, key);
    expect((await rollback("once", 1, key)).body).toEqual(first.body);
    expect((await server.json(url("once", "?history=1"))).body.versions).toHaveLength(3);
    expect((await rollback("once", 2, key)).status).toBe(422);
  });

  test("what is missing is named as ever", async () => {
    expect(await server.json(url("missing"))).toMatchObject({
      status: 404,
      body: { error: missing("missing") },
    });
    expect(await server.json(url("missing"), { method: "PATCH", body: "{}" })).toMatchObject({
      status: 404,
      body: { error: missing("missing") },
    });
  });

  test("whatever is written, patched, rolled back, deleted and refused, versions are consecutive and never reused (CAS-2)", async () => {
    const step = fc.record({
      does: fc.constantFrom("put", "patch", "rollback", "delete"),
      /** Compared with the version that it has: given as a condition, or as the version to go back to. */
      offset: fc.integer({ min: -3, max: 1 }),
      conditional: fc.boolean(),
    });
    let run = 0;
    const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 15 }), async (program) => {
      const key = `model-${run++}`;
      /** Every version's value, `undefined` for a deletion; the first is version 1. */
      const model: (string | undefined)[] = [];
      for (const [index, { does, offset, conditional }] of program.entries()) {
        const live = model.at(-1) !== undefined;
        const current = live ? model.length : 0;
        const wanted = Math.max(0, current + offset);
        const headers: Record<string, string> = conditional ? { "X-Koor-If-Version": String(wanted) } : {};
        const holds = !conditional || wanted === current;
        const target = model.length + offset;
        const value = `{"step":${index}}`;
        const answer =
          does === "put"
            ? await put(key, value, headers)
            : does === "patch"
              ? await server.json(url(key), { method: "PATCH", body: value, headers })
              : does === "rollback"
                ? await rollback(key, target, headers)
                : await server.json(url(key), { method: "DELETE", headers });
        const old = model[target - 1];
        const absent = does === "rollback" ? old === undefined : does !== "put" && !live;
        expect(answer.status).toBe(absent ? 404 : holds ? 200 : 412);
        if (answer.status === 412) expect(answer.body.current).toBe(current);
        if (answer.status !== 200) continue;
        model.push(does === "delete" ? undefined : does === "rollback" ? old : value);
        if (does !== "delete") expect(answer.body.version).toBe(model.length);
      }
      const { versions } = (await server.json(url(key, "?history=1&limit=1000"))).body;
      expect(versions.toReversed().map(({ version, deleted }: any) => [version, deleted === true])).toEqual(
        model.map((value, index) => [index + 1, value === undefined]),
      );
      for (const [index, value] of model.entries()) {
        const read = await server.ask(url(key, `?version=${index + 1}`));
        expect(read.status).toBe(value === undefined ? 404 : 200);
        if (value !== undefined) expect(await read.text()).toBe(value);
      }
    });
    await fc.assert(property, { numRuns: 60 });
  });
});

test("every change is in the audit by its own name", async () => {
  await server.ask("/api/state/audited", { method: "PUT", body: "{}" });
  await server.ask("/api/state/audited", { method: "PATCH", body: "{}" });
  await server.ask("/api/state/audited?rollback=1", { method: "POST" });
  const rows = await sqlOn(server, "select action, detail from audit where resource = 'audited' order by id");
  expect(rows).toEqual([
    { action: "state.put", detail: '{"version":1}' },
    { action: "state.patch", detail: '{"version":2}' },
    { action: "state.rollback", detail: '{"version":3,"rolled_back":1}' },
  ]);
});
