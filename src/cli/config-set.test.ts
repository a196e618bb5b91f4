import { expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { emptyDirectory, runCli } from "./io-for-tests.ts";

const fileIn = (cwd: string) => join(cwd, "settings.json");
const settingsIn = (cwd: string) => JSON.parse(readFileSync(fileIn(cwd), "utf8")) as unknown;
const modeOf = (cwd: string) => (statSync(fileIn(cwd)).mode & 0o777).toString(8);

test("a setting is written for its owner's eyes only, and nothing is left beside it", async () => {
  const cwd = emptyDirectory();
  expect(await runCli(["config", "set", "server", "localhost:9801"], { cwd })).toMatchObject({
    exit: 0,
    stderr: "",
  });
  expect(settingsIn(cwd)).toEqual({ server: "http://localhost:9801" });
  expect(modeOf(cwd)).toBe("600");
  expect(readdirSync(cwd)).toEqual(["settings.json"]);
});

test("other settings are kept, the server's own among them, and a wider mode is narrowed", async () => {
  const cwd = emptyDirectory();
  writeFileSync(fileIn(cwd), '{"bind":"localhost:1","token":"old","allowed_hosts":["a"]}');
  chmodSync(fileIn(cwd), 0o644);
  await runCli(["config", "set", "token", "new"], { cwd });
  expect(settingsIn(cwd)).toEqual({ bind: "localhost:1", token: "new", allowed_hosts: ["a"] });
  expect(modeOf(cwd)).toBe("600");
});

test("a token is never echoed", async () => {
  const { stdout, stderr } = await runCli(["config", "set", "token", "s3cret"]);
  expect(stdout + stderr).not.toContain("s3cret");
  const bad = await runCli(["config", "set", "token", "s3cret\n"]);
  expect(bad.exit).toBe(1);
  expect(bad.stdout + bad.stderr).not.toContain("s3cret");
});

test("unknown keys and missing values are refused, and nothing is written", async () => {
  const cwd = emptyDirectory();
  for (const argv of [
    ["bind", "x"],
    ["server"],
    ["server", "a", "b"],
    ["server", "ftp://x"],
    ["token", ""],
  ]) {
    const { exit, stdout, stderr } = await runCli(["config", "set", ...argv], { cwd });
    expect({ exit, stdout, lines: stderr.split("\n").length }).toEqual({ exit: 1, stdout: "", lines: 1 });
  }
  expect(existsSync(fileIn(cwd))).toBe(false);
});

test("a settings file that is no JSON object is left as it is, and said so in one line", async () => {
  for (const text of ["{ server: 1", "[]", "null"]) {
    const cwd = emptyDirectory();
    writeFileSync(fileIn(cwd), text);
    expect((await runCli(["config", "set", "server", "x"], { cwd })).stderr).toMatch(
      /^koor-cli: settings\.json .*correct it/,
    );
    expect(readFileSync(fileIn(cwd), "utf8")).toBe(text);
  }
});

test("a link stays a link", async () => {
  const cwd = emptyDirectory();
  mkdirSync(join(cwd, "real"));
  writeFileSync(join(cwd, "real/settings.json"), "{}");
  symlinkSync("real/settings.json", fileIn(cwd));
  await runCli(["config", "set", "token", "t"], { cwd });
  expect(JSON.parse(readFileSync(join(cwd, "real/settings.json"), "utf8"))).toEqual({ token: "t" });
});
