import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The compiled programs as processes, as a user runs them: for the demo and for the tests. */

export const root = join(import.meta.dir, "..");
export const serverProgram = join(root, "dist/koor-server");
const cliProgram = join(root, "dist/koor-cli");

/** How long a server may take until it says where it listens, in milliseconds: a slow machine's, not a goal. */
const startWithin = 20_000;

export type Variables = Record<string, string>;

export interface Exit {
  code: number;
  /** Undefined unless a signal ended it. */
  signal: string | number | undefined;
  stdout: string;
  stderr: string;
}

export interface Program {
  pid: number;
  /** Resolves when it has ended and all it said was read. */
  exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
  /** What it has said so far. */
  stderr(): string;
}

export interface ServerProcess extends Program {
  url: string;
  /** `off` when it has none. */
  dashboardUrl: string;
  /** Its working directory, where its data is. */
  folder: string;
}

export interface ServerStart {
  flags?: readonly string[];
  env?: Variables;
  /** Runs the server by another program: what comes before its flags. */
  command?: readonly string[];
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "koor-"));
}

/** Starts a program with nothing of Koor's in its environment but what is given. */
export function start(command: readonly string[], folder: string, env: Variables = {}): Program {
  const child = Bun.spawn([...command], {
    cwd: folder,
    env: { ...ownEnvironment(), ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const exited = Promise.all([child.exited, stdout.done, stderr.done]).then(([code]) => ({
    code,
    signal: child.signalCode ?? undefined,
    stdout: stdout.text(),
    stderr: stderr.text(),
  }));
  return { pid: child.pid, exited, kill: (signal) => child.kill(signal), stderr: stderr.text };
}

/** Runs a program to its end. */
export function run(command: readonly string[], folder: string, env?: Variables): Promise<Exit> {
  return start(command, folder, env).exited;
}

/**
 * Starts the compiled server in a folder, on free ports unless the flags say otherwise.
 *
 * @throws Error with what it said when it does not come up
 */
export async function startServer(
  folder: string,
  { flags = [], env, command = [serverProgram] }: ServerStart = {},
): Promise<ServerProcess> {
  const free = ["--bind", "localhost:0", "--dashboard-bind", "localhost:0"];
  const program = start([...command, ...free, ...flags], folder, env);
  const ended = program.exited.then(({ code }) => code);
  for (const end = Date.now() + startWithin; Date.now() < end;) {
    const [, url, dashboardUrl] = /listening on '([^']+)', dashboard '([^']+)'/.exec(program.stderr()) ?? [];
    if (url && dashboardUrl) return { ...program, url, dashboardUrl, folder };
    const code = await Promise.race([ended, Bun.sleep(5)]);
    if (code !== undefined) throw new Error(`the server ended with ${code}: ${program.stderr()}`);
  }
  program.kill("SIGKILL");
  throw new Error(`the server did not come up: ${program.stderr()}`);
}

/** One command of koor-cli against a server. */
export function runCli(
  server: { url: string },
  folder: string,
  args: readonly string[],
  env: Variables = {},
): Promise<Exit> {
  return run([cliProgram, ...args], folder, { KOOR_SERVER: server.url, ...env });
}

export function readSource(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

function ownEnvironment(): Variables {
  const entries = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith("KOOR_"),
  );
  return Object.fromEntries(entries);
}

function collect(stream: ReadableStream<Uint8Array>): { text: () => string; done: Promise<void> } {
  const decoder = new TextDecoder();
  let text = "";
  const read = async () => {
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  return { text: () => text, done: read() };
}
