import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, readConfig } from "../src/config.ts";
import { newDatabase } from "../src/store/postgres/database-for-tests.ts";
import { type RunningServer, type ServerOptions, openServer } from "../src/server.ts";

/** `KOOR_TEST_ENGINE=postgres` runs the same tests on PostgreSQL. */
const onPostgres = process.env["KOOR_TEST_ENGINE"] === "postgres";

/** By the directory that a server would keep its data in: who starts again in one finds the same data. */
const databases = new Map<string, Awaited<ReturnType<typeof newDatabase>>>();

async function databaseFlags(directory: string): Promise<string[]> {
  if (!onPostgres) return [];
  const database = databases.get(directory) ?? (await newDatabase());
  databases.set(directory, database);
  return ["--database", database.url];
}

/** A real server in this process, on free ports, in a directory of its own. */
export interface TestServer extends RunningServer {
  directory: string;
  config: Config;
  /** Asks the API: a path, and what `fetch` takes. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  /** As `ask`, with the answer read as JSON. */
  json(path: string, init?: RequestInit): Promise<{ status: number; headers: Headers; body: any }>;
  /** Stops it and removes its directory. */
  dispose(): Promise<void>;
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), "koor-test-"));
}

/** @param flags as on the command line, on top of free ports and a new directory */
export async function startServer(
  flags: readonly string[] = [],
  options: ServerOptions & { directory?: string } = {},
): Promise<TestServer> {
  const directory = options.directory ?? temporaryDirectory();
  const standard = ["--bind", "localhost:0", "--dashboard-bind", "localhost:0", "--data-dir", directory];
  const config = readConfig([...standard, ...(await databaseFlags(directory)), ...flags], {});
  const server = await openServer(config, options);
  const ask = (path: string, init?: RequestInit) => fetch(server.url + path, init);
  return {
    ...server,
    directory,
    config,
    ask,
    async json(path, init) {
      const response = await ask(path, init);
      return { status: response.status, headers: response.headers, body: await response.json() };
    },
    async dispose() {
      await server.close();
      await databases.get(directory)?.drop();
      databases.delete(directory);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Sends bytes as they are and reads until the server closes: for what no HTTP client would send. */
export async function sendRaw(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = "";
  await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      open: (socket) => void socket.write(request),
      data: (_, chunk) => {
        answer += chunk.toString();
      },
      close: () => resolve(answer),
      error: () => resolve(answer),
    },
  });
  return promise;
}

/** A GET with the path exactly as given, which `fetch` would tidy up. */
export async function getRaw(
  url: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: any }> {
  const lines = Object.entries({ Host: "localhost", Connection: "close", ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  const answer = await sendRaw(url, `GET ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
  const [head = "", body = ""] = answer.split(/\r\n\r\n(.*)/s);
  return { status: Number(head.split(" ")[1]), body: body === "" ? undefined : JSON.parse(body) };
}

/** Follows a WebSocket: frames are read one by one, in order. */
export async function openSocket(url: string, init: { headers?: Record<string, string> } = {}) {
  const socket = new WebSocket(url.replace(/^http/, "ws"), init as never);
  const frames: string[] = [];
  const waiting: ((frame: string) => void)[] = [];
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  socket.onmessage = ({ data }) => {
    const next = waiting.shift();
    if (next) next(String(data));
    else frames.push(String(data));
  };
  socket.onclose = ({ code, reason }) => closed.resolve({ code, reason });
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("the WebSocket did not open"));
  });
  return {
    /** The next frame's text. */
    next: () =>
      frames.length > 0
        ? Promise.resolve(frames.shift() as string)
        : new Promise<string>((resolve) => waiting.push(resolve)),
    closed: closed.promise,
    close: () => socket.close(),
    send: (text: string) => socket.send(text),
  };
}
