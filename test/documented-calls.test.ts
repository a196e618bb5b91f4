import { afterAll, expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type ServerProcess, root, run, startServer, temporaryFolder } from "../demo/compiled.ts";
import { openSmallServer } from "../src/cli/io-for-tests.ts";

const [home, folder] = [temporaryFolder(), temporaryFolder()];
let server: ServerProcess | undefined;
const service = openSmallServer(({ method }) =>
  method === "POST" ? Response.json({ id: "a" }, { status: 201 }) : Response.json([{}]),
);
afterAll(async () => {
  service.close();
  server?.kill("SIGTERM");
  await server?.exited;
  for (const one of [home, folder]) rmSync(one, { recursive: true });
});

test("a script of the documented calls of rules, contracts, compliance and templates runs unchanged", async () => {
  server = await startServer(home);
  const { code, stdout, stderr } = await run(["bash", join(import.meta.dir, "documented-calls.sh")], folder, {
    KOOR_SERVER: server.url,
    SERVICE: service.url,
    PATH: `${join(root, "dist")}:${process.env["PATH"]}`,
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const said = new Map(
    stdout.split(/^# /m).map((group): [string, string[]] => {
      const [name = "", ...lines] = group.trimEnd().split("\n");
      return [name, lines];
    }),
  );
  const json = (group: string, at: number) => JSON.parse(said.get(group)?.[at] ?? "null") as unknown;

  const external = { rule_id: "no-todo", source: "external", project: "shop", status: "accepted" };
  const local = { rule_id: "mine", source: "local", severity: "error" };
  expect(json("rules", 0)).toEqual({ imported: 2 });
  expect(json("rules", 1)).toMatchObject([local]);
  expect(json("rules", 2)).toMatchObject([local]);
  expect(json("rules", 3)).toMatchObject({ file: "exported.json" });
  expect(json("rules", 4)).toEqual({ imported: 2 });
  expect(JSON.parse(readFileSync(join(folder, "exported.json"), "utf8"))).toMatchObject([external, local]);

  const contract = readFileSync(join(folder, "contract.json"), "utf8");
  expect(json("contract", 0)).toMatchObject({ project: "shop", name: "orders", version: 1 });
  expect(json("contract", 1)).toMatchObject({ project: "shop", name: "copy", version: 1 });
  expect(said.get("contract")?.slice(2)).toEqual([
    ...contract.trimEnd().split("\n"),
    "PASS POST /api/orders",
    "FAIL POST /api/orders",
    "  request.id: expected string, got number",
    "  request.more: unexpected field",
    "exit 1",
    "PASS POST /api/orders",
    "PASS POST /api/orders (201)",
    "FAIL GET /api/orders (200) response[0].id: missing required field",
    "1/2",
    "exit 1",
  ]);

  const runs = [
    { project: "shop", contract: "copy", pass: false, violations: [{ path: "endpoints" }] },
    { project: "shop", contract: "orders", pass: true, violations: [] },
  ];
  expect(json("compliance", 0)).toMatchObject({ checked: true, runs, count: 2 });
  expect(json("compliance", 1)).toMatchObject(runs);
  expect(json("compliance", 2)).toMatchObject(runs.slice(0, 1));

  const base = { id: "base", name: "base", kind: "rules", tags: ["go", "service"] };
  expect(json("templates", 0)).toMatchObject(base);
  expect(json("templates", 1)).toMatchObject({ id: "api", kind: "contracts", tags: [] });
  expect(json("templates", 2)).toMatchObject([{ id: "api" }, base]);
  expect(json("templates", 3)).toMatchObject([base]);
  expect(json("templates", 4)).toMatchObject({
    ...base,
    data: [{ rule_id: "no-todo" }, { rule_id: "mine" }],
  });
  expect(json("templates", 5)).toEqual({ applied: "base", project: "other", kind: "rules" });
  expect(json("templates", 6)).toEqual({ applied: "api", project: "other", kind: "contracts" });
  expect(said.get("templates")?.slice(7)).toEqual(["PASS POST /api/orders", '{"deleted":"base"}', "exit 3"]);
});
