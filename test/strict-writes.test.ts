import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestServer, startServer } from "./harness.ts";

let strict: TestServer;
let lenient: TestServer;
beforeAll(async () => {
  [strict, lenient] = await Promise.all([startServer(["--strict-writes"]), startServer()]);
});
afterAll(() => Promise.all([strict.dispose(), lenient.dispose()]));

const send = (
  server: TestServer,
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
) => server.json(path, { method, headers, ...(body !== undefined && { body }) });
const rules = (id: string) => JSON.stringify([{ rule_id: id, pattern: "x" }]);
const required = (current: number) => ({
  status: 428,
  body: { reason: "precondition_required", current, hint: expect.stringContaining("X-Koor-If-Version") },
});

describe("--strict-writes", () => {
  test.each([
    ["state", "/api/state/k", "1", "2"],
    ["a spec", "/api/specs/p/n", "1", "2"],
    ["rules", "/api/validate/p/rules", rules("a"), rules("b")],
  ])("%s is created freely and overwritten only under a condition", async (_, path, first, second) => {
    const created = await send(strict, "PUT", path, first);
    expect(created.status).toBe(200);
    expect(await send(strict, "PUT", path, second)).toMatchObject(required(1));
    expect((await strict.ask(path)).headers.get("x-koor-version")).toBe("1");
    expect(await send(strict, "PUT", path, second, { "X-Koor-If-Version": "7" })).toMatchObject({
      status: 412,
      body: { current: 1 },
    });
    const tag = created.headers.get("etag") as string;
    expect((await send(strict, "PUT", path, second, { "If-Match": tag })).status).toBe(200);
    expect((await send(strict, "PUT", path, first, { "X-Koor-If-Version": "2" })).status).toBe(200);
    expect((await send(strict, "PUT", path, second, { "If-Match": "*" })).status).toBe(200);
    expect((await send(lenient, "PUT", path, first)).status).toBe(200);
    expect((await send(lenient, "PUT", path, second)).status).toBe(200);
  });

  test.each([
    ["/api/state/a%20plan", "koor-cli state get --output FILE 'a plan'. "],
    ["/api/specs/shop/open%2Fapi", "koor-cli specs get --output FILE shop/open/api. "],
  ])(
    "who must say a version of %s is told the command that shows it with the value",
    async (path, command) => {
      await send(strict, "PUT", path, "1");
      const refusals = [
        await send(strict, "PUT", path, "2"),
        await send(strict, "PUT", path, "2", { "X-Koor-If-Version": "7" }),
        await send(strict, "PATCH", path, "{}", { "X-Koor-If-Version": "7" }),
        await send(strict, "DELETE", path, undefined, { "X-Koor-If-Version": "7" }),
        await send(strict, "POST", `${path}?rollback=1`),
      ];
      for (const { body } of refusals) expect(body.hint).toContain(command);
    },
  );

  test("a transaction is told to name the version in its if, since it takes no condition as a whole", async () => {
    await send(strict, "PUT", "/api/state/both", "1");
    await send(strict, "PUT", "/api/specs/p/both", "1");
    const refusal = async (body: object) =>
      (await send(strict, "POST", "/api/txn", JSON.stringify(body))).body as { path: string; hint: string };
    const step = { put: { key: "both", value: 2 } };
    for (const [body, path] of [
      [{ do: [{ publish: { topic: "t" } }, step] }, "do.1.put"],
      [{ if: [{ key: "both", version: 7 }], do: [step] }, "if.0"],
    ] as const) {
      const refused = await refusal(body);
      expect(refused.path).toBe(path);
      expect(refused.hint).toContain("koor-cli state get --output FILE both");
      expect(refused.hint).toContain(
        'name the version you read in the transaction\'s if: {"key":"both","version":N}',
      );
      expect(refused.hint).not.toContain("--if-version");
    }
    const spec = await refusal({ do: [{ put: { spec: "p/both", value: 2 } }] });
    expect(spec.hint).toContain('{"spec":"p/both","version":N}');
  });

  test("a rollback is an overwrite, unless there is nothing now", async () => {
    await send(strict, "PUT", "/api/state/back", "1");
    expect(await send(strict, "POST", "/api/state/back?rollback=1")).toMatchObject(required(1));
    expect(
      (await send(strict, "POST", "/api/state/back?rollback=1", undefined, { "X-Koor-If-Version": "1" })).body
        .version,
    ).toBe(2);
    await send(strict, "DELETE", "/api/state/back");
    expect((await send(strict, "POST", "/api/state/back?rollback=1")).body.version).toBe(4);
  });

  test("deleting is free, and so is writing anew behind it", async () => {
    await send(strict, "PUT", "/api/state/gone", "1");
    expect((await send(strict, "DELETE", "/api/state/gone")).status).toBe(200);
    expect((await send(strict, "PUT", "/api/state/gone", "2")).body.version).toBe(3);
  });

  test("a patch leaves what it does not name, and so is free", async () => {
    await send(strict, "PUT", "/api/state/patch", '{"a":1}');
    expect((await send(strict, "PATCH", "/api/state/patch", '{"b":2}')).status).toBe(200);
  });

  test.each([
    ["a merge patch that is no object", "5"],
    ["an operation on the root", '[{"op":"replace","path":"","value":{"mine":1}}]'],
    ["a copy over the root", '[{"op":"copy","from":"/a","path":""}]'],
    ["a move to the root", '[{"op":"add","path":"/x","value":1},{"op":"move","from":"/a","path":""}]'],
  ])("%s replaces the whole, and so is an overwrite", async (_, patch) => {
    await send(strict, "DELETE", "/api/state/whole");
    const { version } = (await send(strict, "PUT", "/api/state/whole", '{"a":{"b":1}}')).body;
    expect(await send(strict, "PATCH", "/api/state/whole", patch)).toMatchObject(required(version));
    const condition = { "X-Koor-If-Version": String(version) };
    expect((await send(strict, "PATCH", "/api/state/whole", patch, condition)).status).toBe(200);
    expect((await send(lenient, "PUT", "/api/state/whole", '{"a":1}')).status).toBe(200);
    expect((await send(lenient, "PATCH", "/api/state/whole", patch)).status).toBe(200);
  });

  test("a merge into what is no object replaces it; with a test of the whole nobody is overwritten unseen", async () => {
    await send(strict, "PUT", "/api/state/list", "[1]");
    expect((await send(strict, "PATCH", "/api/state/list", '{"a":1}')).status).toBe(428);
    const after = '[{"op":"replace","path":"","value":{}},{"op":"test","path":"","value":{}}]';
    expect((await send(strict, "PATCH", "/api/state/list", after)).status).toBe(428);
    const tested = '[{"op":"test","path":"","value":[1]},{"op":"replace","path":"","value":{}}]';
    expect((await send(strict, "PATCH", "/api/state/list", tested)).status).toBe(200);
  });

  test("proposals and imports of rules change rules by their ids, and are free", async () => {
    await send(strict, "PUT", "/api/validate/q/rules", rules("a"));
    expect(
      (await send(strict, "POST", "/api/rules/propose", '{"project":"q","rule_id":"b","pattern":"y"}'))
        .status,
    ).toBe(200);
    expect((await send(strict, "POST", "/api/rules/q/b/accept")).status).toBe(200);
    expect(
      (await send(strict, "POST", "/api/rules/import", '[{"project":"q","rule_id":"c","pattern":"z"}]'))
        .status,
    ).toBe(200);
  });

  test("a transaction overwrites only keys that it has a condition on", async () => {
    await send(strict, "PUT", "/api/state/t", "1");
    const txn = (body: object) => send(strict, "POST", "/api/txn", JSON.stringify(body));
    const put = { put: { key: "t", value: 2 } };
    expect(await txn({ do: [{ put: { key: "t2", value: 1 } }, put] })).toMatchObject({
      status: 428,
      body: { current: 1, path: "do.1.put" },
    });
    expect(await txn({ do: [{ delete: { key: "t" } }, put] })).toMatchObject({
      status: 428,
      body: { current: 1, path: "do.1.put" },
    });
    expect((await strict.ask("/api/state/t2")).status).toBe(404);
    expect((await txn({ if: [{ key: "t", version: 1 }], do: [put, put] })).body.results[1].version).toBe(3);
    expect(
      (await txn({ do: [{ put: { key: "t2", value: 1 } }, { put: { key: "t2", value: 2 } }] })).status,
    ).toBe(200);
  });

  test("of many who create without a condition exactly one does, and none overwrites another", async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) => send(strict, "PUT", "/api/state/race", String(at))),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status, body }) => status === 428 && body.current === 1)).toHaveLength(49);
  });
});

describe("conditions on rules", () => {
  test("every precondition there is, with the version in the headers", async () => {
    const path = "/api/validate/cond/rules";
    expect((await send(lenient, "PUT", path, rules("a"), { "If-Match": "*" })).body).toMatchObject({
      code: 412,
      current: 0,
    });
    const first = await send(lenient, "PUT", path, rules("a"), { "If-None-Match": "*" });
    expect(first.body).toEqual({ project: "cond", count: 1 });
    const listed = await lenient.ask(path);
    expect(listed.headers.get("x-koor-version")).toBe("1");
    expect(listed.headers.get("etag")).toBe(first.headers.get("etag") as string);
    expect((await send(lenient, "PUT", path, rules("b"), { "If-None-Match": "*" })).body).toMatchObject({
      code: 412,
      current: 1,
    });
    expect(
      (await send(lenient, "PUT", path, rules("b"), { "X-Koor-If-Version": "1" })).headers.get(
        "x-koor-version",
      ),
    ).toBe("2");
    expect(
      (await send(lenient, "PUT", path, rules("c"), { "If-Match": first.headers.get("etag") as string }))
        .body,
    ).toMatchObject({ code: 412, current: 2 });
    expect((await lenient.json(path)).body.rules.map(({ rule_id }: any) => rule_id)).toEqual(["b"]);
    expect((await lenient.ask("/api/validate/none/rules")).headers.get("etag")).toBeNull();
  });

  test("under a condition that any version meets nothing of others is lost", async () => {
    const path = "/api/validate/busy/rules";
    await send(lenient, "PUT", path, rules("a"));
    const proposals = Array.from({ length: 20 }, (_, at) =>
      send(
        lenient,
        "POST",
        "/api/rules/propose",
        JSON.stringify({ project: "busy", rule_id: `p${at}`, pattern: "x" }),
      ),
    );
    const writes = Array.from({ length: 20 }, (_, at) =>
      send(lenient, "PUT", path, rules(`w${at}`), { "If-Match": "*" }),
    );
    const [proposed] = await Promise.all([Promise.all(proposals), Promise.all(writes)]);
    // Some may be told that too many patterns wait to be checked.
    const accepted = proposed.filter(({ status }) => status === 200);
    expect(accepted.length).toBeGreaterThan(0);
    const { rules: left } = (await lenient.json(path)).body;
    expect(left.filter(({ source }: any) => source === "learned")).toHaveLength(accepted.length);
  });
});
