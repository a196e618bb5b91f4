import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { runCli } from "../src/cli/io-for-tests.ts";
import { type Follower, follow, pathOf, ways } from "./followers.ts";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

const put = (path: string, body = "1") => server.json(path, { method: "PUT", body });
const lastId = async () => (await server.json("/api/changes/next")).body.last_id as number;
const changes = async (query: string) => (await server.json(`/api/changes/next?${query}`)).body.events;

async function take(follower: Follower, count: number): Promise<any[]> {
  const list: any[] = [];
  while (list.length < count) {
    const told = await follower.next();
    list.push(told?.kind === "entry" ? JSON.parse(told.raw) : told);
  }
  return list;
}

describe("a change", () => {
  test("says what was done to what, by whom, and the version it has now; never the value", async () => {
    const after = await lastId();
    const register = await server.json("/api/instances/register", {
      method: "POST",
      body: '{"name":"ada"}',
    });
    const { id, token } = register.body;
    await server.ask("/api/state/plan/a", {
      method: "PUT",
      body: '"a secret value"',
      headers: { "Koor-Instance-Token": token },
    });
    await put("/api/state/plan/a", "2");
    await server.ask("/api/state/plan/a", { method: "DELETE" });
    await put("/api/specs/shop/api", "{}");
    await put("/api/validate/shop/rules", '[{"rule_id":"r","pattern":"x"}]');
    const events = await changes(`after=${after}`);
    const of = (topic: string) => events.filter((change: any) => change.topic === topic);
    expect(of("state.plan/a")).toMatchObject([
      { action: "state.put", resource: "plan/a", version: 1, actor: "ada" },
      { action: "state.put", resource: "plan/a", version: 2, actor: "local" },
      { action: "state.delete", resource: "plan/a", version: 3, actor: "local" },
    ]);
    expect(of("specs.shop/api")).toMatchObject([{ action: "spec.put", version: 1 }]);
    expect(of("rules.shop")).not.toEqual([]);
    expect(of(`instances.${id}`)).not.toEqual([]);
    expect(Object.keys(events[0])).toEqual([
      "id",
      "topic",
      "action",
      "resource",
      "version",
      "actor",
      "created_at",
    ]);
    expect(JSON.stringify(events)).not.toContain("secret");
    expect(JSON.stringify(events)).not.toContain(token);
    const ids = events.map((change: any) => change.id);
    expect(ids).toEqual(ids.map((_: number, at: number) => after + 1 + at));
  });

  test("publishing is none, and reading is none", async () => {
    const after = await lastId();
    await server.ask("/api/events/publish", { method: "POST", body: '{"topic":"t"}' });
    await server.ask("/api/state");
    expect(await changes(`after=${after}`)).toEqual([]);
  });
});

describe.each(ways)("%s", (way) => {
  test("follows what matches from a position on, once and in order (LOG-2)", async () => {
    const after = await lastId();
    await put(`/api/state/${way}/1`);
    await put("/api/state/other");
    const follower = await follow(way, server.url, { log: "changes", pattern: `state.${way}/*`, after });
    expect((await take(follower, 1)).map(({ resource }) => resource)).toEqual([`${way}/1`]);
    await put(`/api/specs/${way}/1`);
    const versions = Array.from({ length: 50 }, () => put(`/api/state/${way}/2`));
    await Promise.all(versions);
    const seen = await take(follower, 50);
    expect(seen.map(({ version }) => version)).toEqual(Array.from({ length: 50 }, (_, at) => at + 1));
    follower.cut();
  });

  test("refuses a position of another log, a malformed pattern and the unauthorized", async () => {
    const asked = async (query: object, headers: Record<string, string> = {}, on = server) => {
      const upgrade = {
        Upgrade: "websocket",
        Connection: "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
      };
      const all = { ...(way === "socket" && upgrade), ...headers };
      return (await on.json(pathOf(way, { log: "changes" }, query), { headers: all })).body;
    };
    expect(await asked({ after: 999_999 })).toMatchObject({ code: 410, oldest: 1 });
    expect(await asked({ after: 0, epoch: "another" })).toMatchObject({ code: 410 });
    expect(await asked({ pattern: "[a" })).toMatchObject({ code: 400, path: "pattern" });
    const guarded = await startServer(["--auth-token", "secret"]);
    expect(await asked({}, {}, guarded)).toMatchObject({ code: 401 });
    await guarded.dispose();
  });
});

test("koor-cli changes subscribe prints a line each from a position on", async () => {
  const after = await lastId();
  await put("/api/state/by-cli", "1");
  await put("/api/state/by-cli", "2");
  const lines: string[] = [];
  const stop = new AbortController();
  const { followLog } = await import("../src/cli/follow.ts");
  const flags = new Map([["after", String(after)]]);
  const exit = await followLog(
    "changes",
    "state.by-*",
    { flags, pretty: false },
    { KOOR_SERVER: server.url },
    {
      cwd: server.directory,
      terminal: false,
      out: async (text) => {
        lines.push(String(text));
        if (lines.length === 2) stop.abort();
      },
      err: async () => {},
      stdin: async () => new Uint8Array(),
      interrupted: () => stop.signal,
    },
  );
  expect(exit).toBe(130);
  expect(lines.map((line) => JSON.parse(line).version)).toEqual([1, 2]);
  expect(lines[0]).toEndWith("}\n");
  const help = await runCli(["changes", "--help"]);
  expect(help.stdout).toContain("changes subscribe [PATTERN]");
});
