import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { runCli } from "../src/cli/io-for-tests.ts";
import { api } from "../src/contract/api.ts";
import { maintenanceCommand } from "../src/maintenance.ts";
import { connect } from "../src/store/postgres/database.ts";
import { newDatabase, postgresUrl } from "../src/store/postgres/database-for-tests.ts";
import { type TestServer, startServer, temporaryDirectory } from "./harness.ts";

const token = "s3cret-token";

/** A request, as somebody. */
function as(server: TestServer, headers: Record<string, string> = {}) {
  return (method: string, path: string, body?: string, more: Record<string, string> = {}) =>
    server.json(path, { method, headers: { ...headers, ...more }, ...(body !== undefined && { body }) });
}

async function register(ask: ReturnType<typeof as>, name: string): Promise<{ id: string; token: string }> {
  return (await ask("POST", "/api/instances/register", JSON.stringify({ name }))).body;
}

describe("the audit of a server without a token", () => {
  let server: TestServer;
  let ask: ReturnType<typeof as>;
  let ada: ReturnType<typeof as>;
  let adaId: string;
  beforeAll(async () => {
    server = await startServer();
    ask = as(server);
    const registered = await register(ask, "ada");
    adaId = registered.id;
    ada = as(server, { "Koor-Instance-Token": registered.token });
  });
  afterAll(() => server.dispose());

  const audit = async (query: string) => (await ask("GET", `/api/audit?${query}`)).body;

  test("shows each change with who made it, newest first, and its version in the detail", async () => {
    await ada("PUT", "/api/state/plan/a", '"a secret value"');
    await ask("PUT", "/api/state/plan/a", "2");
    await ask("POST", "/api/state/plan/a?rollback=1");
    await ada("DELETE", "/api/state/plan/a");
    const rows = await audit("resource=plan/a");
    expect(rows).toMatchObject([
      { actor: "ada", action: "state.delete", detail: '{"version":4}', outcome: "ok" },
      { actor: "local", action: "state.rollback", detail: '{"version":3,"rolled_back":1}', outcome: "ok" },
      { actor: "local", action: "state.put", detail: '{"version":2}', outcome: "ok" },
      { actor: "ada", action: "state.put", detail: '{"version":1}', outcome: "ok" },
    ]);
    expect(Object.keys(rows[0])).toEqual([
      "id",
      "timestamp",
      "actor",
      "action",
      "resource",
      "detail",
      "outcome",
    ]);
    expect(JSON.stringify(rows)).not.toContain("secret");
  });

  test("calls things by the names that clients know", async () => {
    await ask("PUT", "/api/specs/shop/api", "{}");
    await ask("DELETE", "/api/specs/shop/api");
    const rule = (rule_id: string) => ({ rule_id, pattern: "x", project: "shop" });
    await ask("POST", "/api/rules/propose", JSON.stringify({ ...rule("p"), proposed_by: "grace" }));
    await ask("POST", "/api/rules/shop/p/accept");
    await ask("POST", "/api/rules/propose", JSON.stringify({ ...rule("q") }));
    await ask("POST", "/api/rules/shop/q/reject");
    await ask("PUT", "/api/validate/shop/rules", JSON.stringify([rule("r")]));
    await ask("POST", "/api/rules/import", JSON.stringify([rule("s")]));
    const { id } = await register(ask, "joan");
    await ask("POST", `/api/instances/${id}/activate`);
    await ask("POST", `/api/instances/${id}/capabilities`, '{"capabilities":["sql"]}');
    await ask("DELETE", `/api/instances/${id}`);
    const rows = (await audit("limit=12")).reverse();
    expect(rows.map((row: any) => `${row.action} ${row.resource} ${row.actor}`)).toEqual([
      "spec.put shop/api local",
      "spec.delete shop/api local",
      "rule.propose shop/p grace",
      "rule.accept shop/p local",
      "rule.propose shop/q local",
      "rule.reject shop/q local",
      "rules.put shop local",
      "rules.import shop local",
      `instance.register ${id} joan`,
      `instance.activate ${id} local`,
      `instance.capabilities ${id} local`,
      `instance.deregister ${id} local`,
    ]);
    // Nobody proved to be grace or joan.
    expect(JSON.parse(rows[2].detail)).toMatchObject({ unverified: true });
    expect(JSON.parse(rows[8].detail)).toMatchObject({ unverified: true });
    expect(rows[3].detail).not.toContain("unverified");
  });

  test("an import of rules for several projects is a row for each, with the number of its own", async () => {
    const rule = (project: string, rule_id: string) => ({ rule_id, pattern: "x", project });
    const rules = [rule("one", "a"), rule("two", "b"), rule("two", "c")];
    await ask("POST", "/api/rules/import", JSON.stringify(rules));
    const counts = async (project: string) =>
      (await audit(`resource=${project}`)).map((row: any) => JSON.parse(row.detail).count);
    expect([await counts("one"), await counts("two")]).toEqual([[1], [2]]);
  });

  test("what comes in over MCP is in it, too", async () => {
    const call = (name: string, args: object) =>
      ask(
        "POST",
        "/mcp",
        JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } }),
        { "Content-Type": "application/json", Accept: "application/json, text/event-stream" },
      );
    const answer = await call("register_instance", { name: "over-mcp" });
    const { instance_id } = JSON.parse(answer.body.result.content[0].text);
    await call("set_intent", { instance_id, intent: "to be seen" });
    const rows = await audit(`resource=${instance_id}`);
    expect(rows.map((row: any) => [row.action, row.actor])).toEqual([
      ["instance.update", "local"],
      ["instance.register", "over-mcp"],
    ]);
    expect(JSON.stringify(rows)).not.toContain("to be seen");
  });

  test("notes what was refused because somebody else was first, by whom and why, without values", async () => {
    await ask("PUT", "/api/state/contended", "1");
    const refused = await ada("PUT", "/api/state/contended", '"my value"', { "X-Koor-If-Version": "7" });
    expect(refused.status).toBe(412);
    expect(await audit("resource=contended&limit=1")).toMatchObject([
      {
        actor: "ada",
        action: "state.put",
        detail: '{"reason":"version_mismatch","current":1}',
        outcome: "conflict",
      },
    ]);
    expect(JSON.stringify(await audit("resource=contended"))).not.toContain("my value");
  });

  test("notes what was refused because it is another's", async () => {
    const lease = await ada("POST", "/api/leases", '{"paths":["src/**"]}');
    const bob = as(server, { "Koor-Instance-Token": (await register(ask, "bob")).token });
    expect((await bob("POST", "/api/leases", '{"paths":["src/main.ts"]}')).status).toBe(409);
    expect((await bob("DELETE", `/api/leases/${lease.body.id}`)).status).toBe(403);
    expect(await audit("actor=bob&limit=2")).toMatchObject([
      {
        action: "lease.release",
        resource: lease.body.id,
        outcome: "denied",
        detail: '{"reason":"forbidden"}',
      },
      { action: "lease.acquire", resource: "src/main.ts", outcome: "conflict" },
    ]);
  });

  test("what is malformed or not there is no refusal, and reading is nothing", async () => {
    const before = (await audit("limit=1"))[0].id;
    expect((await ask("POST", "/api/rules/propose", "{}")).status).toBe(400);
    expect((await ask("DELETE", "/api/state/nothing")).status).toBe(404);
    expect((await ask("GET", "/api/state/nothing")).status).toBe(404);
    expect((await audit("limit=1"))[0].id).toBe(before);
  });

  test("those who follow changes are not shown what was refused, and miss nothing of the rest", async () => {
    const { last_id } = (await ask("GET", "/api/changes/next")).body;
    await ask("PUT", "/api/state/contended", "2", { "X-Koor-If-Version": "7" });
    await ask("PUT", "/api/state/contended", "3");
    await ask("PUT", "/api/state/contended", "4", { "X-Koor-If-Version": "7" });
    const { events } = (await ask("GET", `/api/changes/next?after=${last_id}&pattern=state.*`)).body;
    expect(events.map((change: any) => change.id)).toEqual([last_id + 2]);
  });

  test("a caller with an unknown instance token is counted, not stored", async () => {
    const before = await ask("GET", "/api/audit/summary");
    const stranger = as(server, { "Koor-Instance-Token": "made-up" });
    expect((await stranger("PUT", "/api/state/x", "1")).status).toBe(401);
    const after = await ask("GET", "/api/audit/summary");
    expect(after.body).toEqual({
      ...before.body,
      requests_without_token: before.body.requests_without_token + 1,
    });
  });

  test("an instance that takes a name of Koor's own is told apart from Koor, in the audit and in events", async () => {
    for (const name of [
      "local",
      "dashboard",
      "liveness-monitor",
      "lease-monitor",
      "compliance-scheduler",
      "llmcost",
      "webhooks",
    ]) {
      const { id, token: secret } = await register(ask, name);
      const forger = as(server, { "Koor-Instance-Token": secret });
      await forger("PUT", "/api/state/forged", "1");
      await forger("POST", "/api/events/publish", '{"topic":"forged"}');
      const [row] = await audit("resource=forged&limit=1");
      const [event] = (await ask("GET", "/api/events/history?topic=forged&last=1")).body;
      const [registration] = await audit(`resource=${id}&action=instance.register`);
      const told = `instance ${name}`;
      expect([row.actor, event.source, registration.actor]).toEqual([told, told, told]);
    }
  });

  test("is filtered by actor, action, resource and time together", async () => {
    await ada("PUT", "/api/state/filtered", "1");
    const [row] = await audit("resource=filtered");
    const at = encodeURIComponent(row.timestamp);
    const found = (query: string) => audit(query).then((rows) => rows.map(({ id }: any) => id));
    expect(await found(`actor=ada&action=state.put&resource=filtered&from=${at}&to=${at}`)).toEqual([row.id]);
    expect(await found("actor=bob&resource=filtered")).toEqual([]);
    expect(await found("resource=filtered&to=2001-01-01T00:00:00Z")).toEqual([]);
    expect(await found("actor=&action=&resource=filtered")).toEqual([row.id]);
    expect(await found("limit=1&actor=ada")).toEqual([row.id]);
  });

  test("is filtered by globs, and read page by page", async () => {
    for (const at of [1, 2, 3]) await ada("PUT", `/api/state/globs/[${at}]`, "1");
    const found = (query: string) => audit(query).then((rows) => rows.map(({ resource }: any) => resource));
    const all = ["globs/[3]", "globs/[2]", "globs/[1]"];
    expect(await found("resource=*lobs*")).toEqual(all);
    expect(await found("resource=globs/*&actor=a?a&action={state,spec}.put")).toEqual(all);
    expect(await found("resource=lobs")).toEqual([]);
    expect(await found(`resource=${encodeURIComponent("globs/\\[2]")}`)).toEqual(["globs/[2]"]);
    const [first] = await audit("resource=globs/*&limit=1");
    expect(await found(`resource=globs/*&before=${first.id}`)).toEqual(all.slice(1));
    const env = { KOOR_SERVER: server.url };
    const page = ["--resource", "globs/*", "--before", String(first.id), "--limit", "1"];
    const output = await runCli(["audit", ...page], { env });
    expect(JSON.parse(output.stdout).map(({ resource }: any) => resource)).toEqual(["globs/[2]"]);
  });

  test("a time that is none, a limit that is none and a glob that is none are 400, naming the field", async () => {
    for (const [query, path] of [
      ["actor=[", "actor"],
      ["outcome=[", "outcome"],
      ["before=0", "before"],
      ["from=yesterday", "from"],
      ["to=2026-13-01T00:00:00Z", "to"],
      ["limit=0", "limit"],
    ]) {
      const { status, body } = await ask("GET", `/api/audit?${query}`);
      expect([status, body.path]).toEqual([400, path]);
    }
    expect((await ask("GET", "/api/audit/summary?from=x")).status).toBe(400);
  });

  test("the summary counts actions, outcomes, actors and resources of a span of time", async () => {
    const { body } = await ask("GET", "/api/audit/summary");
    const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);
    expect(sum(body.action_counts)).toBe(body.total_entries);
    expect(sum(body.outcome_counts)).toBe(body.total_entries);
    expect(body.outcome_counts.denied).toBe(1);
    const [denied, ...others] = await audit("outcome=denied");
    expect([denied.outcome, others]).toEqual(["denied", []]);
    const output = await runCli(["audit", "--outcome", "{denied,conflict}"], {
      env: { KOOR_SERVER: server.url },
    });
    const refused = Object.groupBy(JSON.parse(output.stdout), ({ outcome }: any) => outcome) as any;
    expect([refused.denied.length, refused.conflict.length, refused.ok]).toEqual([
      1,
      body.outcome_counts.conflict,
      undefined,
    ]);
    expect(body.unique_actors).toBeGreaterThanOrEqual(5);
    const past = await ask("GET", "/api/audit/summary?to=2001-01-01T00:00:00Z");
    expect(past.body).toMatchObject({ total_entries: 0, action_counts: {}, unique_actors: 0 });
  });

  test("a failed guard of the server's own is no refusal: a race for one rule set leaves only what was done", async () => {
    const before = (await audit("limit=1"))[0].id;
    const proposals = Array.from({ length: 8 }, (_, n) =>
      ask("POST", "/api/rules/propose", JSON.stringify({ rule_id: `r${n}`, pattern: "x", project: "race" })),
    );
    await Promise.all(proposals);
    const rows = (await audit("limit=20")).filter((row: any) => row.id > before);
    expect(rows.map((row: any) => row.outcome)).toEqual(Array(8).fill("ok"));
  });

  test("koor-cli audit and audit summary print what the API says", async () => {
    const env = { KOOR_SERVER: server.url };
    const list = await runCli(["audit", "--actor", "ada", "--action", "state.put", "--limit", "1"], { env });
    expect(JSON.parse(list.stdout)).toEqual(await audit("actor=ada&action=state.put&limit=1"));
    const since = ["--from", "2026-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z"];
    expect(JSON.parse((await runCli(["audit", ...since], { env })).stdout)).toEqual(await audit(""));
    const summary = await runCli(["audit", "summary", ...since], { env });
    expect(JSON.parse(summary.stdout)).toMatchObject({ outcome_counts: { denied: 1 } });
    expect((await runCli(["audit", "--from", "yesterday"], { env })).exit).toBe(1);
    expect(adaId).toBeString();
  });
});

test("docs/audit.md names every action", async () => {
  const text = await Bun.file(join(import.meta.dir, "../docs/audit.md")).text();
  const actions = Object.values(api)
    .flatMap((operations): object[] => Object.values(operations))
    .flatMap((operation) => ("audit" in operation ? [String(operation.audit).split(" ")[0]] : []));
  const byKoor = ["instance.stale", "instance.recover", "lease.expire", "webhook.disable"];
  expect([...actions, ...byKoor].filter((action) => !text.includes(`\`${action}\``))).toEqual([]);
});

describe("the audit of a server with a token", () => {
  let server: TestServer;
  let known: ReturnType<typeof as>;
  beforeAll(async () => {
    server = await startServer(["--auth-token", token]);
    known = as(server, { Authorization: `Bearer ${token}` });
  });
  afterAll(() => server.dispose());

  test("stores nothing of requests without a valid token, and counts them (AUTH-1)", async () => {
    const count = async () => (await known("GET", "/api/audit/summary")).body;
    const before = await count();
    for (const headers of [{}, { Authorization: "Bearer wrong" }] as Record<string, string>[]) {
      expect((await as(server, headers)("PUT", "/api/state/x", "1")).status).toBe(401);
      expect((await as(server, headers)("GET", "/api/audit")).status).toBe(401);
    }
    expect((await as(server)("POST", "/mcp", "{}")).status).toBe(401);
    expect(await count()).toEqual({ ...before, requests_without_token: before.requests_without_token + 5 });
  });

  test("notes what was denied to a caller with the server's token and an instance token that is none", async () => {
    const secret = "11111111-2222-3333-4444-555555555555";
    const refused = await known("PUT", "/api/state/mine", "1", { "Koor-Instance-Token": secret });
    expect(refused.status).toBe(401);
    const { body } = await known("GET", "/api/audit?limit=1");
    expect(body).toMatchObject([
      {
        actor: "local",
        action: "state.put",
        resource: "mine",
        outcome: "denied",
        detail: '{"reason":"unknown_instance"}',
      },
    ]);
    expect(JSON.stringify(body)).not.toContain(secret);
  });
});

const verify = async (...args: string[]) => {
  const command = maintenanceCommand(["audit"]);
  return command!(["verify", ...args], {});
};

/** What somebody who can write the database may do to it. */
const tamperings: [name: string, sql: string, fault: RegExp][] = [
  ["a changed actor", "update AUDIT set actor = 'mallory' where id = 3", /row 3 was changed/],
  ["a changed time", "update AUDIT set at = at + 1 where id = 2", /row 2 was changed/],
  ["a changed outcome", "update AUDIT set outcome = 'denied' where id = 4", /row 4 was changed/],
  [
    "a changed hash",
    "update AUDIT set hash = 'f' || substr(hash, 2) || 'x' where id = 3",
    /row 3 was changed/,
  ],
  ["the first rows removed", "delete from AUDIT where id < 3", /the first row is 3/],
  ["a row removed", "delete from AUDIT where id = 3", /after 2 comes 4/],
  ["the newest row removed", "delete from AUDIT where id = 6", /newest row is 5, but ids were given up to 6/],
  ["every row removed", "delete from AUDIT", /newest row is 0/],
  [
    "a row put behind the newest",
    "insert into AUDIT select 7, at, actor, action, resource, detail, outcome, hash from AUDIT where id = 6",
    /row 7 was changed/,
  ],
  ...[0, -7, "-9223372036854775808"].map((id): [string, string, RegExp] => [
    `a row ${id} put before the first`,
    `insert into AUDIT select ${id}, at, actor, action, resource, detail, outcome, hash from AUDIT where id = 6`,
    /row -?\d+ was put in: the log begins with row 1/,
  ]),
  [
    "a row put in far behind the newest",
    "insert into AUDIT select 9223372036854775807, at, actor, action, resource, detail, outcome, hash from AUDIT where id = 6",
    /after 6 comes \d+/,
  ],
];

describe("koor-server audit verify", () => {
  const directory = temporaryDirectory();
  beforeAll(async () => {
    const server = await startServer(["--data-dir", directory]);
    for (let n = 0; n < 6; n++) await server.ask(`/api/state/k${n}`, { method: "PUT", body: "1" });
    await server.close();
  });

  const tampered = (sql: string) => {
    const copy = join(temporaryDirectory(), "data.db");
    copyFileSync(join(directory, "data.db"), copy);
    const db = new Database(copy);
    db.exec(sql.replaceAll("AUDIT", "audit"));
    db.close();
    return copy;
  };

  test("finds a log sound that is, on a directory, a file and beside a running server", async () => {
    if (process.env["KOOR_TEST_ENGINE"] === "postgres") return;
    for (const args of [["--data-dir", directory], [directory], [join(directory, "data.db")]]) {
      const { text, exit } = await verify(...args);
      expect(text).toMatch(/ok {6}audit: 6 rows\nnewest {2}6:[0-9a-f]{64}\nAll is as it should be\.\n$/);
      expect(exit).toBe(0);
    }
  });

  test.each(tamperings)("finds %s (AUDIT-1)", async (_, sql, fault) => {
    if (process.env["KOOR_TEST_ENGINE"] === "postgres") return;
    const { text, exit } = await verify(tampered(sql));
    expect(text).toMatch(fault);
    expect(exit).toBe(1);
  });

  test("finds a row whose id is no whole number, in a table that was made anew (AUDIT-1)", async () => {
    if (process.env["KOOR_TEST_ENGINE"] === "postgres") return;
    for (const id of ["3.5", "'x'", "null"]) {
      const { text, exit } = await verify(
        tampered(
          `alter table AUDIT rename to kept; create table AUDIT as select * from kept;
           insert into AUDIT select ${id}, at, actor, action, resource, detail, outcome, hash from kept where id = 3`,
        ),
      );
      expect([text, exit]).toEqual([expect.stringContaining("DAMAGED audit"), 1]);
    }
  });

  test("finds two rows that changed places (AUDIT-1)", async () => {
    if (process.env["KOOR_TEST_ENGINE"] === "postgres") return;
    const swap =
      "update audit set id = 1003 where id = 3; update audit set id = 3 where id = 4; update audit set id = 4 where id = 1003";
    expect((await verify(tampered(swap))).text).toMatch(/row 3 was changed/);
  });

  test("a row whose hash was written down must still have it", async () => {
    if (process.env["KOOR_TEST_ENGINE"] === "postgres") return;
    const [, anchor = ""] = /newest {2}(\S+)/.exec((await verify(directory)).text) ?? [];
    expect((await verify(directory, "--expect", anchor)).exit).toBe(0);
    const other = `5:${anchor.split(":")[1]}`;
    expect(await verify(directory, `--expect=${other}`)).toMatchObject({
      exit: 1,
      text: expect.stringContaining("row 5 does not have the hash that is expected of it"),
    });
    const missing = `9:${anchor.split(":")[1]}`;
    expect((await verify(directory, "--expect", missing)).text).toContain("is not there");
    await expect(verify(directory, "--expect", "last")).rejects.toThrow("ID:HASH");
  });

  test("another verb, and a file that is no database, are refused in a sentence", async () => {
    const command = maintenanceCommand(["audit"])!;
    await expect(Promise.resolve(command(["list"], {}))).rejects.toThrow("koor-server audit verify");
    await expect(verify("/nowhere/data.db")).rejects.toThrow();
  });

  if (postgresUrl) {
    test("finds on PostgreSQL what was changed, removed or put in (AUDIT-1)", async () => {
      const { url, drop } = await newDatabase();
      const server = await startServer(["--database", url]);
      for (let n = 0; n < 6; n++) await server.ask(`/api/state/k${n}`, { method: "PUT", body: "1" });
      expect(await verify("--database", url)).toMatchObject({
        exit: 0,
        text: expect.stringContaining("audit: 6 rows"),
      });
      const pool = connect(url, 1);
      for (const [, sql, fault] of tamperings) {
        await pool.query("create table kept as select * from koor.audit");
        await pool.query(sql.replaceAll("AUDIT", "koor.audit"));
        const { text, exit } = await verify("--database", url);
        expect(text).toMatch(fault);
        expect(exit).toBe(1);
        await pool.query("truncate koor.audit; insert into koor.audit select * from kept; drop table kept");
      }
      expect((await verify("--database", url)).exit).toBe(0);
      await pool.end();
      await server.dispose();
      await drop();
    });
  }
});
