import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { freePort, startConformanceServer } from "./conformance-server.ts";
import { type TestServer, startServer } from "./harness.ts";

/** The official suite, as a program of its own, against a real server: one scenario after the other. */
const suite = join(import.meta.dir, "../node_modules/@modelcontextprotocol/conformance/dist/index.js");

const scenarios: Record<string, string[]> = {
  "2026-07-28": [
    "server-stateless",
    "tools-list",
    "tools-call-simple-text",
    "tools-call-error",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
    "http-header-validation",
  ],
  "2025-11-25": [
    "server-initialize",
    "ping",
    "tools-list",
    "tools-call-simple-text",
    "tools-call-error",
    "dns-rebinding-protection",
  ],
};

/** What does not apply: the tools never change, so there is nothing to subscribe to. */
const skipped: Record<string, string[]> = {
  "server-stateless": [
    "sep-2575-server-sends-subscription-ack",
    "sep-2575-server-tags-subscription-id",
    "sep-2575-server-honors-notification-filter",
    "sep-2575-server-sends-prompts-list-changed-on-subscription",
    "sep-2575-server-sends-tools-list-changed-on-subscription",
  ],
};

let server: TestServer;
beforeAll(async () => {
  server = await startConformanceServer(await freePort());
});
afterAll(() => server.dispose());

async function run(scenario: string, revision: string) {
  const target = ["--url", `${server.url}/mcp`, "--scenario", scenario, "--spec-version", revision];
  const command = [process.execPath, suite, "server", ...target];
  const child = Bun.spawn(command, {
    cwd: server.directory,
    env: { ...process.env, NO_COLOR: "1" },
    stderr: "pipe",
  });
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  // The suite colours its words whatever it is told.
  const plain = Bun.stripANSI(output + errors);
  const [, passed] = /^Passed: (\d+)\/\1, 0 failed, 0 warnings$/m.exec(plain) ?? [];
  const left = [...plain.matchAll(/\[(\S+) *\] SKIPPED/g)].map(([, check]) => check);
  return { exit: await child.exited, passed: Number(passed ?? 0), left, plain };
}

for (const [revision, names] of Object.entries(scenarios)) {
  describe(`MCP conformance, ${revision}`, () => {
    for (const name of names) {
      test(
        name,
        async () => {
          const { exit, passed, left, plain } = await run(name, revision);
          if (exit !== 0 || passed === 0) console.log(plain);
          expect(passed).toBeGreaterThan(0);
          expect(left).toEqual(skipped[name] ?? []);
          expect(exit).toBe(0);
        },
        60_000,
      );
    }
  });
}

test("the product offers none of the suite's tools", async () => {
  const product = await startServer(["--dashboard-bind", ""]);
  const { body } = await product.json("/mcp", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
  });
  const names = body.result.tools.map((tool: { name: string }) => tool.name);
  expect(names).toEqual(["register_instance", "discover_instances", "set_intent", "get_endpoints"]);
  await product.dispose();
});
