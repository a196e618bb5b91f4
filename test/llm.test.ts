import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { emptyDirectory, runCli } from "../src/cli/io-for-tests.ts";
import { costOf, parsePrices } from "../src/llm/prices.ts";
import { type TestServer, startServer, temporaryDirectory } from "./harness.ts";

const day = 24 * 60 * 60 * 1000;
const prices = {
  "claude-sonnet-4": { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75, cache_write_1h: 6 },
  "claude-sonnet-4-5": { input: 4, output: 20 },
};

let server: TestServer;
const clock = { now: Date.UTC(2026, 10, 24, 12) };

beforeAll(async () => {
  const file = join(temporaryDirectory(), "prices.json");
  writeFileSync(file, JSON.stringify(prices));
  server = await startServer(["--llm-prices", file], { now: () => clock.now });
});
afterAll(() => server.dispose());

const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  server.json(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
const call = (more: object = {}) => ({
  provider: "anthropic",
  model: "m",
  tokens_in: 100,
  tokens_out: 10,
  cost_usd: 0.5,
  ...more,
});
const record = (more: object = {}, headers = {}) => send("POST", "/api/llm/usage", call(more), headers);
const usage = async (query: string) => (await send("GET", `/api/llm/usage?${query}`)).body;
const summary = async (query: string) => (await send("GET", `/api/llm/usage/summary?${query}`)).body;
const events = async (topic: string) => (await send("GET", `/api/events/history?topic=${topic}`)).body;

describe("recording usage", () => {
  test("answers with an id, and is an event and a row in the audit", async () => {
    const { status, body } = await record({
      project: "shop",
      model: "gpt-x",
      session_tag: "s1",
      request_type: "chat",
    });
    expect([status, body.recorded]).toEqual([200, true]);
    expect(await usage("project=shop")).toEqual([
      {
        id: body.id,
        timestamp: "2026-11-24T12:00:00.000Z",
        provider: "anthropic",
        model: "gpt-x",
        tokens_in: 100,
        tokens_out: 10,
        cache_read_tokens: 0,
        cache_write_tokens: 0,
        cost_usd: 0.5,
        cost_source: "given",
        instance_id: "",
        project: "shop",
        request_type: "chat",
        session_tag: "s1",
      },
    ]);
    const [event] = await events("llm.usage.recorded");
    expect(event).toMatchObject({
      source: "llmcost",
      data: { project: "shop", tokens_in: 100, cost_usd: 0.5 },
    });
    const audit = (await send("GET", "/api/audit?action=llm.usage")).body;
    expect(audit).toMatchObject([{ resource: "shop/gpt-x", outcome: "ok" }]);
  });

  test("with an instance's token it is that instance's and no other's; without one it is whose it says", async () => {
    const { id, token } = (await send("POST", "/api/instances/register", { name: "ada" })).body;
    const own = { "Koor-Instance-Token": token };
    await record({ project: "own" }, own);
    await record({ project: "own", instance_id: id }, own);
    const records = [{ ...call(), project: "own", instance_id: "other", ref: "another's" }];
    for (const [path, refused] of [
      ["instance_id", await record({ project: "own", instance_id: "other" }, own)],
      ["records.0.instance_id", await send("POST", "/api/llm/usage/import", { records }, own)],
    ] as const)
      expect([refused.status, refused.body.path]).toEqual([403, path]);
    expect(await usage("project=own")).toMatchObject([{ instance_id: id }, { instance_id: id }]);
    await record({ project: "own", instance_id: "other" });
    expect(await usage("instance=other&project=own")).toHaveLength(1);
    const rows = (await send("GET", "/api/audit?action=llm.*&limit=4")).body;
    expect(rows.map((row: any) => [row.actor, row.outcome, JSON.parse(row.detail).instance_id])).toEqual([
      ["local", "ok", "other"],
      ["ada", "denied", undefined],
      ["ada", "denied", undefined],
      ["ada", "ok", id],
    ]);
  });

  test("works the cost out from the table of prices when it is not given, to the micro-dollar", async () => {
    const priced = { cost_usd: undefined, project: "priced", model: "claude-sonnet-4-20250514" };
    await record({
      ...priced,
      tokens_in: 1000,
      tokens_out: 7,
      cache_read_tokens: 800,
      cache_write_tokens: 100,
    });
    await record({ ...priced, model: "claude-sonnet-4-5", tokens_in: 1, tokens_out: 1 });
    await record({ ...priced, model: "unheard-of" });
    await record({ ...priced, tokens_in: 1000, cache_write_tokens: 100, cache_write_1h_tokens: 60 });
    expect((await usage("project=priced")).map((row: any) => [row.cost_usd, row.cost_source])).toEqual([
      // 900 x 3 + 40 x 3.75 + 60 x 6 + 10 x 15 micro-dollars
      [0.00336, "prices"],
      [0, "none"],
      [0.000024, "prices"],
      // 100 x 3 + 800 x 0.3 + 100 x 3.75 + 7 x 15 micro-dollars
      [0.00102, "prices"],
    ]);
  });

  test("an idempotency key records once, and answers the same (IDEM-1)", async () => {
    const once = () => record({ project: "once" }, { "Idempotency-Key": "usage" });
    expect((await once()).body).toEqual((await once()).body);
    expect(await usage("project=once")).toHaveLength(1);
  });

  test.each([
    [{ tokens_in: -1 }, "tokens_in", "must not be negative"],
    [{ tokens_out: 1.5 }, "tokens_out", "must be a whole number"],
    [{ tokens_in: "7" }, "tokens_in", "must be a whole number"],
    [{ tokens_in: undefined }, "tokens_in", "is required"],
    [{ tokens_out: 1e10 }, "tokens_out", "is more than"],
    [{ cost_usd: -0.01 }, "cost_usd", "must not be negative"],
    [{ cost_usd: "1" }, "cost_usd", "must be a number"],
    [{ cost_usd: 1e9 }, "cost_usd", "is more than"],
    [{ provider: "" }, "provider", "is required"],
    [{ model: undefined }, "model", "is required"],
    [{ timestamp: "yesterday" }, "timestamp", "RFC 3339"],
    [{ timestamp: "2027-11-24T12:00:00Z" }, "timestamp", "future"],
    [{ timestamp: "0001-01-01T00:00:00Z" }, "timestamp", "must not be before 1970"],
    [{ cache_read_tokens: 101 }, "tokens_in", "less than"],
    [{ cache_write_tokens: 5, cache_write_1h_tokens: 6 }, "cache_write_tokens", "less than"],
  ])("refuses %p, naming the field, and stores nothing", async (more, path, text) => {
    const { status, body } = await record({ project: "refused", ...more });
    expect([status, body.path]).toEqual([400, path]);
    expect(body.error).toContain(text);
    expect(await usage("project=refused")).toEqual([]);
  });

  test("without the server's token nothing is recorded or read (AUTH-1)", async () => {
    const closed = await startServer(["--auth-token", "secret"]);
    for (const [method, path] of [
      ["POST", "/api/llm/usage"],
      ["GET", "/api/llm/usage"],
      ["POST", "/api/llm/usage/import"],
      ["GET", "/api/llm/usage/summary"],
      ["PUT", "/api/llm/budgets/p"],
      ["DELETE", "/api/llm/budgets/p"],
    ] as const)
      expect((await closed.ask(path, { method })).status).toBe(401);
    await closed.dispose();
  });
});

describe("asking for usage", () => {
  const at = (n: number) => new Date(Date.UTC(2026, 5, 1) + n * day + 5000).toISOString();
  beforeAll(async () => {
    for (let n = 0; n < 6; n++)
      await record({
        project: n % 2 ? "odd" : "even",
        model: "x",
        session_tag: "june",
        instance_id: `i${n % 3}`,
        timestamp: at(n),
        cost_usd: n / 10,
      });
  });

  test("lists the newest first, filters together, and a limit counts what passes", async () => {
    const costs = async (query: string) =>
      (await usage(`session_tag=june&${query}`)).map((row: any) => row.cost_usd);
    expect(await costs("")).toEqual([0.5, 0.4, 0.3, 0.2, 0.1, 0]);
    expect(await costs("project=odd&limit=2")).toEqual([0.5, 0.3]);
    expect(await costs("project=even&instance=i2")).toEqual([0.2]);
    expect(await costs(`from=${at(1)}&to=${at(2)}`)).toEqual([0.2, 0.1]);
    expect(await costs("instance=&project=")).toHaveLength(6);
  });

  test("sums by what is asked for, exactly, in any span of time", async () => {
    const span = `from=${at(0)}&to=${at(5)}`;
    const names = async (group_by: string) =>
      Object.keys((await summary(`group_by=${group_by}&${span}`)).groups);
    expect(await names("project")).toEqual(["odd", "even"]);
    expect(await names("model")).toEqual(["x"]);
    expect(await names("session_tag")).toEqual(["june"]);
    expect((await names("instance")).sort()).toEqual(["i0", "i1", "i2"]);
    expect(await names("day")).toEqual([5, 4, 3, 2, 1, 0].map((n) => at(n).slice(0, 10)));
    const all = await summary(`group_by=project&${span}`);
    expect(all.groups["odd"]).toEqual({
      total_tokens_in: 300,
      total_tokens_out: 30,
      total_cost_usd: 0.9,
      request_count: 3,
    });
    expect(all).toMatchObject({
      group_by: "project",
      from: at(0),
      to: at(5),
      total: { total_cost_usd: 1.5, request_count: 6 },
    });
    const part = await summary(`group_by=day&from=${at(1)}&to=${at(2)}`);
    expect(part.total).toMatchObject({ total_cost_usd: 0.3, request_count: 2 });
  });

  test("where there are more names than one answer has, it has the most expensive ones, whatever they look like", async () => {
    const records = Array.from({ length: 1002 }, (_, n) => ({
      ...call({ project: `${n}`, session_tag: "many names", cost_usd: n, timestamp: "2026-04-01T00:00:00Z" }),
      ref: `name ${n}`,
    }));
    const own = await startServer([], { now: () => clock.now });
    for (const at of [0, 500, 1000])
      await own.json("/api/llm/usage/import", {
        method: "POST",
        body: JSON.stringify({ records: records.slice(at, at + 500) }),
      });
    const { groups, truncated } = (await own.json("/api/llm/usage/summary")).body;
    await own.dispose();
    expect([Object.keys(groups).length, truncated, groups["0"], groups["1"]]).toEqual([
      1000,
      true,
      undefined,
      undefined,
    ]);
  });

  test("another group, and a time that is none, are 400 naming the field", async () => {
    for (const [query, path] of [
      ["group_by=colour", "group_by"],
      ["from=june", "from"],
    ])
      expect(await summary(query as string)).toMatchObject({ code: 400, path });
    expect(await usage("limit=x")).toMatchObject({ code: 400, path: "limit" });
  });

  test("names of any kind are names", async () => {
    await record({ project: "__proto__", model: "constructor", session_tag: "odd names" });
    const { groups } = JSON.parse(await (await server.ask("/api/llm/usage/summary?group_by=project")).text());
    expect(Object.getOwnPropertyNames(groups)).toContain("__proto__");
  });
});

describe("budgets", () => {
  const put = (project: string, body: object) => send("PUT", `/api/llm/budgets/${project}`, body);
  const told = async (project: string) =>
    (await events("budget.*"))
      .filter(({ data }: any) => data.project === project)
      .map(({ topic }: any) => topic)
      .reverse();

  test("warn at 80% and say when they are exceeded, once each in a period", async () => {
    expect((await put("b1", { usd: 10, per: "day" })).body).toEqual({
      project: "b1",
      usd: 10,
      per: "day",
      period: "2026-11-24",
      spent_usd: 0,
      share: 0,
    });
    await record({ project: "b1", cost_usd: 7.99 });
    expect(await told("b1")).toEqual([]);
    await record({ project: "b1", cost_usd: 0.01 });
    expect(await told("b1")).toEqual(["budget.warning"]);
    await record({ project: "b1", cost_usd: 2 });
    expect(await told("b1")).toEqual(["budget.warning"]);
    await Promise.all(Array.from({ length: 8 }, () => record({ project: "b1", cost_usd: 0.01 })));
    expect(await told("b1")).toEqual(["budget.warning", "budget.exceeded"]);
    const [event] = await events("budget.exceeded");
    expect(event).toMatchObject({
      source: "llmcost",
      data: { project: "b1", usd: 10, per: "day", period: "2026-11-24" },
    });
    expect((await send("GET", "/api/llm/budgets/b1")).body).toMatchObject({ spent_usd: 10.08, share: 1.008 });
    clock.now += day;
    await record({ project: "b1", cost_usd: 11 });
    expect(await told("b1")).toEqual([
      "budget.warning",
      "budget.exceeded",
      "budget.warning",
      "budget.exceeded",
    ]);
    clock.now -= day;
  });

  test("count what was spent in their own period only, a month where they are by month", async () => {
    await record({ project: "b2", cost_usd: 5, timestamp: "2026-11-01T00:00:00Z" });
    await record({ project: "b2", cost_usd: 5, timestamp: "2026-10-31T23:59:59Z" });
    expect((await put("b2", { usd: 6, per: "month" })).body).toMatchObject({
      period: "2026-11",
      spent_usd: 5,
    });
    expect(await told("b2")).toEqual(["budget.warning"]);
    expect((await put("b2", { usd: 6, per: "day" })).body).toMatchObject({ spent_usd: 0 });
  });

  test("speak of the period in which a call was made, also when it is over, but not of one long past", async () => {
    await put("late", { usd: 1, per: "day" });
    const at = (timestamp: string) => ({
      ...call({ cost_usd: 2, project: "late", timestamp }),
      ref: timestamp,
    });
    const [yesterday, old] = [at("2026-11-23T23:59:00Z"), at("2026-10-20T12:00:00Z")];
    await send("POST", "/api/llm/usage/import", { records: [old, yesterday] });
    await record({ project: "late", timestamp: "2026-11-22T00:00:00Z", cost_usd: 0.9 });
    const data = (await events("budget.*"))
      .map(({ topic, data }: any) => [topic, data.project, data.period, data.spent_usd])
      .filter(([, project]: any) => project === "late");
    expect(data).toEqual([
      ["budget.warning", "late", "2026-11-22", 0.9],
      ["budget.exceeded", "late", "2026-11-23", 2],
      ["budget.warning", "late", "2026-11-23", 2],
    ]);
    await record({ project: "late", timestamp: "2026-11-23T00:00:00Z" });
    expect(await told("late")).toHaveLength(3);
  });

  test("are listed, replaced and deleted, and a change of one is in the audit", async () => {
    await put("b3", { usd: 1, per: "day" });
    await put("b3", { usd: 2.5, per: "month" });
    const list = (await send("GET", "/api/llm/budgets")).body;
    expect(list.find(({ project }: any) => project === "b3")).toMatchObject({ usd: 2.5, per: "month" });
    expect((await send("DELETE", "/api/llm/budgets/b3")).body).toEqual({ deleted: "b3" });
    expect((await send("DELETE", "/api/llm/budgets/b3")).status).toBe(404);
    expect((await send("GET", "/api/llm/budgets/b3")).body).toMatchObject({
      code: 404,
      error: "budget not found: b3",
    });
    const rows = (await send("GET", "/api/audit?resource=b3")).body;
    expect(rows.map(({ action }: any) => action)).toEqual(["budget.delete", "budget.put", "budget.put"]);
  });

  test.each([
    [{ usd: 0, per: "day" }, "usd", "usd must be 0.01 or more"],
    [{ usd: -1, per: "day" }, "usd", "usd must be 0.01 or more"],
    [{ usd: "1", per: "day" }, "usd", "usd must be a number"],
    [{ per: "day" }, "usd", "usd is required"],
    [{ usd: 1, per: "week" }, "per", "per must be day or month"],
    [{ usd: 1 }, "per", "per is required"],
  ])("refuses %p", async (body, path, error) => {
    expect((await put("b4", body)).body).toMatchObject({ code: 400, path, error });
    expect((await send("GET", "/api/llm/budgets/b4")).status).toBe(404);
  });
});

/** Lines as the agents write them, and some that are cut off or none of theirs. */
const claude = (id: string, output: number, more: object = {}) =>
  JSON.stringify({
    type: "assistant",
    sessionId: "c-session",
    cwd: "/home/me/code/shop",
    requestId: `req_${id}`,
    timestamp: "2026-11-20T10:00:00.000Z",
    message: {
      id: `msg_${id}`,
      model: "claude-sonnet-4-20250514",
      role: "assistant",
      content: [{ type: "text", text: 'says "usage"' }],
      usage: {
        input_tokens: 3,
        cache_creation_input_tokens: 100,
        cache_read_input_tokens: 1000,
        output_tokens: output,
      },
    },
    ...more,
  });
const claudeLog = [
  '{"type":"user","message":{"content":"usage?"},"sessionId":"c-session"}',
  claude("1", 1),
  claude("1", 5),
  claude("1", 20),
  claude("2", 7),
  claude("3", 0, { message: { model: "<synthetic>", id: "x", usage: { output_tokens: 0 } } }),
  '{"type":"assistant","message":{"id":"cut","usage":{"output_tok',
];
const counts = (input: number, cached: number, output: number) => ({
  input_tokens: input,
  cached_input_tokens: cached,
  output_tokens: output,
  reasoning_output_tokens: 1,
  total_tokens: input + output,
});
const tokenCount = (total: object, last?: object) =>
  JSON.stringify({
    timestamp: "2026-11-20T11:00:00.000Z",
    type: "event_msg",
    payload: {
      type: "token_count",
      info: { total_token_usage: total, ...(last && { last_token_usage: last }) },
    },
  });
const codexLog = [
  JSON.stringify({
    timestamp: "t",
    type: "session_meta",
    payload: { id: "x-session", cwd: "/home/me/code/api" },
  }),
  JSON.stringify({ type: "turn_context", payload: { cwd: "/home/me/code/api", model: "gpt-5-codex" } }),
  JSON.stringify({ type: "event_msg", payload: { type: "token_count", info: null } }),
  tokenCount(counts(100, 0, 10), counts(100, 0, 10)),
  tokenCount(counts(100, 0, 10), counts(100, 0, 10)),
  tokenCount(counts(350, 90, 30), counts(250, 90, 20)),
  tokenCount(counts(400, 120, 35)),
];

describe("koor-cli llm import", () => {
  const directory = emptyDirectory();
  const cli = (...argv: string[]) => runCli(argv, { env: { KOOR_SERVER: server.url }, cwd: directory });

  test("records each message of Claude Code once, with all that went in, however often it streamed", async () => {
    writeFileSync(join(directory, "c.jsonl"), `${claudeLog.join("\n")}\n`);
    const first = await cli("llm", "import", "c.jsonl");
    expect(JSON.parse(first.stdout)).toEqual({
      files: 1,
      calls: 2,
      recorded: 2,
      known: 0,
      skipped: 0,
      unpriced: 0,
    });
    expect(await usage("session_tag=c-session")).toMatchObject([
      { tokens_in: 1103, tokens_out: 7, cache_read_tokens: 1000, cache_write_tokens: 100, project: "shop" },
      { tokens_in: 1103, tokens_out: 20, cost_usd: 0.000984, cost_source: "prices", provider: "anthropic" },
    ]);
  });

  test("importing twice changes nothing, and a session that went on brings what is new", async () => {
    const before = await summary("");
    const audit = (await send("GET", "/api/audit/summary")).body.total_entries;
    const again = await cli("llm", "import", "c.jsonl");
    expect(JSON.parse(again.stdout)).toMatchObject({ calls: 2, recorded: 0, known: 2 });
    expect(await summary("")).toEqual(before);
    expect((await send("GET", "/api/audit/summary")).body.total_entries).toBe(audit);
    appendFileSync(join(directory, "c.jsonl"), `${claude("4", 9)}\n`);
    expect(JSON.parse((await cli("llm", "import", "c.jsonl")).stdout)).toMatchObject({
      recorded: 1,
      known: 2,
    });
  });

  test("records each call of Codex once, by what the last one used, or by how the totals went up", async () => {
    mkdirSync(join(directory, "sessions/2026"), { recursive: true });
    writeFileSync(join(directory, "sessions/2026/rollout-1.jsonl"), codexLog.join("\n"));
    writeFileSync(join(directory, "sessions/notes.txt"), "none");
    const { stdout, stderr, exit } = await cli(
      "llm",
      "import",
      "sessions",
      "--project",
      "mine",
      "--unpriced",
    );
    expect([exit, JSON.parse(stdout)]).toEqual([
      0,
      { files: 1, calls: 3, recorded: 3, known: 0, skipped: 0, unpriced: 3 },
    ]);
    expect(stderr).toBe("");
    const rows = await usage("session_tag=x-session");
    expect(rows.map((row: any) => [row.tokens_in, row.tokens_out, row.cache_read_tokens]).reverse()).toEqual([
      [100, 10, 0],
      [250, 20, 90],
      [50, 5, 30],
    ]);
    expect(rows[0]).toMatchObject({ provider: "openai", model: "gpt-5-codex", project: "mine" });
    expect(JSON.parse((await cli("llm", "import", "sessions")).stdout)).toMatchObject({
      recorded: 0,
      known: 3,
    });
  });

  test("calls without a price are left out and their models named, until the server has prices", async () => {
    const home = temporaryDirectory();
    const file = join(temporaryDirectory(), "prices.json");
    const log = [
      claude("dear", 10, { sessionId: "prices" }),
      claude("new", 10, {
        sessionId: "prices",
        message: { ...JSON.parse(claude("new", 10)).message, model: "new-model" },
      }),
    ];
    writeFileSync(join(directory, "prices.jsonl"), log.join("\n"));
    const importAt = async (table: object, ...flags: string[]) => {
      writeFileSync(file, JSON.stringify(table));
      const own = await startServer(["--llm-prices", file], { directory: home, now: () => clock.now });
      const argv = ["llm", "import", "prices.jsonl", ...flags];
      const { stdout, ...rest } = await runCli(argv, { env: { KOOR_SERVER: own.url }, cwd: directory });
      const rows = (await own.json("/api/llm/usage?session_tag=prices")).body;
      await own.close();
      return { ...rest, sum: JSON.parse(stdout), costs: rows.map((row: any) => row.cost_usd) };
    };
    const first = await importAt(prices);
    expect(first).toMatchObject({ exit: 1, sum: { recorded: 1, unpriced: 1 }, costs: [0.000834] });
    expect(first.stderr).toContain(
      '1 of 2 calls were left out, since the server knows no price of "new-model"',
    );
    const second = await importAt({ ...prices, new: { input: 0, output: 1 } });
    expect(second).toMatchObject({
      exit: 0,
      stderr: "",
      sum: { recorded: 1, known: 1, unpriced: 0 },
      costs: [0.00001, 0.000834],
    });
  });

  test("many at once are one event and one row in the audit", async () => {
    const [event, ...others] = await events("llm.usage.imported");
    expect(event).toMatchObject({ source: "llmcost", data: { recorded: 3, tokens_in: 400, tokens_out: 35 } });
    const rows = (await send("GET", "/api/audit?action=llm.import&outcome=ok")).body;
    expect(rows).toHaveLength(others.length + 1);
  });

  test("answers that still stream are left for the next import, which has all of them", async () => {
    const line = (id: string, output: number, stop_reason: string | null) => {
      const entry = JSON.parse(claude(id, output));
      Object.assign(entry, { sessionId: "streaming", message: { ...entry.message, stop_reason } });
      // Of some minutes ago it is over, whatever it says.
      if (id !== "old") delete entry.timestamp;
      return `${JSON.stringify(entry)}\n`;
    };
    const imported = async () => JSON.parse((await cli("llm", "import", "streaming.jsonl")).stdout);
    const file = join(directory, "streaming.jsonl");
    writeFileSync(file, line("one", 1, null));
    expect(await imported()).toMatchObject({ calls: 0, recorded: 0 });
    writeFileSync(file, line("old", 3, null));
    expect(await imported()).toMatchObject({ recorded: 1 });
    // Two at once, as with agents of one session.
    writeFileSync(file, claude("before", 4) + "\n" + line("one", 1, null) + line("two", 2, null));
    expect(await imported()).toMatchObject({ calls: 1 });
    appendFileSync(file, line("one", 10, null) + line("two", 800, "end_turn"));
    expect(await imported()).toMatchObject({ recorded: 1 });
    appendFileSync(file, line("one", 900, "end_turn"));
    expect(await imported()).toMatchObject({ recorded: 1 });
    expect(await usage("session_tag=streaming")).toMatchObject([
      { tokens_out: 900 },
      { tokens_out: 800 },
      { tokens_out: 3 },
    ]);
  });

  test("calls that the server does not take are skipped and named by file and line, and all others recorded", async () => {
    const bad = [
      { timestamp: "yesterday" },
      { timestamp: "2026-12-24T12:00:00Z" },
      { cwd: `/code/${"x".repeat(513)}` },
      { cwd: "/code/a\0b" },
      { cwd: "/work/\ud800" },
      { sessionId: "s".repeat(513) },
    ];
    const lines = bad.flatMap((more, n) => [claude(`good${n}`, 1), claude(`bad${n}`, 1, more)]);
    writeFileSync(join(directory, "a-bad.jsonl"), `${lines.join("\n")}\n`);
    writeFileSync(join(directory, "b-good.jsonl"), `${claude("behind", 1)}\n`);
    const { stdout, stderr, exit } = await cli("llm", "import", "a-bad.jsonl", "b-good.jsonl");
    expect([exit, JSON.parse(stdout)]).toMatchObject([0, { calls: 13, recorded: 7, known: 0, skipped: 6 }]);
    const named = stderr.split("\n").filter((text) => text.endsWith("skipped"));
    expect(named.map((text) => /a-bad\.jsonl:(\d+): (\w+) /.exec(text)?.slice(1))).toEqual([
      ["2", "timestamp"],
      ["4", "timestamp"],
      ["6", "project"],
      ["8", "project"],
      ["10", "project"],
      ["12", "session_tag"],
    ]);
    const again = await cli("llm", "import", "a-bad.jsonl");
    expect(JSON.parse(again.stdout)).toMatchObject({ recorded: 0, known: 6, skipped: 6 });
  });

  test("a session all of whose calls are bad for one reason is skipped in one go, and what is given by hand is refused", async () => {
    const lines = Array.from({ length: 600 }, (_, n) => claude(`many${n}`, 1, { cwd: "/work/\0" }));
    writeFileSync(join(directory, "many.jsonl"), lines.join("\n"));
    const { stdout } = await cli("llm", "import", "many.jsonl");
    expect(JSON.parse(stdout)).toMatchObject({ calls: 600, recorded: 0, skipped: 600 });
    const refused = await cli("llm", "import", "many.jsonl", "--project", "p".repeat(513));
    expect(refused).toMatchObject({ exit: 1, stdout: "" });
    expect(refused.stderr).toContain("project is longer");
  });

  test("a fork of a Codex session does not count its parent's calls again, nor take a command's directory for the project", async () => {
    const meta = (id: string, more = {}) =>
      JSON.stringify({ type: "session_meta", payload: { id, cwd: "/home/me/code/forked", ...more } });
    const ran = JSON.stringify({
      type: "event_msg",
      payload: { type: "exec_command_begin", cwd: "/tmp/elsewhere", parsed: { usage: 1 } },
    });
    const parent = [meta("parent"), tokenCount(counts(50, 0, 5), counts(50, 0, 5))];
    const fork = [
      meta("fork", { forked_from_id: "parent" }),
      ...parent,
      ran,
      tokenCount(counts(80, 0, 9), counts(30, 0, 4)),
    ];
    writeFileSync(join(directory, "parent.jsonl"), parent.join("\n"));
    writeFileSync(join(directory, "fork.jsonl"), fork.join("\n"));
    expect(
      JSON.parse((await cli("llm", "import", "parent.jsonl", "fork.jsonl", "--unpriced")).stdout),
    ).toMatchObject({
      calls: 3,
      recorded: 2,
      known: 1,
    });
    expect((await usage("project=forked")).map((row: any) => row.tokens_in)).toEqual([30, 50]);
  });

  test("two servers' imports of one log at once record each call once", async () => {
    const records = Array.from({ length: 40 }, (_, n) => ({ ...call(), session_tag: "race", ref: `r${n}` }));
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => send("POST", "/api/llm/usage/import", { records })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200));
    expect(answers.reduce((sum, { body }) => sum + body.recorded, 0)).toBe(40);
    expect(await usage("session_tag=race&limit=100")).toHaveLength(40);
  });

  test("of one bad record none is recorded, and it is named", async () => {
    const records = [
      { ...call(), session_tag: "bad", ref: "good" },
      { ...call(), tokens_in: -1, ref: "bad" },
    ];
    expect((await send("POST", "/api/llm/usage/import", { records })).body).toMatchObject({
      code: 400,
      path: "records.1.tokens_in",
    });
    const { ref: _, ...nameless } = records[0] as { ref: string };
    expect((await send("POST", "/api/llm/usage/import", { records: [nameless] })).body).toMatchObject({
      path: "records.0.ref",
    });
    expect(await usage("session_tag=bad")).toEqual([]);
  });

  test("says what is wrong with a file that has no usage, or is not there", async () => {
    writeFileSync(join(directory, "other.jsonl"), '{"usage":1}\nnot json\n');
    expect(await cli("llm", "import", "other.jsonl")).toMatchObject({ exit: 1, stdout: "" });
    expect((await cli("llm", "import", "nowhere.jsonl")).stderr).toContain("no such file");
  });

  test("what Claude Code keeps in the cache for an hour has a price of its own", async () => {
    const usage = {
      input_tokens: 0,
      cache_creation_input_tokens: 100,
      cache_creation: { ephemeral_5m_input_tokens: 40, ephemeral_1h_input_tokens: 60 },
      output_tokens: 0,
    };
    const message = { id: "msg_hour", model: "claude-sonnet-4-20250514", usage };
    writeFileSync(join(directory, "hour.jsonl"), claude("hour", 0, { message, sessionId: "hour" }));
    await cli("llm", "import", "hour.jsonl", "--project", "hour");
    // 40 x 3.75 + 60 x 6 micro-dollars
    expect((await summary("group_by=project")).groups.hour).toMatchObject({ total_cost_usd: 0.00051 });
  });
});

describe("koor-cli llm", () => {
  const cli = (...argv: string[]) => runCli(argv, { env: { KOOR_SERVER: server.url } });
  const json = async (...argv: string[]) => JSON.parse((await cli(...argv)).stdout);

  test("records, lists, sums, and keeps budgets", async () => {
    const numbers = ["--tokens-in", "5", "--tokens-out", "6", "--cost-usd", "0.25"];
    const about = ["--project", "cli", "--session-tag", "cli-session"];
    expect(
      await json("llm", "record", "--provider", "p", "--model", "m", ...numbers, ...about),
    ).toMatchObject({
      recorded: true,
    });
    expect(await json("llm", "usage", "--session", "cli-session", "--limit", "5")).toMatchObject([
      { tokens_in: 5 },
    ]);
    const sum = await json("llm", "summary", "--by", "session_tag", "--from", "2026-01-01T00:00:00Z");
    expect(sum.groups["cli-session"].total_cost_usd).toBe(0.25);
    expect(await json("llm", "budget-set", "cli", "--usd", "2.5", "--per", "day")).toMatchObject({
      share: 0.1,
    });
    expect(await json("llm", "budget", "cli")).toMatchObject({ usd: 2.5 });
    expect((await json("llm", "budgets")).map(({ project }: any) => project)).toContain("cli");
    expect(await json("llm", "budget-delete", "cli")).toEqual({ deleted: "cli" });
    expect((await cli("llm", "budget", "cli")).exit).toBe(3);
  });
});

describe("a table of prices", () => {
  const used = { tokensIn: 10, tokensOut: 1, cacheRead: 0, cacheWrite: 0, cacheWriteHour: 0 };

  test("the longest name that a model's name begins with counts", () => {
    const table = parsePrices('{"a":{"input":1,"output":0},"a-b":{"input":2,"output":0.04}}');
    expect(["a-x", "a-b", "a-b-c", "b"].map((model) => costOf(table, { ...used, model }))).toEqual([
      10,
      20,
      20,
      undefined,
    ]);
  });

  test("one that is none keeps the server from starting, and says what is wrong", async () => {
    const file = join(temporaryDirectory(), "prices.json");
    for (const [text, fault] of [
      ["{", "it is not JSON"],
      ['{"m":{"input":1}}', "m.output"],
      ['{"m":{"input":-1,"output":1}}', "m.input"],
      ['{"m":{"input":1,"output":1e300}}', "m.output: is more than 10000"],
      ['{"m":{"input":1,"output":1,"cache_read":10001}}', "m.cache_read: is more than"],
      ["[]", "MODEL"],
    ]) {
      writeFileSync(file, text as string);
      await expect(startServer(["--llm-prices", file])).rejects.toThrow(fault);
    }
    await expect(startServer(["--llm-prices", "/nowhere/prices.json"])).rejects.toThrow(
      "--llm-prices /nowhere",
    );
  });
});
