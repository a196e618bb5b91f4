import type { Subprocess } from "bun";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Processes and directories of a bench; `stopAll` ends and removes every one of them. */

export const root = join(import.meta.dir, "..");
const bun = process.execPath;

/** How long a server may take to listen, in milliseconds. */
const startLimit = 10_000;

const running = new Set<Subprocess>();
const directories = new Set<string>();
/** What else is stopped, by whoever started it. */
export const stoppers = new Set<() => Promise<unknown>>();

export interface Program {
  command: string[];
  /** For the report. */
  name: string;
}

/** The compiled server or CLI; from source where it was not built. */
export function program(name: "koor-server" | "koor-cli"): Program {
  const built = join(root, "dist", name);
  if (existsSync(built)) return { command: [built], name: `dist/${name}` };
  const source = name === "koor-server" ? "src/main.ts" : "src/cli/main.ts";
  return { command: [bun, join(root, source)], name: `bun ${source} (not built)` };
}

/** In the checkout, not in /tmp: that is memory on many systems, where an fsync costs nothing. */
export function temporaryDirectory(): string {
  const parent = join(root, "node_modules/.cache/koor-bench");
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(join(parent, "run-"));
  directories.add(directory);
  return directory;
}

export interface Served {
  url: string;
  pid: number;
  directory: string;
  stop(): Promise<void>;
}

/** Starts Koor's server on a free port, in a directory of its own unless one is given. */
export async function startKoor(
  directory = temporaryDirectory(),
  flags: readonly string[] = [],
): Promise<Served> {
  return start([...koorCommand("127.0.0.1:0", directory), ...flags], directory);
}

/** Milliseconds from the start of Koor's process to the first connection that it takes; ends it again. */
export async function startTimed(port: number, directory: string): Promise<number> {
  const address = `127.0.0.1:${port}`;
  const startedAt = performance.now();
  const child = spawn(koorCommand(address, directory), directory);
  void drain((child.stderr as ReadableStream<Uint8Array>).getReader());
  while (!(await accepts(port))) {
    if (child.exitCode !== null || performance.now() - startedAt > startLimit)
      throw new Error("koor-server does not start");
    await Bun.sleep(0.5);
  }
  const took = performance.now() - startedAt;
  await stop(child);
  return took;
}

async function accepts(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}

function koorCommand(bind: string, directory: string): string[] {
  return [...program("koor-server").command, "--bind", bind, "--dashboard-bind", "", "--data-dir", directory];
}

/** Starts a server of bench/, which logs `listening on URL` as Koor does. */
export async function startScript(
  file: string,
  directory: string,
  ...args: readonly string[]
): Promise<Served> {
  return start([bun, join(import.meta.dir, file), directory, ...args], directory);
}

async function start(command: string[], directory: string): Promise<Served> {
  const child = spawn(command, directory);
  // One that never says where it listens is ended, which ends the wait.
  const timer = setTimeout(() => child.kill("SIGKILL"), startLimit);
  const url = await firstUrl(child.stderr as ReadableStream<Uint8Array>, command);
  clearTimeout(timer);
  return { url, pid: child.pid, directory, stop: () => stop(child) };
}

/** In a directory of the bench's, where no settings.json is, and without the environment's KOOR_*. */
function spawn(command: string[], cwd: string): Subprocess {
  const child = Bun.spawn(command, {
    cwd,
    env: plainEnvironment(),
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  running.add(child);
  return child;
}

export function plainEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("KOOR_")));
}

async function firstUrl(stderr: ReadableStream<Uint8Array>, command: string[]): Promise<string> {
  const decoder = new TextDecoder();
  const reader = stderr.getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`${command.join(" ")} ended before it listened: ${text}`);
    text += decoder.decode(value, { stream: true });
    const [, url] = /listening on ['"]?(http:\/\/[^\s'",]+)/.exec(text) ?? [];
    if (url === undefined) continue;
    void drain(reader);
    return url;
  }
}

/** A full pipe would stop a server that logs. */
async function drain(reader: { read(): Promise<{ done: boolean }> }): Promise<void> {
  while (!(await reader.read()).done);
}

async function stop(child: Subprocess): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await child.exited;
  clearTimeout(timer);
  running.delete(child);
}

/** Runs a script of bench/ to its end in a process of its own; what it prints is JSON. */
export async function runScript<T>(file: string, args: readonly string[]): Promise<T> {
  return JSON.parse(await runCommand([bun, join(import.meta.dir, file), ...args])) as T;
}

/** A script of bench/ that runs on and is asked over IPC. */
export interface Workers {
  /** Sends a question and waits for the answer. */
  ask(question: string): Promise<unknown>;
  stop(): Promise<void>;
}

/** Starts a script of bench/ in a process of its own, and waits until it says that it is ready. */
export async function startWorkers(file: string, args: readonly string[]): Promise<Workers> {
  const answers: unknown[] = [];
  let wake = () => {};
  const child = Bun.spawn([bun, join(import.meta.dir, file), ...args], {
    cwd: root,
    env: plainEnvironment(),
    stdio: ["ignore", "ignore", "inherit"],
    ipc(message) {
      answers.push(message);
      wake();
    },
  });
  running.add(child);
  const next = async (): Promise<unknown> => {
    while (answers.length === 0) {
      if (child.exitCode !== null) throw new Error(`${file} ended with ${child.exitCode}`);
      await Promise.race([new Promise<void>((resolve) => (wake = resolve)), child.exited]);
    }
    return answers.shift();
  };
  await next();
  return {
    ask(question) {
      child.send(question);
      return next();
    },
    stop: () => stop(child),
  };
}

/** Runs a command to its end. @throws Error with its stderr when it fails */
export async function runCommand(
  command: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<string> {
  const child = Bun.spawn(command, {
    cwd: options.cwd ?? root,
    env: { ...plainEnvironment(), ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  running.add(child);
  const [out, fault, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  running.delete(child);
  if (code !== 0) throw new Error(`${command.join(" ")} exited with ${code}: ${fault || out}`);
  return out;
}

export async function stopAll(): Promise<void> {
  await Promise.all([...running].map(stop));
  await Promise.all([...stoppers].map((work) => work()));
  stoppers.clear();
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  directories.clear();
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  directories.delete(directory);
}

/** A port that was free a moment ago. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

/** Resident memory in MiB, as `ps` tells it. */
export async function residentMiB(pid: number): Promise<number> {
  return Number(await runCommand(["ps", "-o", "rss=", "-p", String(pid)])) / 1024;
}
