import { ClientError } from "../src/client/client-error.ts";
import { type Client, createClient } from "../src/client/client.ts";
import { importPast, record } from "./busy-usage.ts";
import {
  type Role,
  budgets,
  checkedFile,
  decision,
  diagram,
  ordersApi,
  paymentsContract,
  proposals,
  roles,
  rules,
} from "./busy-shop.ts";

/** Ten agents at work on one shop, for as long as wanted: what `npm run demo -- --busy` shows on the dashboard. */

export interface Busy {
  /** The API's address. */
  url: string;
  signal: AbortSignal;
  /** Waits about so many milliseconds. */
  pause: (ms: number) => Promise<void>;
  /** From 0 to 1. */
  random: () => number;
}

export interface Worker extends Role, Busy {
  client: Client;
  id: string;
  turn: number;
}

/** How long an agent thinks between two things that it does, in milliseconds. */
const thinkMs = 7_000;

/** Turns in which a call of a model is recorded: as few that a day looks like the days before. */
const usageShare = 0.05;

/** Works until the signal. @throws ClientError when the server refuses what it should take */
export async function work(busy: Busy): Promise<void> {
  const anyone = createClient({ server: busy.url });
  await prepare(anyone);
  const workers = await Promise.all(roles.map((role) => join(role, busy, anyone)));
  await importPast(anyone, workers);
  for (const { project, usd, per } of budgets)
    await anyone.call("llm.setBudget", { params: { project }, body: { usd, per } });
  await Promise.all(workers.map((worker) => untilTold(worker)));
}

async function prepare(client: Client): Promise<void> {
  await client.call("rules.import", { body: [...rules] as never });
  for (let version = 1; version <= 3; version++) {
    await client.call("specs.put", {
      params: { project: "shop", name: "orders" },
      body: JSON.stringify(ordersApi(version), null, 2),
    });
  }
  await client.call("specs.put", {
    params: { project: "shop", name: "payments" },
    body: JSON.stringify(paymentsContract, null, 2),
  });
  await put(client, "decisions/money-is-cents.md", decision, "text/markdown");
  await put(client, "architecture/services.svg", diagram, "image/svg+xml");
  await put(
    client,
    "release/checksums.bin",
    Uint8Array.from({ length: 300 }, (_, at) => (at * 37) % 256),
  );
}

async function join(role: Role, busy: Busy, anyone: Client): Promise<Worker> {
  const { name, stack, capabilities, intents } = role;
  const body = { name, stack, capabilities, workspace: "shop", intent: intents[0] as string };
  const { id, token } = await anyone.call("instances.register", { body });
  const client = createClient({ server: busy.url, instanceToken: token });
  await client.call("instances.activate", { params: { id } });
  return { ...role, ...busy, client, id, turn: 0 };
}

async function untilTold(worker: Worker): Promise<void> {
  const { signal, pause, random, name } = worker;
  const rounds = [...(habits[name] ?? []), ...everyday];
  while (!signal.aborted) {
    // One of them falls silent, as happens: its window was closed.
    if (name === "qa-e2e" && worker.turn > 12) return;
    await pause(thinkMs * (0.4 + 1.4 * random()));
    const next = rounds[worker.turn < rounds.length ? worker.turn : Math.floor(random() * rounds.length)];
    worker.turn += 1;
    await Promise.all([next?.(worker), random() < usageShare && record(worker)]).catch((error: unknown) => {
      // A conflict is everyday life; so is a server that is just being restarted, and a lease that somebody released by hand.
      const expected = error instanceof ClientError && [0, 404, 409].includes(error.status);
      if (!expected && !signal.aborted) throw error;
    });
  }
}

type Work = (worker: Worker) => Promise<unknown>;

const publish = ({ client }: Worker, topic: string, data: object) =>
  client.call("events.publish", { body: { topic, data } });

const report: Work = async (worker) => {
  const { client, name, turn, random } = worker;
  const done = Math.min(100, turn * 7 + Math.floor(random() * 5));
  const value = { agent: name, task: worker.intents[0], done_percent: done, branch: `agents/${name}`, turn };
  await put(client, `status/${name}`, JSON.stringify(value, null, 2), "application/json");
};

const build: Work = async (worker) => {
  const { random, name } = worker;
  const ok = random() > 0.2;
  const seconds = Math.round(20 + random() * 200);
  await publish(worker, `build.${name}.${ok ? "passed" : "failed"}`, { seconds, commit: hex(random) });
};

const runTests: Work = async (worker) => {
  const { random, name } = worker;
  const failed = random() > 0.75 ? Math.ceil(random() * 4) : 0;
  const passed = Math.round(80 + random() * 400);
  const topic = `test.${name}.${failed ? "failed" : "passed"}`;
  await publish(worker, topic, { passed, failed, slowest: "checkout with an expired card" });
};

const edit: Work = async (worker) => {
  const { client, pause, random, paths, turn } = worker;
  const path = paths[turn % paths.length] as string;
  const body = { paths: [path], ttl: "5m", wait: "45s", note: worker.intents[0] as string };
  const { id } = await client.call("leases.acquire", { body });
  await pause(10_000 + 40_000 * random());
  const file = path.replace("**", `part-${Math.floor(random() * 6)}.md`);
  await put(client, `notes/${file}`, `# ${file}\n\n- ${worker.intents.join("\n- ")}\n`, "text/markdown");
  await publish(worker, `code.changed.${worker.name}`, { file, lines: Math.round(random() * 120) });
  await client.call("leases.release", { params: { id } });
};

const holdLong: Work = async (worker) => {
  const { client, pause, paths } = worker;
  const note = "Backfilling 4 million rows; the third step needs the table to itself";
  const { id } = await client.call("leases.acquire", { body: { paths, ttl: "30m", note } });
  for (let step = 1; step <= 24 && !worker.signal.aborted; step++) {
    await pause(20_000);
    await publish(worker, "migration.progress", { table: "addresses", rows: step * 350_000 });
  }
  await client.call("leases.release", { params: { id } });
};

const waitForMigrations: Work = async ({ client, pause }) => {
  const note = "Needs a column for refunds";
  const body = { paths: ["db/migrations/**"], ttl: "2m", wait: "60s", note };
  const { id } = await client.call("leases.acquire", { body });
  await pause(5_000);
  await client.call("leases.release", { params: { id } });
};

const decide: Work = async (worker) => {
  const { client, intents, id, turn, random } = worker;
  const intent = intents[turn % intents.length] as string;
  await client.call("instances.update", { params: { id }, body: { intent } });
  await put(client, `plan/sprint-12/${worker.name}.json`, JSON.stringify({ intent, points: turn % 8 }));
  if (random() > 0.6) await publish(worker, "plan.changed", { agent: worker.name, intent });
};

const check: Work = async ({ client, random }) => {
  const content = random() > 0.5 ? checkedFile : checkedFile.replaceAll(/.*(console|TODO).*\n/g, "");
  await client.call("rules.validate", {
    params: { project: "shop" },
    body: { filename: "web/checkout/total.ts", content },
  });
};

const agree: Work = async ({ client, name, turn }) => {
  if (name !== "api-orders") return;
  const body = JSON.stringify(ordersApi(3 + (turn % 4)), null, 2);
  await client.call("specs.put", { params: { project: "shop", name: "orders" }, body });
};

const learn: Work = async ({ client, turn }) => {
  const rule = proposals[turn % proposals.length] as (typeof proposals)[number];
  await client.call("rules.propose", { body: { project: "shop", ...rule } });
};

const everyday: Work[] = [report, decide, edit, build, check, runTests, edit, report, agree, build, learn];

/** Two of them get in each other's way all the time. */
const habits: Readonly<Record<string, Work[]>> = {
  "db-migrations": Array<Work>(8).fill(holdLong),
  "api-payments": Array<Work>(16).fill(waitForMigrations),
};

async function put(client: Client, key: string, body: string | Uint8Array, contentType?: string) {
  const type = contentType ?? (typeof body === "string" ? "application/json" : "application/octet-stream");
  await client.call("state.put", { params: { key }, body, contentType: type });
}

function hex(random: () => number): string {
  return Math.floor(random() * 2 ** 28)
    .toString(16)
    .padStart(7, "0");
}
