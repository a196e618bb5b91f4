import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type TestServer, startServer } from "./harness.ts";

/** `koor-cli lease run` as a process around a process, against a real server. */

const main = join(import.meta.dir, "../src/cli/main.ts");
const cli = `${process.execPath} ${main}`;

let server: TestServer;
const children: ChildProcess[] = [];
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  for (const child of children) end(child);
  await server.dispose();
});

/** Asked, since its command is another process group, which it asks in its turn. */
function end({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  for (const signal of ["SIGTERM", "SIGCONT"] as const) process.kill(-pid, signal);
}

async function register(name: string) {
  const { body } = await server.json("/api/instances/register", {
    method: "POST",
    body: JSON.stringify({ name }),
  });
  return body as { id: string; token: string };
}

const as = ({ token }: { token: string }) => ({ "Koor-Instance-Token": token });

async function lease(who: { token: string }, body: object) {
  return server.json("/api/leases", { method: "POST", headers: as(who), body: JSON.stringify(body) });
}

/** A run of koor-cli in a process group of its own. */
function run(who: { token: string }, args: readonly string[], url = server.url) {
  return start(who, [process.execPath, main, ...args], url);
}

function start(who: { token: string }, [program = "", ...args]: readonly string[], url = server.url) {
  const child = spawn(program, args, {
    detached: true,
    env: { PATH: process.env.PATH, KOOR_SERVER: url, KOOR_INSTANCE_TOKEN: who.token },
  });
  children.push(child);
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => (output.stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (output.stderr += String(chunk)));
  const exited = once(child, "close").then(([exit]) => ({ exit: exit as number | null, ...output }));
  return { pid: child.pid as number, output, exited };
}

const held = async (path: string) => (await server.json(`/api/leases?path=${path}`)).body as any[];

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(20);
}

describe("koor-cli lease run", () => {
  test("holds the lease while the command runs, gives its exit code, and releases", async () => {
    const ada = await register("ada");
    const { exited } = run(ada, [
      "lease",
      "run",
      "one/**",
      "--note",
      "trying",
      "--ttl",
      "5s",
      "--",
      "sh",
      "-c",
      `${cli} lease list --path one/x; echo "$KOOR_FENCE"; exit 7`,
    ]);
    const { exit, stdout, stderr } = await exited;
    const [list = "", fence = ""] = stdout.split("\n");
    const [own] = JSON.parse(list);
    expect(own).toMatchObject({
      holder: "ada",
      paths: ["one/**"],
      note: "trying",
      ttl_ms: 5000,
      state: "held",
    });
    expect(fence).toBe(`${own.id}:${own.fence}`);
    expect({ exit, stderr }).toEqual({ exit: 7, stderr: "" });
    expect(await held("one/**")).toEqual([]);
  });

  test("renews the lease for as long as the command takes", async () => {
    const ada = await register("ada");
    const { exited } = run(ada, ["lease", "run", "long", "--ttl", "3s", "--", "sleep", "6.5"]);
    expect(await exited).toEqual({ exit: 0, stdout: "", stderr: "" });
  });

  test("does not run the command when the lease cannot be had, and says who has it", async () => {
    const [ada, bob] = [await register("ada"), await register("bob")];
    await lease(ada, { paths: ["two/**"], note: "the big rename" });
    const { exited } = run(bob, ["lease", "run", "two/x", "--wait", "100ms", "--", "echo", "ran"]);
    const { exit, stdout, stderr } = await exited;
    expect({ exit, stdout }).toEqual({ exit: 4, stdout: "" });
    expect(stderr).toMatch(
      /^koor-cli: the wait is over: "two\/\*\*" is held by "ada" until .*the big rename.*\n$/,
    );
  });

  test("which its own holder has, it says how to use or to end that lease, not to wait again", async () => {
    const ada = await register("ada");
    const { body } = await lease(ada, { paths: ["own/**"] });
    const { exited } = run(ada, ["lease", "run", "own/x", "--wait", "100ms", "--", "echo", "ran"]);
    const { exit, stdout, stderr } = await exited;
    expect({ exit, stdout }).toEqual({ exit: 4, stdout: "" });
    expect(stderr).toContain(`KOOR_FENCE=${body.id}:${body.fence}`);
    expect(stderr).toContain(`koor-cli lease release ${body.id}`);
    expect(stderr).not.toContain("--wait");
  });

  test("without an identity it says how to get one", async () => {
    const { exited } = run({ token: "" }, ["lease", "run", "three", "--", "echo", "ran"]);
    const { exit, stdout, stderr } = await exited;
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: "" });
    expect(stderr).toContain("koor-cli register NAME");
  });

  test("a command that cannot be run leaves no lease behind", async () => {
    const ada = await register("ada");
    for (const [program, exit] of [
      ["no-such-command-here", 127],
      ["/etc/passwd", 126],
      ["", 126],
    ] as const) {
      const { exited } = run(ada, ["lease", "run", "four", "--", program]);
      expect(await exited).toMatchObject({
        exit,
        stdout: "",
        stderr: expect.stringContaining("koor-cli: cannot run the command: "),
      });
      expect(await held("four")).toEqual([]);
    }
  });

  test("without a command, or paths, or dashes between them it says how it is used", async () => {
    const ada = await register("ada");
    for (const args of [
      ["a", "b"],
      ["a", "b", "--"],
      ["--", "a", "b"],
    ]) {
      const { exit, stderr } = await run(ada, ["lease", "run", ...args]).exited;
      expect({ exit, stderr }).toEqual({
        exit: 1,
        stderr: "koor-cli: lease run needs paths, then --, then a command: koor-cli lease --help\n",
      });
    }
  });

  test("signals go on to the command, and its end is the exit code", async () => {
    const ada = await register("ada");
    for (const [signal, exit] of [
      ["SIGTERM", 40],
      ["SIGINT", 41],
      ["SIGHUP", 42],
    ] as const) {
      const script = `trap 'exit 40' TERM; trap 'exit 41' INT; trap 'exit 42' HUP; echo up; while :; do sleep 0.05; done`;
      const { pid, output, exited } = run(ada, ["lease", "run", "five", "--", "sh", "-c", script]);
      await until(() => output.stdout === "up\n");
      process.kill(pid, signal);
      // Shells tell of the sleep that the signal ended, too.
      expect(await exited).toMatchObject({ exit, stdout: "up\n" });
    }
    const killed = run(ada, ["lease", "run", "five", "--", "sh", "-c", "kill -9 $$"]);
    expect(await killed.exited).toMatchObject({ exit: 137 });
    expect(await held("five")).toEqual([]);
  });

  test("a lost lease is said, the command is stopped, at last by force, and the exit code is 4", async () => {
    const ada = await register("ada");
    for (const trap of ["", "trap '' TERM; "]) {
      const script = `${trap}echo up; while :; do sleep 0.05; done`;
      const { output, exited } = run(ada, ["lease", "run", "six", "--ttl", "3s", "--", "sh", "-c", script]);
      await until(() => output.stdout === "up\n");
      const [{ id }] = await held("six");
      expect((await server.ask(`/api/leases/${id}`, { method: "DELETE" })).status).toBe(200);
      const { exit, stderr } = await exited;
      expect(exit).toBe(4);
      expect(stderr).toContain(
        'koor-cli: stopping the command: the lease is lost: it was released by "local" at ',
      );
    }
  });

  test("what the command has started ends with it, and nothing else does", async () => {
    const ada = await register("ada");
    // Each holds our pipe open for as long as it lives.
    const stubborn = `(trap "" TERM; while :; do sleep 0.05; done) &`;
    const script = `sleep 1000 & ${stubborn} echo up; wait`;
    const around = `sleep 1000 & ${cli} lease run seven --ttl 3s -- sh -c '${script}'; echo "exit $?"; kill $! && echo "the other lives"`;
    const { output, exited } = start(ada, ["sh", "-c", around]);
    await until(() => output.stdout === "up\n");
    const [{ id }] = await held("seven");
    await server.ask(`/api/leases/${id}`, { method: "DELETE" });
    expect((await exited).stdout).toBe("up\nexit 4\nthe other lives\n");
  });

  test("where no renewal gets through the lease counts as lost when it ends", async () => {
    const other = await startServer();
    const { body: ada } = await other.json("/api/instances/register", {
      method: "POST",
      body: '{"name":"ada"}',
    });
    const script = "echo up; while :; do sleep 0.05; done";
    const { output, exited } = run(
      ada,
      ["lease", "run", "a", "--ttl", "2s", "--", "sh", "-c", script],
      other.url,
    );
    await until(() => output.stdout === "up\n");
    await other.dispose();
    const { exit, stderr } = await exited;
    expect(exit).toBe(4);
    expect(stderr).toContain("koor-cli: stopping the command: ");
  });

  test("a holder that is paused past its TTL cannot write when it goes on, while another holds the lease (LEASE-1)", async () => {
    const [ada, bob] = [await register("ada"), await register("bob")];
    const script = `echo $$; while ${cli} state set doc --data from-ada --type text/plain; do :; done; echo refused`;
    const paused = run(ada, ["lease", "run", "src/**", "--ttl", "2s", "--", "sh", "-c", script]);
    await until(async () => (await server.ask("/api/state/doc")).status === 200);
    const [before] = await held("src/**");
    // The command is a process group of its own.
    const groups = [paused.pid, Number.parseInt(paused.output.stdout)];
    for (const group of groups) process.kill(-group, "SIGSTOP");

    const { status, body } = await lease(bob, { paths: ["src/doc.ts"], wait: "60s" });
    expect(status).toBe(200);
    expect(body.fence).toBeGreaterThan(before.fence);
    const written = await server.json("/api/state/doc", {
      method: "PUT",
      headers: { ...as(bob), "Koor-Fence": `${body.id}:${body.fence}` },
      body: "from-bob",
    });
    expect(written.status).toBe(200);

    for (const group of groups) process.kill(-group, "SIGCONT");
    const { exit, stderr } = await paused.exited;
    expect(exit).toBe(4);
    expect(stderr).toContain("lease is lost");
    const late = await server.json("/api/state/doc", {
      method: "PUT",
      headers: { ...as(ada), "Koor-Fence": `${before.id}:${before.fence}` },
      body: "from-ada",
    });
    expect(late).toMatchObject({ status: 412, body: { reason: "lease_lost" } });
    const now = await server.ask("/api/state/doc");
    expect(await now.text()).toBe("from-bob");
    expect(now.headers.get("x-koor-version")).toBe(String(written.body.version));
  });
});
