import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileBytes, filesBelow } from "../src/cli/files.ts";
import { emptyDirectory, runCli } from "../src/cli/io-for-tests.ts";
import { nameBytes } from "../src/cli/specs-push.ts";
import { limits } from "../src/contract/limits.ts";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

function directoryOf(files: Record<string, string | Uint8Array>): string {
  const directory = emptyDirectory();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
  return directory;
}

/** The run, and its receipt where there is one. */
async function push(project: string, directory: string) {
  const run = await runCli(["specs", "push", project, directory], { env: { KOOR_SERVER: server.url } });
  return { ...run, receipt: run.stdout === "" ? undefined : JSON.parse(run.stdout) };
}

const specsOf = async (project: string) => (await server.json(`/api/specs/${project}`)).body.specs;
const receipt = (project: string, counts: Record<string, number>) => ({
  project,
  pushed: 0,
  unchanged: 0,
  skipped: 0,
  failed: 0,
  not_json: 0,
  ...counts,
});

describe("koor-cli specs push", () => {
  test("makes every file the spec of its path, byte for byte, and what is the same is left alone", async () => {
    const directory = directoryOf({
      "openapi.json": '{ "a": 1.10 }\n',
      "orders/v1/order schema.json": "{}",
      "notes.md": "# Notes\n",
    });
    expect((await push("p", directory)).receipt).toEqual(receipt("p", { pushed: 3, not_json: 1 }));
    expect((await specsOf("p")).map(({ name, version }: any) => [name, version])).toEqual([
      ["notes.md", 1],
      ["openapi.json", 1],
      ["orders/v1/order schema.json", 1],
    ]);
    const notes = await server.ask("/api/specs/p/notes.md");
    expect([await notes.text(), notes.headers.get("content-type")]).toEqual([
      "# Notes\n",
      "application/json",
    ]);
    expect(await (await server.ask("/api/specs/p/openapi.json")).text()).toBe('{ "a": 1.10 }\n');

    writeFileSync(join(directory, "openapi.json"), "{}");
    rmSync(join(directory, "notes.md"));
    expect((await push("p", directory)).receipt).toEqual(receipt("p", { pushed: 1, unchanged: 1 }));
    expect((await specsOf("p")).map(({ name, version }: any) => [name, version])).toEqual([
      ["notes.md", 1],
      ["openapi.json", 2],
      ["orders/v1/order schema.json", 1],
    ]);
  });

  test("a spec that was deleted meanwhile is pushed anew", async () => {
    const directory = directoryOf({ "a.json": "{}" });
    await push("again", directory);
    await server.ask("/api/specs/again/a.json", { method: "DELETE" });
    expect((await push("again", directory)).receipt).toMatchObject({ pushed: 1 });
    expect(await specsOf("again")).toMatchObject([{ name: "a.json", version: 3 }]);
  });

  test("passes over .git, node_modules, what is binary or empty, and files with secrets", async () => {
    const directory = directoryOf({
      "a.json": "1",
      ".git/config": "x",
      "sub/node_modules/m/package.json": "{}",
      "image.png": Buffer.from([137, 80, 0]),
      "empty.json": "",
      ".env": "TOKEN=x",
      "sub/.env.production": "TOKEN=x",
      ".env.example": "TOKEN=",
      ".github/workflow.yml": "on: push",
    });
    const { receipt: got, stderr, exit } = await push("skips", directory);
    expect(got).toEqual(receipt("skips", { pushed: 3, skipped: 4, not_json: 2 }));
    expect(exit).toBe(0);
    expect(stderr.split("\n").toSorted()).toEqual([
      "koor-cli: skipped .env: it may hold secrets",
      "koor-cli: skipped empty.json: it is empty",
      "koor-cli: skipped sub/.env.production: it may hold secrets",
    ]);
    expect((await specsOf("skips")).map(({ name }: any) => name)).toEqual([
      ".env.example",
      ".github/workflow.yml",
      "a.json",
    ]);
  });

  test("follows no link, neither out of the directory nor within, and waits for no pipe", async () => {
    const elsewhere = directoryOf({ "secret.json": '"secret"' });
    const directory = directoryOf({ "a.json": "1" });
    symlinkSync(join(elsewhere, "secret.json"), join(directory, "file.json"));
    symlinkSync(elsewhere, join(directory, "directory"));
    symlinkSync(".", join(directory, "loop"));
    symlinkSync("a.json", join(directory, "b.json"));
    Bun.spawnSync(["mkfifo", join(directory, "pipe.json")]);
    expect((await push("links", directory)).receipt).toEqual(receipt("links", { pushed: 1, skipped: 5 }));
    expect((await specsOf("links")).map(({ name }: any) => name)).toEqual(["a.json"]);
    const link = join(elsewhere, "to");
    symlinkSync(directory, link);
    expect((await push("named-link", link)).receipt).toMatchObject({ pushed: 1 });
  });

  test("what is over a bound is skipped and told (LIMIT-1)", async () => {
    expect(nameBytes).toBe(limits.keyBytes);
    const long = `${"d/".repeat(200)}${"n".repeat(120)}`;
    const directory = directoryOf({ "large.json": new Uint8Array(fileBytes + 1).fill(49), [long]: "1" });
    const { receipt: got, stderr } = await push("large", directory);
    expect(got).toEqual(receipt("large", { skipped: 2 }));
    expect(stderr).toContain(`koor-cli: skipped large.json: it is larger than ${fileBytes} bytes`);
    expect(stderr).toContain(`it is named in over ${nameBytes} bytes`);
    expect(await specsOf("large")).toEqual([]);
  });

  test("what may not be read fails by itself, and the exit code says so", async () => {
    const directory = directoryOf({ "a.json": "1", "b.json": "2" });
    chmodSync(join(directory, "a.json"), 0);
    const run = await push("unreadable", directory);
    // Root may read everything.
    const isRoot = process.getuid?.() === 0;
    expect(run.receipt).toEqual(receipt("unreadable", isRoot ? { pushed: 2 } : { pushed: 1, failed: 1 }));
    expect(run.exit).toBe(isRoot ? 0 : 1);
  });

  test("what is no directory, or nobody answers for, is one line and an exit code", async () => {
    const missing = await push("p", "/nowhere/at all");
    expect(missing).toMatchObject({ exit: 1, stdout: "" });
    expect(missing.stderr).toBe("koor-cli: cannot read the directory /nowhere/at all: there is no such file");
    const directory = directoryOf({ "a.json": "1" });
    expect((await push("p", join(directory, "a.json"))).stderr).toContain("cannot read the directory");
    const nobody = await runCli(["specs", "push", "p", directory], {
      env: { KOOR_SERVER: "http://127.0.0.1:1" },
    });
    expect(nobody).toMatchObject({ exit: 1, stdout: "" });
  });

  test("many files arrive, and a second push of them writes nothing", async () => {
    const files = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`d${n % 7}/f${n}.json`, `${n}`]));
    const directory = directoryOf(files);
    expect(filesBelow(directory).names).toEqual(Object.keys(files).toSorted());
    expect((await push("many", directory)).receipt).toMatchObject({ pushed: 300 });
    expect((await push("many", directory)).receipt).toMatchObject({ pushed: 0, unchanged: 300 });
    expect(new Set((await specsOf("many")).map(({ version }: any) => version))).toEqual(new Set([1]));
  });
});
