import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { newestRevision, olderRevision } from "../demo/agent.ts";
import { findChromium } from "../demo/browser.ts";
import { readSource } from "../demo/compiled.ts";
import * as story from "../demo/story.ts";

/** The main job on real input, with the compiled programs: the steps are those of `npm run demo`. */
describe("two agents share a contract through the compiled server", () => {
  let told: story.Story;
  let stored: story.StoredDocument;

  beforeAll(async () => {
    told = await story.begin();
  });
  afterAll(() => story.end(told));

  test("the server starts in an empty directory and makes its database there", async () => {
    expect(existsSync(`${told.home}/data.db`)).toBe(true);
    const health = await (await fetch(`${told.server.url}/health`)).json();
    expect(health).toMatchObject({ status: "ok" });
  });

  test("a client of the newest revision and one of an older one register over MCP", async () => {
    const agents = await story.register(told);
    expect(agents.map(({ revision }) => revision)).toEqual([newestRevision, olderRevision]);
    for (const { tools, instanceId, token } of agents) {
      expect(tools).toEqual(["register_instance", "discover_instances", "set_intent", "get_endpoints"]);
      expect(instanceId).toMatch(/^[0-9a-f-]{36}$/);
      expect(token).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test("each of them discovers the other", async () => {
    expect(await story.discover(told)).toEqual([
      { seenBy: "backend", names: ["backend", "frontend"] },
      { seenBy: "frontend", names: ["backend", "frontend"] },
    ]);
  });

  test("each of them learns where the data is", async () => {
    const answers = await story.learnEndpoints(told);
    for (const endpoints of answers) {
      expect(endpoints).toMatchObject({ api: told.server.url, dashboard: told.server.dashboardUrl });
      expect(endpoints["state"]).toContain("/api/state/{key}");
      expect(endpoints["events"]).toContain("/api/events/publish");
    }
  });

  test("the backend stores a document of at least 20 KB as state and as a spec, with koor-cli", async () => {
    stored = await story.storeDocument(told);
    expect(Buffer.byteLength(stored.text)).toBeGreaterThanOrEqual(20 * 1024);
    expect(JSON.parse(stored.text).openapi).toStartWith("3.1");
    const hash = new Bun.CryptoHasher("sha256").update(stored.text).digest("hex");
    expect(stored.state).toMatchObject({ key: story.documentKey, version: 1, hash });
    expect(stored.spec).toMatchObject({ project: "koor", name: "openapi", version: 1, hash });
  });

  test("the frontend gets what the backend publishes, over WebSocket, with its source", async () => {
    const { published, received } = await story.announce(told, stored.state.version);
    expect(received).toEqual(published);
    expect(received).toMatchObject({ id: 1, topic: "api.change.contract", source: "backend" });
    expect(received.data).toEqual({ key: story.documentKey, version: 1 });
  });

  test("the frontend fetches the document once, and is told 304 after that", async () => {
    const [first, again] = await story.fetchTwice(told);
    expect(first.status).toBe(200);
    expect(first.text).toBe(stored.text);
    expect(again).toEqual({ status: 304, etag: first.etag, text: "" });
  });

  test("rules find violations in a source file of this repository, with their lines", async () => {
    const { violations, count } = await story.validate(told);
    const lines = readSource(story.sourceFile).split("\n");
    const expected = lines.flatMap((line, at) => (line.includes("process.exit(") ? [at + 1] : []));
    expect(expected.length).toBeGreaterThan(0);
    expect(violations.map(({ line }) => line)).toEqual(expected);
    expect(violations[0]).toMatchObject({ rule_id: "no-exit", severity: "warning", match: "process.exit(" });
    expect(count).toBe(violations.length);
  });

  test("the dashboard shows both agents, the key and the event", async () => {
    const chromium = findChromium();
    if (chromium === undefined) throw new Error("no Chromium: set KOOR_CHROMIUM, or run npm test");
    const shown = await story.openDashboard(told, chromium);
    expect(shown.backend).toContain("publish the API's contract");
    expect(shown.frontend).toContain("build the page against the contract");
    expect(shown.key).toContain(story.documentKey);
    expect(shown.event).toContain("backend");
  }, 60_000);

  test("after SIGTERM and another start everything is still there, also for connected agents", async () => {
    const { exitCode, stdout, before, after, seen } = await story.restart(told);
    expect(exitCode).toBe(0);
    expect(stdout).toBe("");
    expect(after.state).toEqual(before.state);
    expect(after.state.text).toBe(stored.text);
    expect(after.spec).toEqual(before.spec);
    expect(after.spec.text).toBe(stored.text);
    expect(after.events).toEqual(before.events);
    expect(after.events.map(({ topic }) => topic)).toEqual([story.topic]);
    expect(after.instances.map(withoutSignsOfLife)).toEqual(before.instances.map(withoutSignsOfLife));
    expect(seen.map(({ names }) => names)).toEqual([
      ["backend", "frontend"],
      ["backend", "frontend"],
    ]);
    expect(readdirSync(told.home)).toContain("data.db");
  });

  test("most of the tokens stayed out of the models", () => {
    const { book } = told;
    expect(book.total("mcp") + book.total("shell")).toBeLessThan(book.total("outside") / 10);
  });
});

function withoutSignsOfLife({ last_seen: _, last_sign: __, ...rest }: Record<string, unknown>) {
  return rest;
}
