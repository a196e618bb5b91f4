import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
let clock = Date.parse("2026-11-01T12:00:00Z");
let ada: Instance;
let bob: Instance;

interface Instance {
  id: string;
  token: string;
}

beforeAll(async () => {
  server = await startServer([], { now: () => clock });
  ada = await register("ada");
  bob = await register("bob");
});
afterAll(() => server.dispose());

async function register(name: string): Promise<Instance> {
  const body = JSON.stringify({ name });
  return (await server.json("/api/instances/register", { method: "POST", body })).body as Instance;
}

const as = (who?: Instance): Record<string, string> => (who ? { "Koor-Instance-Token": who.token } : {});

function send(
  method: string,
  path: string,
  who?: Instance,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return server.json(path, {
    method,
    headers: { ...as(who), ...headers },
    ...(body !== undefined && { body: text }),
  });
}

const acquire = (who: Instance | undefined, body: unknown, headers?: Record<string, string>) =>
  send("POST", "/api/leases", who, body, headers);
const release = (id: string, who?: Instance) => send("DELETE", `/api/leases/${id}`, who);
const list = async (query = "") => (await server.json(`/api/leases${query}`)).body as any[];
const fenceOf = (lease: { id: string; fence: number }) => ({ "Koor-Fence": `${lease.id}:${lease.fence}` });

/** Until somebody waits for a path. */
async function untilWaiting(path: string, count = 1): Promise<void> {
  while ((await list(`?path=${path}`)).filter(({ state }) => state === "waiting").length < count)
    await Bun.sleep(5);
}

describe("POST /api/leases", () => {
  test("leases paths in their one spelling, exclusively, for ten minutes, unless said otherwise", async () => {
    const { status, body } = await acquire(ada, { paths: ["./api//**", "api/**", "b?.ts"], note: "rename" });
    expect(status).toBe(200);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      resource: "",
      paths: ["api/**", "b?.ts"],
      mode: "exclusive",
      holder: "ada",
      holder_id: ada.id,
      note: "rename",
      fence: expect.any(Number),
      ttl_ms: 600_000,
      expires_at: "2026-11-01T12:10:00.000Z",
    });
    expect(await list()).toEqual([{ ...body, state: "held" }]);
    await release(body.id, ada);
  });

  test("in conflict it is 409 with who holds it, why and until when, and what to do", async () => {
    const { body: mine } = await acquire(ada, {
      paths: ["src/**"],
      ttl: "1h",
      note: "moving \u001b[31mthings",
    });
    const { status, body } = await acquire(bob, { paths: ["docs/x", "src/a/b.ts"] });
    expect(status).toBe(409);
    expect(body).toMatchObject({ code: 409, reason: "conflict", blocked_by: [{ ...mine, state: "held" }] });
    expect(body.error).toStartWith(
      `"src/**" is held by "ada" until 2026-11-01T13:00:00.000Z, who says "moving`,
    );
    expect(body.hint).toContain("koor-cli lease acquire --wait 60s docs/x src/a/b.ts. ");
    const shared = await acquire(bob, { paths: ["src/**"], mode: "shared" });
    expect(shared.body.hint).toContain("koor-cli lease acquire --mode shared --wait 60s 'src/**'. ");
    await release(mine.id, ada);
    const again = await acquire(bob, { paths: ["src/a/b.ts"] });
    expect(again.status).toBe(200);
    expect(again.body.fence).toBeGreaterThan(mine.fence);
    await release(again.body.id, bob);
  });

  test("who is blocked by a lease of his own is told to use or to end it, not to wait, whoever else is in the way", async () => {
    const { body: other } = await acquire(bob, { paths: ["self/b"] });
    const { body: own } = await acquire(ada, { paths: ["self/a"] });
    const { body } = await acquire(ada, { paths: ["self/**"] });
    expect(body.error).toContain('"self/a" is held by "ada", which is you,');
    expect(body.hint).toContain(`KOOR_FENCE=${own.id}:${own.fence}`);
    expect(body.hint).toContain(`koor-cli lease renew ${own.id}`);
    expect(body.hint).toContain(`koor-cli lease release ${own.id}`);
    expect(body.hint).not.toContain("--wait");
    await release(own.id, ada);
    await release(other.id, bob);
  });

  test("shared leases stand beside each other, exclusive ones alone", async () => {
    const shared = { paths: ["read/*"], mode: "shared" };
    const leases = [await acquire(ada, shared), await acquire(bob, shared)];
    expect(leases.map(({ status }) => status)).toEqual([200, 200]);
    expect((await acquire(bob, { paths: ["read/x"] })).status).toBe(409);
    for (const { body } of leases) await release(body.id);
    const { body } = await acquire(bob, { paths: ["read/x"] });
    expect((await acquire(ada, shared)).status).toBe(409);
    await release(body.id);
  });

  test("a resource is a name whose stars are stars, and the same as the path of these characters", async () => {
    const { body } = await acquire(ada, { resource: "jobs:*" });
    expect(body).toMatchObject({ resource: "jobs:*", paths: [] });
    expect((await acquire(bob, { resource: "jobs:1" })).status).toBe(200);
    expect((await acquire(bob, { resource: "./jobs:*" })).status).toBe(409);
    expect((await acquire(bob, { paths: ["jobs:?"] })).status).toBe(409);
    for (const { id } of await list("?path=**")) await release(id);
  });

  test("who waits gets it when it is released, in order of arrival, and shared ones together", async () => {
    const { body: first } = await acquire(ada, { paths: ["line"] });
    const order: string[] = [];
    const ask = async (name: string, mode: string) => {
      const answer = await acquire(bob, { paths: ["line"], mode, wait: "30s" });
      order.push(name);
      return answer.body as { id: string; fence: number };
    };
    const one = ask("exclusive", "exclusive");
    await untilWaiting("line", 1);
    const two = ask("shared", "shared");
    await untilWaiting("line", 2);
    const three = ask("shared", "shared");
    await untilWaiting("line", 3);
    expect((await list("?path=line")).map(({ state, position }) => [state, position])).toEqual([
      ["held", undefined],
      ["waiting", 1],
      ["waiting", 2],
      ["waiting", 3],
    ]);
    expect((await list("?path=line")).map(({ waiting_since }) => waiting_since)).toEqual([
      undefined,
      ...[1, 2, 3].map(() => new Date(clock).toISOString()),
    ]);
    // Nobody passes who is in line, though only shared ones are behind him.
    const refused = await acquire(ada, { paths: ["lin?"], mode: "shared" });
    expect(refused.status).toBe(409);
    await release(first.id, ada);
    const second = await one;
    expect(order).toEqual(["exclusive"]);
    await release(second.id, bob);
    const [third, fourth] = await Promise.all([two, three]);
    expect(order).toEqual(["exclusive", "shared", "shared"]);
    const fences = [first.fence, second.fence, third.fence, fourth.fence];
    expect(fences).toEqual(fences.toSorted((a, b) => a - b));
    await release(third.id);
    await release(fourth.id);
  });

  test("a wait that is over is 409, and leaves no place in line", async () => {
    const { body: mine } = await acquire(ada, { paths: ["over"] });
    const waiting = acquire(bob, { paths: ["over"], wait: "60s" });
    await untilWaiting("over");
    clock += 60_000;
    // Any change of a lease makes the server look; its own timer goes by the real clock here.
    await send("POST", `/api/leases/${mine.id}/renew`, ada, {});
    const { status, body } = await waiting;
    expect({ status, error: body.error }).toEqual({
      status: 409,
      error: expect.stringMatching(/^the wait is over: "over" is held by "ada" until/),
    });
    expect(await list("?path=over")).toHaveLength(1);
    await release(mine.id);
  });

  test("a client that leaves leaves the line", async () => {
    const { body: mine } = await acquire(ada, { paths: ["left"] });
    const controller = new AbortController();
    const asking = fetch(`${server.url}/api/leases`, {
      method: "POST",
      headers: as(bob),
      body: JSON.stringify({ paths: ["left"], wait: "60s" }),
      signal: controller.signal,
    }).catch(() => "gone");
    await untilWaiting("left");
    controller.abort();
    expect(await asking).toBe("gone");
    while ((await list("?path=left")).length > 1) await Bun.sleep(5);
    await release(mine.id);
  });

  test("a place in line that a person removes is 409", async () => {
    const { body: mine } = await acquire(ada, { paths: ["removed"] });
    const waiting = acquire(bob, { paths: ["removed"], wait: "60s" });
    await untilWaiting("removed");
    const [, place] = await list("?path=removed");
    await release(mine.id);
    const got = await waiting;
    expect(got.body.id).toBe(place.id);
    const again = acquire(ada, { paths: ["removed"], wait: "60s" });
    await untilWaiting("removed");
    const [, other] = await list("?path=removed");
    expect((await release(other.id)).body).toEqual({ deleted: other.id });
    expect(await again).toMatchObject({ status: 409, body: { reason: "conflict" } });
    await release(got.body.id);
  });

  test("sent again under its idempotency key it is the same lease, also when it waited (IDEM-1)", async () => {
    const key = { "Idempotency-Key": "k1" };
    const first = await acquire(ada, { paths: ["once"] }, key);
    expect((await acquire(ada, { paths: ["once"] }, key)).body).toEqual(first.body);
    const waits = [1, 2].map(() =>
      acquire(bob, { paths: ["once"], wait: "30s" }, { "Idempotency-Key": "k2" }),
    );
    await untilWaiting("once");
    await release(first.body.id, ada);
    const [one, two] = await Promise.all(waits);
    expect(one).toMatchObject({ status: 200, body: { holder: "bob" } });
    expect(two?.body).toEqual(one?.body);
    expect(await list("?path=once")).toHaveLength(1);
    // A refusal is not kept.
    const refused = await acquire(ada, { paths: ["once"] }, { "Idempotency-Key": "k3" });
    expect(refused.status).toBe(409);
    await release(one?.body.id, bob);
    const later = await acquire(ada, { paths: ["once"] }, { "Idempotency-Key": "k3" });
    expect(later.status).toBe(200);
    await release(later.body.id);
  });

  test("without an identity it is 400 with how to get one", async () => {
    expect(await acquire(undefined, { paths: ["x"] })).toMatchObject({
      status: 400,
      body: { path: "Koor-Instance-Token", hint: expect.stringContaining("koor-cli register NAME") },
    });
    expect((await acquire({ id: "", token: "wrong" }, { paths: ["x"] })).status).toBe(401);
  });

  test("bad input is 400 naming the field, and nothing is leased (LIMIT-1)", async () => {
    const cases: [body: unknown, path: string][] = [
      [{}, "paths"],
      [{ paths: [] }, "paths"],
      [{ resource: "", paths: null }, "paths"],
      [{ paths: "src" }, "paths"],
      [{ paths: [1] }, "paths.0"],
      [{ paths: ["a", ""] }, "paths.1"],
      [{ paths: ["a", "../b"] }, "paths.1"],
      [{ paths: ["/etc/passwd"] }, "paths.0"],
      [{ paths: ["src/"] }, "paths.0"],
      [{ paths: ["a\\b"] }, "paths.0"],
      [{ paths: ["a\nb"] }, "paths.0"],
      [{ paths: ["x".repeat(257)] }, "paths.0"],
      [{ paths: Array.from({ length: 33 }, (_, at) => `p${at}`) }, "paths"],
      [{ resource: "a", paths: ["b"] }, "resource"],
      [{ resource: "x".repeat(257) }, "resource"],
      [{ resource: "a/../b" }, "resource"],
      [{ paths: ["x"], mode: "both" }, "mode"],
      [{ paths: ["x"], ttl: 600 }, "ttl"],
      [{ paths: ["x"], ttl: "soon" }, "ttl"],
      [{ paths: ["x"], ttl: "999ms" }, "ttl"],
      [{ paths: ["x"], ttl: "86401s" }, "ttl"],
      [{ paths: ["x"], wait: "soon" }, "wait"],
      [{ paths: ["x"], note: "x".repeat(513) }, "note"],
    ];
    for (const [body, path] of cases) {
      const answer = await acquire(ada, body);
      expect([body, answer.status, answer.body.path]).toEqual([body, 400, path]);
      expect(answer.body.error).toStartWith(path);
    }
    expect(await list()).toEqual([]);
  });

  test("the bounds of TTL and paths are within", async () => {
    for (const ttl of ["1s", "24h", "1.5h"]) {
      const { body } = await acquire(ada, {
        paths: Array.from({ length: 32 }, (_, at) => `${at}/`.padEnd(256, "x")),
        ttl,
      });
      expect(body.paths).toHaveLength(32);
      await release(body.id);
    }
  });
});

describe("renewing and releasing", () => {
  test("a lease lasts its TTL from its last renewal, keeps its fence, and is lost after that (LEASE-1)", async () => {
    const { body: first } = await acquire(ada, { paths: ["renewed"], ttl: "10s" });
    clock += 9_999;
    const renew = (who: Instance | undefined, body: unknown = {}) =>
      send("POST", `/api/leases/${first.id}/renew`, who, body);
    const { body: second } = await renew(ada);
    expect(second).toEqual({ ...first, expires_at: new Date(clock + 10_000).toISOString() });
    expect((await renew(ada, { ttl: "20s" })).body).toMatchObject({ ttl_ms: 20_000, fence: first.fence });
    clock += 19_999;
    expect((await acquire(bob, { paths: ["renewed"] })).status).toBe(409);
    clock += 1;
    expect(await renew(ada)).toMatchObject({ status: 412, body: { reason: "lease_lost" } });
    expect((await list("?path=renewed")).length).toBe(0);
  });

  test("only its holder renews it; another instance does not release it, a person does", async () => {
    const { body } = await acquire(ada, { paths: ["mine"] });
    const path = `/api/leases/${body.id}`;
    expect((await send("POST", `${path}/renew`, undefined, {})).status).toBe(400);
    expect((await send("POST", `${path}/renew`, ada, { ttl: "0s" })).status).toBe(400);
    const refused = [await send("POST", `${path}/renew`, bob, {}), await release(body.id, bob)];
    for (const { status, body: refusal } of refused) {
      expect([status, refusal.reason]).toEqual([403, "forbidden"]);
      expect(refusal.error).toBe(`this lease is another instance's: "ada", until ${body.expires_at}`);
      // Not that a person can release it: who does all that he reads would leave his token out, and take it away.
      expect(refusal.hint).toBe(
        "Wait in line for it: koor-cli lease acquire --wait 60s mine. Who holds what, and who waits: koor-cli lease list",
      );
    }
    expect((await release(body.id)).body).toEqual({ deleted: body.id });
    expect(await release(body.id, ada)).toMatchObject({
      status: 404,
      body: { error: `lease not found: ${body.id}`, hint: expect.stringContaining("koor-cli lease list") },
    });
  });

  test("who waits cannot renew", async () => {
    const { body: mine } = await acquire(ada, { paths: ["wanted"] });
    const waiting = acquire(bob, { paths: ["wanted"], wait: "60s" });
    await untilWaiting("wanted");
    const [, place] = await list("?path=wanted");
    expect((await send("POST", `/api/leases/${place.id}/renew`, bob, {})).status).toBe(409);
    await release(mine.id);
    await release((await waiting).body.id);
  });

  test("a lease ends with its holder's deregistration; staleness does not shorten it", async () => {
    const cyd = await register("cyd");
    const { body } = await acquire(cyd, { paths: ["cyd/**"], ttl: "1h" });
    clock += 10 * 60_000;
    await server.ask("/api/liveness/check", { method: "POST" });
    expect((await server.json(`/api/instances/${cyd.id}`)).body.status).toBe("stale");
    expect((await acquire(bob, { paths: ["cyd/x"] })).status).toBe(409);
    const waiting = acquire(bob, { paths: ["cyd/x"], wait: "60s" });
    await untilWaiting("cyd/x");
    await send("DELETE", `/api/instances/${cyd.id}`);
    const got = await waiting;
    expect(got.status).toBe(200);
    expect((await send("PUT", "/api/state/k", undefined, "1", fenceOf(body))).status).toBe(412);
    await release(got.body.id);
  });

  test("who is deregistered while he waits gets no lease", async () => {
    const { body: mine } = await acquire(ada, { paths: ["dan"] });
    const dan = await register("dan");
    const waiting = acquire(dan, { paths: ["dan"], wait: "60s" });
    await untilWaiting("dan");
    await send("DELETE", `/api/instances/${dan.id}`);
    expect(await waiting).toMatchObject({ status: 401, body: { reason: "unknown_instance" } });
    await release(mine.id);
  });
});

describe("GET /api/leases", () => {
  test("filters by holder, name or id, and by paths in common", async () => {
    const made = [
      await acquire(ada, { paths: ["web/**"] }),
      await acquire(bob, { paths: ["api/v1/*.go", "web2"] }),
      await acquire(bob, { resource: "deploy" }),
    ].map(({ body }) => body.id as string);
    const ids = async (query: string) => (await list(query)).map(({ id }) => made.indexOf(id));
    expect(await ids("")).toEqual([0, 1, 2]);
    expect(await ids("?holder=bob")).toEqual([1, 2]);
    expect(await ids(`?holder=${ada.id}`)).toEqual([0]);
    expect(await ids("?holder=nobody")).toEqual([]);
    expect(await ids("?path=api/**/x.go")).toEqual([1]);
    expect(await ids("?path=*")).toEqual([0, 1, 2]);
    expect(await ids("?path=deploy&holder=bob")).toEqual([2]);
    expect((await server.ask("/api/leases?path=../x")).status).toBe(400);
    expect((await server.ask(`/api/leases?path=${"x".repeat(257)}`)).status).toBe(400);
    for (const id of made) await release(id);
    expect(await list()).toEqual([]);
  });
});

test("changes tell who got a lease and how it ended, and nothing of waits and renewals", async () => {
  const start = (await server.json("/api/changes/next")).body.last_id as number;
  const { body: first } = await acquire(ada, { paths: ["told"], ttl: "10s" });
  const waiting = acquire(bob, { paths: ["told"], wait: "60s" });
  await untilWaiting("told");
  await send("POST", `/api/leases/${first.id}/renew`, ada, {});
  clock += 10_000;
  // Whoever looks finds it ended.
  await list();
  const { body: second } = await waiting;
  await release(second.id);
  const { body } = await server.json(`/api/changes/next?after=${start}&pattern=leases.*`);
  expect(body.events.map(({ action, topic, actor }: any) => [action, topic, actor])).toEqual([
    ["lease.acquire", `leases.${first.id}`, "ada"],
    ["lease.expire", `leases.${first.id}`, "lease-monitor"],
    ["lease.acquire", `leases.${second.id}`, "bob"],
    ["lease.release", `leases.${second.id}`, "local"],
  ]);
});

describe("a write with Koor-Fence", () => {
  test("passes while its lease is held, and is 412 with nothing written once it is lost (LEASE-1)", async () => {
    const rule = { project: "fenced", rule_id: "r", pattern: "x" };
    const writes: [method: string, path: string, body?: unknown][] = [
      ["PUT", "/api/state/fenced", "1"],
      ["PUT", "/api/specs/fenced/s", "{}"],
      ["PUT", "/api/validate/fenced/rules", [rule]],
      ["POST", "/api/rules/propose", rule],
      ["POST", "/api/rules/import", [rule]],
      ["POST", "/api/events/publish", { topic: "fenced" }],
      ["POST", "/api/txn", { do: [{ put: { key: "fenced", value: 1 } }, { publish: { topic: "fenced" } }] }],
      ["PATCH", `/api/instances/${ada.id}`, { intent: "fenced" }],
      ["DELETE", "/api/specs/fenced/s"],
      ["DELETE", "/api/state/fenced"],
    ];
    const { body: lease } = await acquire(ada, { paths: ["fenced/**"] });
    const marks = async () => {
      const { body } = await server.json("/api/metrics");
      return [
        body.last_event_id,
        body.state_keys,
        await (await server.ask("/api/specs/fenced")).text(),
        await (await server.ask("/api/validate/fenced/rules")).text(),
        (await server.json(`/api/instances/${ada.id}`)).body.intent,
      ];
    };
    // A rule that is there already is refused for that.
    let proposed = 0;
    const fresh = (path: string, body: unknown) =>
      path === "/api/rules/propose" ? { ...rule, rule_id: `p${++proposed}` } : body;
    for (const [method, path, body] of writes)
      expect([path, (await send(method, path, ada, fresh(path, body), fenceOf(lease))).status]).toEqual([
        path,
        200,
      ]);
    await release(lease.id, ada);
    const before = await marks();
    await send("PATCH", `/api/instances/${ada.id}`, ada, { intent: "later" });
    for (const fence of [
      fenceOf(lease),
      { "Koor-Fence": `${lease.id}:${lease.fence + 1}` },
      { "Koor-Fence": "none:1" },
    ]) {
      for (const [method, path, body] of writes) {
        const answer = await send(method, path, ada, fresh(path, body), fence);
        expect([path, answer.status, answer.body.reason]).toEqual([path, 412, "lease_lost"]);
      }
    }
    expect(await marks()).toEqual([...before.slice(0, -1), "later"]);
    expect((await send("PUT", "/api/state/x", ada, "1", { "Koor-Fence": "what" })).status).toBe(400);
  });

  test("a lease with another's id, or a place in line's, is no fence of the first (LEASE-1)", async () => {
    const { body: lease } = await acquire(ada, { paths: ["g"] });
    const { body: other } = await acquire(ada, { paths: ["h"] });
    const mixed = { "Koor-Fence": `${lease.id}:${other.fence}` };
    expect((await send("PUT", "/api/state/x", ada, "1", mixed)).status).toBe(412);

    const behind = acquire(bob, { paths: ["g"], wait: "60s" });
    await untilWaiting("g");
    const [place] = (await list("?path=g")).filter(({ state }) => state === "waiting");
    expect(place.fence).toBe(0);
    expect((await send("PUT", "/api/state/x", bob, "1", fenceOf(place))).status).toBe(412);
    const { body: refused } = await acquire(ada, { paths: ["g"] });
    expect(refused.blocked_by.map(({ fence }: any) => fence)).toEqual([lease.fence, 0]);
    await release(lease.id);
    const { body: held } = await behind;
    expect(held).toMatchObject({ id: place.id });
    expect((await send("PUT", "/api/state/x", bob, "1", fenceOf(held))).status).toBe(200);
    await release(held.id);
    await release(other.id);
  });
});

describe("a write whose lease is not held is told why, and what to do (LEASE-1)", () => {
  const write = (fence: string) => send("PUT", "/api/state/told", undefined, "1", { "Koor-Fence": fence });
  const refusal = async (fence: string) => {
    const { status, body } = await write(fence);
    expect([status, body.reason]).toEqual([412, "lease_lost"]);
    expect(body.hint).toStartWith("Nothing was written.");
    expect((await server.ask("/api/state/told")).status).toBe(404);
    return body as { error: string; hint: string };
  };

  test("while it waits in line, though the number is guessed that it will have", async () => {
    const { body: first } = await acquire(ada, { paths: ["guess"] });
    const behind = acquire(bob, { paths: ["guess"], wait: "60s" });
    await untilWaiting("guess");
    const [, place] = await list("?path=guess");
    const guesses = Array.from({ length: 20 }, (_, at) => first.fence + 1 + at);
    for (const guess of guesses) {
      const { error, hint } = await refusal(`${place.id}:${guess}`);
      expect(error).toBe("the lease is not held yet: it waits in line");
      expect(hint).toContain("koor-cli lease list");
    }
    await release(first.id);
    const { body: held } = await behind;
    expect(guesses).toContain(held.fence);
    await release(held.id);
  });

  test("once it was released, by whom and when", async () => {
    const { body } = await acquire(ada, { paths: ["told"] });
    await release(body.id, ada);
    const when = new Date(clock).toISOString();
    const { error, hint } = await refusal(`${body.id}:${body.fence}`);
    expect(error).toBe(`the lease is lost: it was released by "ada" at ${when}`);
    expect(hint).toContain("koor-cli lease acquire --wait 60s told. Set KOOR_FENCE");
    // What was refused of it meanwhile is in the audit, too.
    await send("POST", `/api/leases/${body.id}/renew`, ada, {});
    expect((await refusal(`${body.id}:${body.fence}`)).error).toBe(error);
    const { body: renewal } = await send("POST", `/api/leases/${body.id}/renew`, ada, {});
    expect(renewal.error).toBe(error);
    expect(renewal.hint).toBe(
      "It cannot be renewed. Others may hold its paths by now: take a new lease: koor-cli lease acquire --wait 60s told",
    );
  });

  test("once its time is over, and since when, whether it is removed yet or not", async () => {
    const { body } = await acquire(ada, { paths: ["told"], ttl: "10s" });
    clock += 10_000;
    const { error, hint } = await refusal(`${body.id}:${body.fence}`);
    expect(error).toBe(`the lease is lost: its time was over at ${body.expires_at}`);
    expect(hint).toContain("koor-cli lease acquire --wait 60s told. Set KOOR_FENCE");
    clock += 1_000;
    // Whoever looks at the leases removes it.
    await list();
    expect((await refusal(`${body.id}:${body.fence}`)).error).toBe(
      `the lease is lost: its time was over before ${new Date(clock).toISOString()}`,
    );
  });

  test("with a fence of another lease, or of none", async () => {
    const { body: one } = await acquire(ada, { paths: ["told/1"] });
    const { body: two } = await acquire(bob, { paths: ["told/2"] });
    const { error, hint } = await refusal(`${one.id}:${two.fence}`);
    expect(error).toBe("the lease is held, but its fence is another number");
    expect(hint).toContain("koor-cli lease list");
    const unknown = await refusal("3f1c0000-0000-4000-8000-000000000000:7");
    // What it was the audit may not know any more.
    expect(unknown.error).toContain("it ended long ago, a backup was restored since, or it never was one");
    expect(unknown.hint).toContain("koor-cli lease acquire --wait 60s PATHS");
    await release(one.id);
    await release(two.id);
  });

  test("once a backup was restored that knows nothing of it", async () => {
    const restored = await startServer();
    const json = (path: string, body: BodyInit, headers = {}, method = "POST") =>
      restored.json(path, { method, body, headers });
    const { body: who } = await json("/api/instances/register", JSON.stringify({ name: "ada" }));
    const backup = await (await restored.ask("/api/backup")).bytes();
    const { body: lease } = await json("/api/leases", JSON.stringify({ paths: ["a"] }), as(who));
    await json("/api/restore", backup);
    const { status, body } = await json("/api/state/k", "1", fenceOf(lease), "PUT");
    expect([status, body.reason]).toEqual([412, "lease_lost"]);
    expect(body.error).toContain("a backup was restored since");
    expect(body.hint).toContain("koor-cli lease acquire --wait 60s PATHS");
    await restored.dispose();
  });

  test("while whoever works under a held lease need not be its holder", async () => {
    const { body: lease } = await acquire(ada, { paths: ["shared-work"] });
    for (const who of [ada, bob, undefined]) {
      expect((await send("PUT", "/api/state/worked", who, "1", fenceOf(lease))).status).toBe(200);
    }
    await release(lease.id);
  });
});

test("fifty agents that count under a lease lose no increment (LEASE-1)", async () => {
  const agents = await Promise.all(Array.from({ length: 50 }, (_, at) => register(`agent-${at}`)));
  const count = async (agent: Instance) => {
    const { status, body } = await acquire(agent, { resource: "counter", wait: "60s", ttl: "1m" });
    expect(status).toBe(200);
    const response = await server.ask("/api/state/counter");
    const before = response.status === 404 ? 0 : Number(await response.text());
    const put = await send("PUT", "/api/state/counter", agent, String(before + 1), fenceOf(body));
    expect(put.status).toBe(200);
    expect((await release(body.id, agent)).status).toBe(200);
  };
  await Promise.all(
    agents.map(async (agent) => {
      for (let round = 0; round < 4; round++) await count(agent);
    }),
  );
  expect(await (await server.ask("/api/state/counter")).text()).toBe("200");
}, 60_000);

test("when the server stops, waits end, and the line is empty after the next start", async () => {
  const other = await startServer();
  const { body: who } = await other.json("/api/instances/register", {
    method: "POST",
    body: '{"name":"eve"}',
  });
  const ask = (body: object) =>
    other.json("/api/leases", { method: "POST", headers: as(who), body: JSON.stringify(body) });
  const { body: held } = await ask({ paths: ["a"] });
  const waiting = ask({ paths: ["a"], wait: "60s" });
  while (((await other.json("/api/leases")).body as object[]).length < 2) await Bun.sleep(5);
  await other.close();
  expect(await waiting).toMatchObject({ status: 503, body: { reason: "unavailable" } });
  const next = await startServer([], { directory: other.directory });
  expect((await next.json("/api/leases")).body).toMatchObject([{ id: held.id, state: "held" }]);
  await next.dispose();
});
