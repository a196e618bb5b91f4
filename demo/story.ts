import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Agent, connectAgent, newestRevision, olderRevision } from "./agent.ts";
import { readText, withPage } from "./browser.ts";
import { type ServerProcess, readSource, runCli, startServer, temporaryFolder } from "./compiled.ts";
import { type TokenBook, openTokenBook } from "./tokens.ts";

/**
 * Koor's main job as steps, with the compiled programs and real clients: `demo.ts` shows them to a person, and
 * `test/end-to-end.test.ts` asserts what each answers. They build on each other, in the order of this file.
 */
export interface Story {
  server: ServerProcess;
  /** Where the server keeps its data; empty at the beginning. */
  home: string;
  /** Where the agents work. */
  workspace: string;
  agents: Agent[];
  book: TokenBook;
}

export const documentKey = "contracts/koor/openapi";
export const specName = "koor/openapi";
export const topic = "api.change.contract";
export const sourceFile = "src/main.ts";

/** In what `koor-cli rules import` takes. */
export const rules = [
  {
    project: "koor",
    rule_id: "no-exit",
    severity: "warning",
    pattern: String.raw`process\.exit\(`,
    message: "Set process.exitCode and return, so that what is buffered is written",
    applies_to: ["*.ts"],
  },
  {
    project: "koor",
    rule_id: "no-console-log",
    match_type: "custom",
    pattern: "no-console-log",
    message: "Log through the logger",
    applies_to: ["src/**"],
  },
  {
    project: "koor",
    rule_id: "sql-ends-with-semicolon",
    match_type: "missing",
    pattern: ";",
    applies_to: ["*.sql"],
  },
];

export interface Stored {
  version: number;
  hash: string;
  [field: string]: unknown;
}

export interface KoorEvent {
  id: number;
  topic: string;
  data: { key: string; version: number; [field: string]: unknown };
  source: string;
  created_at: string;
}

/** 1. The server starts in an empty directory, on free ports. */
export async function begin(): Promise<Story> {
  const home = temporaryFolder();
  const server = await startServer(home);
  return { server, home, workspace: temporaryFolder(), agents: [], book: openTokenBook() };
}

interface Registered {
  instance_id: string;
  token: string;
}

/** 2. Two agents connect, each by its own revision of MCP, and register. */
export async function register(story: Story): Promise<[backend: Agent, frontend: Agent]> {
  const { server, book } = story;
  const backend = await connectAgent("backend", server.url, newestRevision, book);
  story.agents.push(backend);
  const frontend = await connectAgent("frontend", server.url, olderRevision, book);
  story.agents.push(frontend);
  for (const [agent, intent, capabilities] of [
    [backend, "publish the API's contract", "openapi,typescript"],
    [frontend, "build the page against the contract", "preact,css"],
  ] as const) {
    const args = { name: agent.name, workspace: "koor", intent, stack: "bun", capabilities };
    const { instance_id: id, token } = await agent.call<Registered>("register_instance", args);
    Object.assign(agent, { instanceId: id, token });
  }
  return [backend, frontend];
}

interface Discovered {
  instances: { name: string }[];
}

/** 3. Each finds the other. */
export async function discover({ agents }: Story): Promise<{ seenBy: string; names: string[] }[]> {
  const seen: { seenBy: string; names: string[] }[] = [];
  for (const agent of agents) {
    const { instances } = await agent.call<Discovered>("discover_instances", { workspace: "koor" });
    seen.push({ seenBy: agent.name, names: instances.map(({ name }) => name).toSorted() });
  }
  return seen;
}

/** 4. Each learns where the data is. */
export async function learnEndpoints({ agents }: Story): Promise<Record<string, string>[]> {
  const answers: Record<string, string>[] = [];
  for (const agent of agents) answers.push(await agent.call("get_endpoints"));
  return answers;
}

export interface StoredDocument {
  /** What was stored, byte for byte. */
  text: string;
  state: Stored;
  spec: Stored;
}

/** 5. The backend stores a real document, Koor's own OpenAPI document, as state and as a spec. */
export async function storeDocument(story: Story): Promise<StoredDocument> {
  const { server, workspace, book } = story;
  const text = await (await fetch(`${server.url}/api/openapi.json`)).text();
  writeFileSync(join(workspace, "openapi.json"), text);
  const state = await cli(story, "backend", ["state", "set", documentKey, "--file", "openapi.json"]);
  book.add("outside", "backend: the document, to state", text);
  const spec = await cli(story, "backend", ["specs", "set", specName, "--file", "openapi.json"]);
  book.add("outside", "backend: the document, to specs", text);
  return { text, state: state as Stored, spec: spec as Stored };
}

/** 6. The frontend listens, the backend publishes, the frontend gets the event. */
export async function announce(
  story: Story,
  version: number,
): Promise<{ published: KoorEvent; received: KoorEvent }> {
  const socket = new WebSocket(
    `${story.server.url.replace("http", "ws")}/api/events/subscribe?pattern=api.*`,
  );
  const frame = Promise.withResolvers<string>();
  const opened = Promise.withResolvers<void>();
  socket.onopen = () => opened.resolve();
  socket.onmessage = ({ data }) => frame.resolve(String(data));
  socket.onerror = () => {
    opened.reject(new Error("the WebSocket did not open"));
    frame.reject(new Error("the WebSocket broke"));
  };
  // Awaited below; until then nobody else handles its refusal.
  frame.promise.catch(() => {});
  await opened.promise;
  const data = JSON.stringify({ key: documentKey, version });
  const published = (await cli(story, "backend", ["events", "publish", topic, "--data", data])) as KoorEvent;
  const text = await frame.promise;
  socket.close();
  story.book.add("shell", "frontend: the event, by WebSocket", text);
  return { published, received: JSON.parse(text) as KoorEvent };
}

export interface Fetched {
  status: number;
  etag: string;
  text: string;
}

/** 7. The frontend fetches the document, and asks again whether it is still the same. */
export async function fetchTwice(story: Story): Promise<[first: Fetched, again: Fetched]> {
  const first = await get(story, '"none-yet"');
  return [first, await get(story, first.etag)];
}

async function get({ server, agents, book }: Story, etag: string): Promise<Fetched> {
  const path = `/api/state/${documentKey}`;
  const frontend = agents.find(({ name }) => name === "frontend");
  const headers = { "If-None-Match": etag, "Koor-Instance-Token": frontend?.token ?? "" };
  const response = await fetch(server.url + path, { headers });
  const fetched = {
    status: response.status,
    etag: response.headers.get("etag") ?? "",
    text: await response.text(),
  };
  book.add(
    "shell",
    `frontend: GET, ${fetched.status}`,
    `GET ${path} If-None-Match: ${etag} ${fetched.status}`,
  );
  book.add("outside", `frontend: the answer, ${fetched.status}`, fetched.text);
  return fetched;
}

export interface Validation {
  violations: { rule_id: string; severity: string; message: string; line?: number; match?: string }[];
  count: number;
}

/** 8. The frontend has rules checked on a source file of this repository. */
export async function validate(story: Story): Promise<Validation> {
  const { server, workspace, book } = story;
  const ruleSet = JSON.stringify(rules);
  writeFileSync(join(workspace, "rules.json"), ruleSet);
  book.add("outside", "frontend: rules.json", ruleSet);
  await cli(story, "frontend", ["rules", "import", "--file", "rules.json"]);
  const content = readSource(sourceFile);
  const response = await fetch(`${server.url}/api/validate/koor`, {
    method: "POST",
    body: JSON.stringify({ filename: sourceFile, content }),
  });
  const text = await response.text();
  book.add("outside", `frontend: ${sourceFile}, to be validated`, content);
  book.add("shell", "frontend: the violations", `POST /api/validate/koor ${sourceFile} ${text}`);
  return JSON.parse(text) as Validation;
}

export interface Shown {
  backend: string;
  frontend: string;
  key: string;
  event: string;
}

/** 9. A person opens the dashboard. */
export function openDashboard({ server }: Story, chromium: string): Promise<Shown> {
  return withPage(chromium, server.dashboardUrl, async (page) => {
    const backend = await readText(page, "[data-instance]", "backend");
    const frontend = await readText(page, "[data-instance]", "frontend");
    await page.goto(`${server.dashboardUrl}/state/${documentKey}`);
    const key = await readText(page, "[data-document] .detail-head", documentKey);
    await page.goto(`${server.dashboardUrl}/events`);
    return { backend, frontend, key, event: await readText(page, "[data-event]", topic) };
  });
}

export interface Everything {
  state: { text: string; etag: string };
  spec: { text: string; etag: string };
  events: KoorEvent[];
  instances: { id: string; name: string; [field: string]: unknown }[];
}

export interface Restarted {
  exitCode: number;
  stdout: string;
  before: Everything;
  after: Everything;
  /** Who the agents see afterwards, on the connections that they had before. */
  seen: { seenBy: string; names: string[] }[];
}

/** 10. The server is stopped and started again: what it held before, and what it holds now. */
export async function restart(story: Story): Promise<Restarted> {
  const before = await readEverything(story.server);
  const { url, dashboardUrl } = story.server;
  const { code: exitCode, stdout } = await stop(story.server);
  const flags = ["--bind", new URL(url).host, "--dashboard-bind", new URL(dashboardUrl).host];
  story.server = await startServer(story.home, { flags });
  const after = await readEverything(story.server);
  return { exitCode, stdout, before, after, seen: await discover(story) };
}

async function readEverything({ url }: ServerProcess): Promise<Everything> {
  const read = async (path: string) => {
    const response = await fetch(url + path);
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return { text: await response.text(), etag: response.headers.get("etag") ?? "" };
  };
  return {
    state: await read(`/api/state/${documentKey}`),
    spec: await read(`/api/specs/${specName}`),
    events: JSON.parse((await read("/api/events/history")).text),
    instances: JSON.parse((await read("/api/instances")).text),
  };
}

/** Stops what runs and removes what was written. */
export async function end({ server, agents, home, workspace }: Story): Promise<void> {
  await Promise.all(agents.map((agent) => agent.close()));
  await stop(server);
  for (const folder of [home, workspace]) rmSync(folder, { recursive: true, force: true });
}

function stop(server: ServerProcess) {
  server.kill("SIGTERM");
  return server.exited;
}

/** A command as an agent types it in its shell: the model writes the line and reads the answer. */
async function cli(story: Story, name: string, args: readonly string[]): Promise<unknown> {
  const token = story.agents.find((agent) => agent.name === name)?.token ?? "";
  const { code, stdout, stderr } = await runCli(story.server, story.workspace, args, {
    KOOR_INSTANCE_TOKEN: token,
  });
  const line = `koor-cli ${args.join(" ")}`;
  if (code !== 0) throw new Error(`${line}: ${stderr}`);
  story.book.add("shell", `${name}: ${line.split(" ").slice(0, 3).join(" ")}`, `${line}\n${stdout}`);
  return JSON.parse(stdout);
}
