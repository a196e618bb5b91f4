import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileBytes } from "../src/cli/files.ts";
import { type RunOptions, emptyDirectory, openSmallServer, refuse, runCli } from "../src/cli/io-for-tests.ts";
import { limits } from "../src/contract/limits.ts";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  const rules = [
    { rule_id: "no-eval", pattern: String.raw`\beval\(`, message: "Parse it", applies_to: ["*.ts", "src/*"] },
    { rule_id: "todo", pattern: "TODO", severity: "warning", message: "Finish it" },
    { rule_id: "licence", match_type: "missing", pattern: "SPDX", severity: "warning", applies_to: ["*.go"] },
    { rule_id: "py", pattern: "print", stack: "python" },
  ];
  await server.ask("/api/rules/import", {
    method: "POST",
    body: JSON.stringify(rules.map((rule) => ({ ...rule, project: "shop" }))),
  });
});
afterAll(() => server.dispose());

/** A directory with these files in it. */
function directoryOf(files: Record<string, string | Uint8Array>): string {
  const directory = emptyDirectory();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
  return directory;
}

const validate = (words: string[], options: RunOptions = {}) =>
  runCli(["validate", "shop", ...words], { ...options, env: { KOOR_SERVER: server.url } });

describe("koor-cli validate", () => {
  test("prints a line for each violation as linters do, and exits 1 where an error is among them", async () => {
    const cwd = directoryOf({ "src/a.ts": "// TODO\r\neval(x)\r\n", "b.ts": "TODO\n", "c.ts": "fine\n" });
    expect(await validate(["./src/a.ts", "b.ts", "c.ts"], { cwd })).toMatchObject({
      exit: 1,
      stdout: [
        "src/a.ts:1: warning: Finish it [todo]",
        "src/a.ts:2: error: Parse it [no-eval]",
        "b.ts:1: warning: Finish it [todo]",
        "",
      ].join("\n"),
      stderr: "",
    });
    expect(await validate(["b.ts"], { cwd })).toMatchObject({
      exit: 0,
      stdout: "b.ts:1: warning: Finish it [todo]\n",
    });
    expect(await validate(["c.ts"], { cwd })).toMatchObject({ exit: 0, stdout: "", stderr: "" });
  });

  test("what is missing is told of the first line", async () => {
    const cwd = directoryOf({ "a.go": "package a\n" });
    expect((await validate(["a.go"], { cwd })).stdout).toBe(
      "a.go:1: warning: required pattern 'SPDX' not found [licence]\n",
    );
  });

  test("standard input has no name, unless one is given", async () => {
    expect((await validate(["-"], { stdin: "eval(" })).stdout).toContain(
      "stdin:1: error: Parse it [no-eval]",
    );
    expect(await validate(["-", "--filename", "a.css"], { stdin: "eval(" })).toMatchObject({
      exit: 0,
      stdout: "",
    });
    expect((await validate(["-", "--filename", "x/a.ts"], { stdin: "eval(" })).stdout).toBe(
      "x/a.ts:1: error: Parse it [no-eval]\n",
    );
  });

  test("a stack selects its rules and the universal ones", async () => {
    const lines = async (flags: string[]) =>
      (await validate(["-", ...flags], { stdin: "print TODO SPDX" })).stdout;
    expect(await lines(["--stack", "python"])).toContain("[py]");
    expect(await lines(["--stack", "go"])).toBe("stdin:1: warning: Finish it [todo]\n");
  });

  test("a proposed rule can be tried: what breaks it says so, and is no reason to exit 1", async () => {
    const rule = { project: "shop", rule_id: "no-moment", pattern: "moment", message: "Use Temporal" };
    await server.ask("/api/rules/propose", { method: "POST", body: JSON.stringify(rule) });
    expect(await validate(["-", "--filename", "a.ts"], { stdin: "moment" })).toMatchObject({
      exit: 0,
      stdout: "",
    });
    expect(await validate(["-", "--filename", "a.ts", "--proposed"], { stdin: "moment" })).toMatchObject({
      exit: 0,
      stdout: "a.ts:1: error: Use Temporal [no-moment, proposed]\n",
    });
    const run = await validate(["-", "--filename", "a.ts", "--proposed", "--format", "json"], {
      stdin: "TODO moment",
    });
    expect(JSON.parse(run.stdout)).toMatchObject({ errors: 0, warnings: 1 });
    await server.ask("/api/rules/shop/no-moment", { method: "DELETE" });
  });

  test("what cannot be read is told, and stops nothing else", async () => {
    const cwd = directoryOf({
      "a.ts": "eval(",
      "latin.ts": Buffer.from([0xe9, 0x0a, ...Buffer.from("eval(")]),
      "image.png": Buffer.from([137, 80, 78, 71, 0, 1]),
    });
    const run = await validate(["none.ts", "image.png", "latin.ts", "a.ts", "/dev/null"], { cwd });
    expect(run.exit).toBe(1);
    expect(run.stdout).toBe("latin.ts:2: error: Parse it [no-eval]\na.ts:1: error: Parse it [no-eval]\n");
    expect(run.stderr.split("\n")).toEqual([
      "koor-cli: none.ts cannot be read: there is no such file",
      "koor-cli: image.png is no text",
      "koor-cli: /dev/null is no regular file",
    ]);
    expect((await validate(["none.ts"], { cwd })).exit).toBe(1);
  });

  test("a file over the bound is not read (LIMIT-1)", async () => {
    expect(fileBytes).toBe(limits.valueBytes);
    const cwd = directoryOf({ "large.ts": new Uint8Array(fileBytes + 1).fill(97), "a.ts": "TODO" });
    const run = await validate(["large.ts", "a.ts"], { cwd });
    expect(run).toMatchObject({ exit: 1, stdout: "a.ts:1: warning: Finish it [todo]\n" });
    expect(run.stderr).toBe(`koor-cli: large.ts is larger than ${fileBytes} bytes`);
  });

  test("below a directory every text is checked once, in order, but what .git, node_modules and links hold", async () => {
    const elsewhere = directoryOf({ "secret.ts": "eval(" });
    const cwd = directoryOf({
      "src/b.ts": "eval(",
      "src/a/z.ts": "eval(",
      "src/.hidden.ts": "eval(",
      "src/node_modules/m/a.ts": "eval(",
      "src/.git/a.ts": "eval(",
      "src/image.png": Buffer.from([0, 1]),
    });
    symlinkSync(elsewhere, join(cwd, "src/link"));
    symlinkSync(join(elsewhere, "secret.ts"), join(cwd, "src/link.ts"));
    const run = await validate(["src", "src/b.ts"], { cwd });
    expect(run.stdout.split("\n").map((line) => line.split(":")[0])).toEqual([
      "src/.hidden.ts",
      "src/a/z.ts",
      "src/b.ts",
      "",
    ]);
    expect(run.stderr).toBe("");
  });

  test("a rule that is stopped fails its file alone (REGEX-1)", async () => {
    await server.ask("/api/rules/import", {
      method: "POST",
      body: JSON.stringify([
        { project: "evil", rule_id: "slow", pattern: "[ab]{0,1000}[bc]", applies_to: ["slow.txt"] },
        { project: "evil", rule_id: "quick", pattern: "x" },
      ]),
    });
    const cwd = directoryOf({ "slow.txt": `${"a".repeat(1_000_000)}b`, "quick.txt": "x" });
    const env = { KOOR_SERVER: server.url };
    const run = await runCli(["validate", "evil", "slow.txt", "quick.txt"], { cwd, env });
    expect(run).toMatchObject({ exit: 1, stdout: "quick.txt:1: error: pattern 'x' matched [quick]\n" });
    expect(run.stderr).toContain("slow.txt was not checked: rule slow took too long");
  });

  test("for programs there is JSON", async () => {
    const cwd = directoryOf({ "a.ts": "eval( // TODO", "b.ts": "fine" });
    const run = await validate(["a.ts", "b.ts", "none.ts", "--format", "json"], { cwd });
    expect(run.exit).toBe(1);
    expect(JSON.parse(run.stdout)).toEqual({
      project: "shop",
      files: [
        {
          file: "a.ts",
          violations: [
            { rule_id: "no-eval", severity: "error", message: "Parse it", line: 1, match: "eval(" },
            { rule_id: "todo", severity: "warning", message: "Finish it", line: 1, match: "TODO" },
          ],
        },
        { file: "b.ts", violations: [] },
        { file: "none.ts", violations: [], fault: "cannot be read: there is no such file" },
      ],
      errors: 1,
      warnings: 1,
    });
    const pretty = await validate(["b.ts", "--format", "json", "--pretty"], { cwd });
    expect(pretty.stdout).toContain('\n  "errors": 0');
  });

  test("a file with more violations than an answer holds says so", async () => {
    const cwd = directoryOf({ "a.ts": "TODO\n".repeat(1001) });
    const run = await validate(["a.ts"], { cwd });
    expect(run.stdout.split("\n")).toHaveLength(1001);
    expect(run).toMatchObject({ exit: 0, stderr: "koor-cli: a.ts has more violations than are shown" });
  });

  test.each([
    [[], "the command is: koor-cli validate PROJECT"],
    [["a.ts", "--format", "xml"], "--format must be text, json, sarif, github"],
    [["a.ts", "--format", "constructor"], "--format must be text"],
    [["a.ts", "--filename", "b.ts"], "--filename says what standard input is"],
    [["a.ts", "--strict", "yes"], "unknown flag --strict"],
  ])("%j is wrong usage", async (words, fault) => {
    const run = await validate(words);
    expect(run).toMatchObject({ exit: 1, stdout: "" });
    expect(run.stderr).toContain(fault);
  });

  test("what concerns every file ends it with the exit code of its reason, and prints nothing", async () => {
    const cwd = directoryOf({ "a.ts": "TODO" });
    const nobody = await runCli(["validate", "shop", "a.ts"], {
      cwd,
      env: { KOOR_SERVER: "http://127.0.0.1:1" },
    });
    expect(nobody).toMatchObject({ exit: 1, stdout: "" });
    expect(nobody.stderr).toContain("no Koor server");
    const closed = openSmallServer(() => refuse(401, { error: "invalid", reason: "unauthorized" }));
    const env = { KOOR_SERVER: closed.url };
    expect(await runCli(["validate", "shop", "a.ts"], { cwd, env })).toMatchObject({ exit: 5, stdout: "" });
    closed.close();
  });

  test("a server that has too much to do is asked again", async () => {
    const cwd = directoryOf({ "a.ts": "x" });
    const busy = openSmallServer(() =>
      busy.seen.length === 1
        ? refuse(429, { error: "too many validations are waiting", reason: "rate_limited" })
        : Response.json({ project: "shop", violations: [], count: 0 }),
    );
    const env = { KOOR_SERVER: busy.url };
    expect(await runCli(["validate", "shop", "a.ts"], { cwd, env })).toMatchObject({ exit: 0 });
    expect(busy.seen).toHaveLength(2);
    busy.close();
  });
});
