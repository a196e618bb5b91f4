import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Io } from "./io.ts";
import { run } from "./run.ts";

/** A run of koor-cli as its caller sees it. */
export interface Outcome {
  exit: number;
  stdout: string;
  /** As it was written, byte for byte. */
  bytes: Uint8Array;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  stdin?: string | Uint8Array;
}

/** Runs koor-cli in this process, in a directory of its own unless one is given. */
export async function runCli(
  argv: readonly string[],
  { env = {}, cwd = emptyDirectory(), stdin = "" }: RunOptions = {},
): Promise<Outcome> {
  const out: Uint8Array[] = [];
  const err: string[] = [];
  const encoder = new TextEncoder();
  const io: Io = {
    cwd,
    terminal: false,
    async out(data) {
      out.push(typeof data === "string" ? encoder.encode(data) : data);
    },
    async err(line) {
      err.push(line);
    },
    stdin: async () => (typeof stdin === "string" ? encoder.encode(stdin) : stdin),
    interrupted: () => new AbortController().signal,
  };
  const exit = await run(argv, env, io);
  const bytes = Buffer.concat(out);
  return { exit, stdout: bytes.toString(), bytes, stderr: err.join("\n") };
}

export function emptyDirectory(): string {
  return mkdtempSync(join(tmpdir(), "koor-cli-"));
}

/** A request as it came in, before any URL was parsed. */
export interface Seen {
  method: string;
  path: string;
  headers: Headers;
  body: string;
}

export interface SmallServer {
  url: string;
  /** Every request, oldest first. */
  seen: Seen[];
  close(): void;
}

/** A server that answers as it is told, and remembers what it was asked. */
export function openSmallServer(answer: (seen: Seen) => Response): SmallServer {
  const seen: Seen[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { origin } = new URL(request.url);
      const one = {
        method: request.method,
        path: request.url.slice(origin.length),
        headers: request.headers,
        body: await request.text(),
      };
      seen.push(one);
      return answer(one);
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, seen, close: () => void server.stop(true) };
}

/** A refusal as Koor sends it. */
export function refuse(status: number, body: Record<string, unknown>): Response {
  return Response.json({ code: status, ...body }, { status });
}
