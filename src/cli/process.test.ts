import { afterAll, expect, test } from "bun:test";
import { once } from "node:events";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { openEventServer } from "../client/event-server-for-tests.ts";
import { emptyDirectory, openSmallServer } from "./io-for-tests.ts";

/** koor-cli as a process, where pipes break and signals come. */

const big = new Uint8Array(10 * 1024 * 1024).fill(97);
const server = openSmallServer(() => new Response(big, { headers: { "Content-Type": "text/plain" } }));
afterAll(() => server.close());

const main = join(import.meta.dir, "main.ts");
const env = (url: string) => ({ PATH: process.env.PATH ?? "", KOOR_SERVER: url });

async function shell(script: string): Promise<{ exit: number; stdout: string; stderr: string }> {
  const child = Bun.spawn(["bash", "-c", script], {
    cwd: emptyDirectory(),
    env: { ...env(server.url), CLI: `${process.execPath} ${main}` },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exit] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { exit, stdout: stdout.trim(), stderr };
}

test("10 MiB get through a slow pipe whole", async () => {
  const { stdout, stderr } = await shell("$CLI state get big | (sleep 0.2; wc -c)");
  expect({ stdout, stderr }).toEqual({ stdout: String(big.length), stderr: "" });
});

test("10 MiB of standard input arrive whole", async () => {
  const { exit } = await shell("head -c 10485760 /dev/zero | $CLI state set k - > /dev/null");
  expect(exit).toBe(1); // The small server answers with text, which no write is answered with.
  expect(server.seen.at(-1)?.body.length).toBe(10 * 1024 * 1024);
});

test("10 MiB of a pipe that is named as a file arrive whole", async () => {
  await shell("mkfifo pipe; head -c 10485760 /dev/zero > pipe & $CLI state set k --file pipe > /dev/null");
  expect(server.seen.at(-1)?.body.length).toBe(10 * 1024 * 1024);
});

test("a reader that has seen enough ends it quietly", async () => {
  const { exit, stdout, stderr } = await shell("set -o pipefail; $CLI state get big | head -c 3");
  expect({ exit, stdout, stderr }).toEqual({ exit: 0, stdout: "aaa", stderr: "" });
});

test("a full disk is an error, not a success", async () => {
  const { exit, stderr } = await shell("$CLI state get big > /dev/full");
  expect(exit).toBe(1);
  expect(stderr).toMatch(/^koor-cli: .*ENOSPC.*\n$/);
});

test("--output to a pipe or to what is open already writes into it, and puts no file in its place", async () => {
  const { exit, stdout, stderr } = await shell(
    `set -e
     mkfifo pipe; wc -c < pipe & $CLI state get big -o pipe > receipt; wait; test -p pipe; grep -c '"file":"pipe"' receipt
     $CLI state get big -o /dev/stdout | wc -c
     $CLI state get big -o /dev/stdout > plain; wc -c < plain
     exec 5<>opened; $CLI state get big -o /dev/fd/5 > receipt; wc -c <&5
     ls`,
  );
  const size = String(big.length);
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
  expect(stdout.split("\n")).toEqual([size, "1", size, size, size, "opened", "pipe", "plain", "receipt"]);
});

test("subscribe prints a line an event while it runs, and Ctrl-C ends it quietly", async () => {
  const events = openEventServer();
  const child = spawn(process.execPath, [main, "events", "subscribe", "api.*", "--after", "0"], {
    env: env(events.url),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const lines = () => stdout.split("\n").slice(0, -1);
  events.publish("api.a", "12345678901234567890");
  while (lines().length < 1) await Bun.sleep(5);
  events.publish("other");
  events.publish("api.b");
  while (lines().length < 2) await Bun.sleep(5);
  child.kill("SIGINT");
  const [exit] = (await once(child, "close")) as [number];
  expect({ exit, stderr }).toEqual({ exit: 130, stderr: "" });
  expect(lines()[0]).toContain('"data":12345678901234567890');
  expect(lines().map((line) => (JSON.parse(line) as { topic: string }).topic)).toEqual(["api.a", "api.b"]);
  events.close();
});

test("subscribe tells once of a broken connection, and goes on after it", async () => {
  const events = openEventServer();
  const child = spawn(process.execPath, [main, "events", "subscribe", "--after", "0"], {
    env: env(events.url),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  while (events.sockets === 0) await Bun.sleep(5);
  events.publish("a");
  while (!stdout.includes('"a"')) await Bun.sleep(5);
  events.cut();
  events.publish("b");
  while (!stdout.includes('"b"')) await Bun.sleep(5);
  child.kill("SIGINT");
  await once(child, "close");
  expect(stderr).toBe("koor-cli: the connection broke: trying again\nkoor-cli: connected again\n");
  events.close();
});

test("subscribe without a server is one line and exit code 1", async () => {
  const { exit, stdout, stderr } = await shell("KOOR_SERVER=http://127.0.0.1:1 $CLI events subscribe");
  expect({ exit, stdout }).toEqual({ exit: 1, stdout: "" });
  expect(stderr).toBe(
    "koor-cli: no Koor server at http://127.0.0.1:1: is that the address, and does one run there? " +
      "KOOR_SERVER says where it is, or server in settings.json\n",
  );
});

test("a proxy for the world is not asked for this machine", async () => {
  const { stderr } = await shell(
    "HTTP_PROXY=http://127.0.0.1:1 http_proxy=http://127.0.0.1:1 $CLI state get big | wc -c",
  );
  expect(stderr).toBe("");
});
