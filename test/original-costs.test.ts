import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type ServerProcess, root, run, startServer, temporaryFolder } from "../demo/compiled.ts";

/** What the original's documentation tells its users to type for audit, metrics and costs, as a script of a shell. */

const folder = temporaryFolder();
let server: ServerProcess;
let id: string;

beforeAll(async () => {
  server = await startServer(folder);
  const post = async (path: string, body: object): Promise<any> =>
    (await fetch(server.url + path, { method: "POST", body: JSON.stringify(body) })).json();
  ({ id } = await post("/api/instances/register", { name: "agent" }));
  await fetch(`${server.url}/api/state/plan`, { method: "PUT", body: "1" });
  await fetch(`${server.url}/api/instances/${id}/heartbeat`, { method: "POST" });
  const about = { instance_id: id, project: "shop", session_tag: "s-1", request_type: "chat" };
  const call = { provider: "anthropic", model: "m", tokens_in: 10, tokens_out: 5, cost_usd: 0.01 };
  await post("/api/llm/usage", { ...call, ...about });
});
afterAll(async () => {
  server.kill("SIGTERM");
  await server.exited;
  rmSync(folder, { recursive: true, force: true });
});

test("a script of the original's commands for audit, metrics and costs runs unchanged", async () => {
  const day = new Date().toISOString().slice(0, 10);
  const span = "--from 2020-01-01T00:00:00Z --to 2100-01-01T00:00:00Z";
  const lines = [
    "koor-cli audit",
    `koor-cli audit --actor local --action state.put ${span} --limit 10`,
    "koor-cli audit summary",
    `koor-cli audit summary ${span}`,
    "koor-cli metrics agents",
    `koor-cli metrics agents ${id}`,
    `koor-cli metrics agents --instance_id ${id} --period ${day}`,
    "koor-cli llm usage",
    `koor-cli llm usage --instance ${id} --project shop --session s-1 ${span} --limit 5`,
    "koor-cli llm summary",
    `koor-cli llm summary --by project ${span}`,
    `koor-cli llm summary --by session_tag ${span}`,
  ];
  writeFileSync(join(folder, "script.sh"), `set -e\n${lines.join("\n")}\n`);
  const path = [join(root, "dist"), process.env["PATH"]].join(delimiter);
  const { code, stdout, stderr } = await run(["sh", "script.sh"], folder, {
    PATH: path,
    KOOR_SERVER: server.url,
  });
  expect([code, stderr]).toEqual([0, ""]);
  const answers = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(answers).toHaveLength(lines.length);
  const [, audit, , summary, agents, agent, sameAgent, , usage, , byProject, bySession] = answers;
  expect(audit).toMatchObject([{ actor: "local", action: "state.put", resource: "plan", outcome: "ok" }]);
  expect(summary).toMatchObject({ outcome_counts: { ok: 3 }, unique_actors: 2 });
  expect(agents).toMatchObject([{ instance_id: id, metrics: { calls: 1 } }]);
  expect(agent.map((row: any) => row.metric_name)).toEqual(["bytes", "calls"]);
  expect(sameAgent).toEqual(agent);
  expect(usage).toMatchObject([{ tokens_in: 10, tokens_out: 5, cost_usd: 0.01 }]);
  expect(byProject.groups).toMatchObject({ shop: { total_cost_usd: 0.01, request_count: 1 } });
  expect(bySession.groups).toMatchObject({ "s-1": { total_tokens_in: 10 } });
});
