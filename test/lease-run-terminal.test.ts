import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestServer, startServer } from "./harness.ts";

/** `koor-cli lease run` at a terminal: a pseudo-terminal with a shell in it, as a person has it. */

const cli = `${process.execPath} ${join(import.meta.dir, "../src/cli/main.ts")}`;

let server: TestServer;
const folder = mkdtempSync(join(tmpdir(), "koor-terminal-"));
const open: Terminal[] = [];
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  for (const terminal of open) terminal.end();
  await server.dispose();
  rmSync(folder, { recursive: true, force: true });
});

interface Terminal {
  /** What was on it so far. */
  seen(): string;
  type(text: string): void;
  until(text: string): Promise<void>;
  exited: Promise<number>;
  end(): void;
}

/** A shell on a terminal of its own. @param args such as `-c SCRIPT`, or `-i` for one with job control */
async function shell(...args: string[]): Promise<Terminal> {
  const { body } = await server.json("/api/instances/register", { method: "POST", body: '{"name":"ada"}' });
  let text = "";
  const child = Bun.spawn(["sh", ...args], {
    env: { PATH: process.env.PATH, PS1: "$ ", KOOR_SERVER: server.url, KOOR_INSTANCE_TOKEN: body.token },
    terminal: {
      cols: 200,
      rows: 50,
      data(_, bytes) {
        text += new TextDecoder().decode(bytes);
      },
    },
  });
  const terminal: Terminal = {
    seen: () => text,
    type: (keys) => void child.terminal?.write(keys),
    async until(wanted) {
      while (!text.includes(wanted)) await Bun.sleep(20);
    },
    exited: child.exited,
    end() {
      child.terminal?.close();
      child.kill("SIGKILL");
    },
  };
  open.push(terminal);
  return terminal;
}

/** As one word of a shell. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

const leases = async (path: string) => (await server.json(`/api/leases?path=${path}`)).body as any[];

/** Somebody takes the lease away, as a person can. */
async function takeAway(path: string): Promise<void> {
  for (const { id } of await leases(path)) await server.ask(`/api/leases/${id}`, { method: "DELETE" });
}

const alive = (pid: number) => {
  try {
    return process.kill(pid, 0) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};
const gone = async (pid: number) => {
  while (alive(pid)) await Bun.sleep(20);
};
/** Process numbers that were written on the terminal behind a word, as in `child=123`. */
const pidsOf = (text: string, word: string) =>
  [...text.matchAll(new RegExp(`${word}=(\\d+)\r`, "g"))].map(([, pid]) => Number(pid));

describe.skipIf(process.platform !== "linux")("koor-cli lease run at a terminal", () => {
  test("stops all that the command has started when the lease is lost, and nothing else", async () => {
    const stubborn = `(trap "" TERM; while :; do sleep 0.05; done) & echo started=$!;`;
    const orphan = `sh -c "sleep 1000 & echo started=\\$!";`;
    const script = `${stubborn} ${orphan} sleep 1000 & echo started=$!; echo u""p; wait`;
    const around = `sleep 1000 & echo other=$!; ${cli} lease run all --ttl 3s -- sh -c '${script}'; echo "exit $?"; kill $! && echo "the other lives"`;
    const terminal = await shell("-c", around);
    await terminal.until("up");
    const started = pidsOf(terminal.seen(), "started");
    expect(started).toHaveLength(3);
    await takeAway("all");
    await terminal.until("koor-cli: stopping the command: the lease is lost");
    await terminal.until("exit 4\r\nthe other lives");
    await Promise.all(started.map(gone));
  });

  test("stops all of it when it is told to end itself", async () => {
    const script = `sh -c 'sleep 1000 & echo started=$!; wait' & echo started=$!; wait`;
    const around = `${cli} lease run told -- sh -c ${quoted(script)} & echo cli=$!; wait $!; echo "exit $?"`;
    const terminal = await shell("-c", around);
    const startedNow = () => pidsOf(terminal.seen(), "started");
    const cliNow = () => pidsOf(terminal.seen(), "cli");
    while (startedNow().length < 2 || cliNow().length < 1) await Bun.sleep(20);
    const started = startedNow();
    process.kill(cliNow()[0] as number, "SIGTERM");
    await terminal.until("exit 143");
    await Promise.all(started.map(gone));
    expect(await leases("told")).toEqual([]);
  });

  test("lets the command read from the terminal", async () => {
    const terminal = await shell(
      "-c",
      `${cli} lease run reads -- sh -c 'echo u""p; read word; echo "got $word"'`,
    );
    await terminal.until("up");
    terminal.type("hello\n");
    expect(await terminal.exited).toBe(0);
    await terminal.until("got hello");
  });

  test("leaves Ctrl-C to the command, which hears it once, and releases the lease", async () => {
    const script = `trap 'echo int; n=$((n+1)); [ $n = 2 ] && exit 9' INT; echo u""p; while :; do sleep 0.05; done`;
    const around = `trap : INT; ${cli} lease run keys -- sh -c ${quoted(script)}; echo "exit $?"`;
    const terminal = await shell("-c", around);
    await terminal.until("up");
    terminal.type("\u0003");
    await terminal.until("int");
    // Had it been passed on beside, there would be two by now, and an end.
    await Bun.sleep(300);
    expect(terminal.seen().match(/int\r/g)).toHaveLength(1);
    terminal.type("\u0003");
    await terminal.until("exit 9");
    expect(await leases("keys")).toEqual([]);
  });

  test("stops by Ctrl-Z with the command, and goes on with it", async () => {
    const terminal = await shell("-i");
    terminal.type(
      `${cli} lease run jobs --ttl 60s -- sh -c 'echo child=$$; echo u""p; read word; echo "got $word"'\n`,
    );
    await terminal.until("up\r");
    const [child = 0] = pidsOf(terminal.seen(), "child");
    const stateOf = () => /^State:\s+(\w)/m.exec(readFileSync(`/proc/${child}/status`, "utf8"))?.[1];
    terminal.type("\u001a");
    await terminal.until("Stopped");
    while (stateOf() !== "T") await Bun.sleep(20);
    expect(await leases("jobs")).toHaveLength(1);
    terminal.type("fg\n");
    while (stateOf() === "T") await Bun.sleep(20);
    terminal.type("again\n");
    await terminal.until("got again");
    terminal.type("echo co''de=$?; exit\n");
    await terminal.until("code=0");
    await terminal.exited;
    expect(await leases("jobs")).toEqual([]);
  });

  test("stops what was stopped by Ctrl-Z and goes on when its lease is gone", async () => {
    const terminal = await shell("-i");
    terminal.type(
      `${cli} lease run late --ttl 2s -- sh -c 'sleep 1000 & echo started=$!; echo u""p; wait'\n`,
    );
    await terminal.until("up\r");
    const [started = 0] = pidsOf(terminal.seen(), "started");
    terminal.type("\u001a");
    await terminal.until("Stopped");
    while ((await leases("late")).length > 0) await Bun.sleep(50);
    terminal.type("fg\n");
    await terminal.until("stopping the command");
    await gone(started);
    terminal.type("echo co''de=$?; exit\n");
    await terminal.until("code=4");
  });
});
