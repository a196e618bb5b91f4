import { rmSync } from "node:fs";
import type { Socket } from "bun";
import { type ServerProcess, type Variables, startServer, temporaryFolder } from "../demo/compiled.ts";

/** Compiled servers over one database, each with nothing else in common. */
export interface Fleet {
  serve(env?: Variables): Promise<ServerProcess>;
  end(server: ServerProcess, signal: NodeJS.Signals): Promise<void>;
  /** Kills those that are left, and removes their folders. */
  close(): Promise<void>;
}

/** @param database where it is when a server is started */
export function openFleet(database: () => string): Fleet {
  const folders: string[] = [];
  const servers = new Set<ServerProcess>();

  async function end(server: ServerProcess, signal: NodeJS.Signals): Promise<void> {
    servers.delete(server);
    server.kill(signal);
    await server.exited;
  }

  return {
    end,
    async serve(env = {}) {
      const folder = temporaryFolder();
      folders.push(folder);
      const server = await startServer(folder, { env: { KOOR_DATABASE: database(), ...env } });
      servers.add(server);
      return server;
    },
    async close() {
      await Promise.all([...servers].map((server) => end(server, "SIGKILL")));
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const put = (server: ServerProcess, key: string, body: string, headers: Variables = {}) =>
  fetch(`${server.url}/api/state/${key}`, { method: "PUT", body, headers });

export async function publish(
  server: ServerProcess,
  topic: string,
  data: unknown,
  key?: string,
): Promise<number> {
  const response = await fetch(`${server.url}/api/events/publish`, {
    method: "POST",
    body: JSON.stringify({ topic, data }),
    ...(key !== undefined && { headers: { "Idempotency-Key": key } }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return ((await response.json()) as { id: number }).id;
}

/** Sends until it is answered well, as a client does that was told 503 or lost its server. */
export async function insist<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === 600) throw error;
      await Bun.sleep(50);
    }
  }
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(20);
}

export const lastId = async (server: ServerProcess) =>
  ((await (await fetch(`${server.url}/api/metrics`)).json()) as { last_event_id: number }).last_event_id;

/** A subscriber that keeps the ids it got, in the order in which they came. */
export interface Following {
  ids: number[];
  closed(): boolean;
  close(): void;
}

/** Follows all events of a server after an id, over one WebSocket that is never opened anew. */
export async function follow(url: string, after: number): Promise<Following> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/events/subscribe?after=${after}`);
  const ids: number[] = [];
  let closed = false;
  socket.onmessage = ({ data }) => ids.push((JSON.parse(String(data)) as { id: number }).id);
  socket.onclose = () => {
    closed = true;
  };
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("the WebSocket did not open"));
  });
  return { ids, closed: () => closed, close: () => socket.close() };
}

/** A way to a database that can be cut so that nobody is told: what is sent is swallowed, and no connection ends. */
export interface Way {
  url: string;
  cut(): void;
  /** Those that were cut stay silent; new connections get through. */
  mend(): void;
  close(): void;
}

interface Pair {
  other: Socket<Pair> | undefined;
  silent: boolean;
  early: Buffer[];
}

export function openWay(database: string): Way {
  const to = new URL(database);
  const pairs = new Set<Pair>();
  let isCut = false;
  const pass = (socket: Socket<Pair>, chunk: Buffer) => {
    const { other, silent, early } = socket.data;
    if (silent) return;
    // Answers of the database are small here: what does not fit into the system's buffer at once does not come.
    if (other) other.write(chunk);
    else early.push(Buffer.from(chunk));
  };
  const leave = ({ data }: Socket<Pair>) => {
    pairs.delete(data);
    if (!data.silent) data.other?.end();
  };
  const listener = Bun.listen<Pair>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      async open(socket) {
        socket.data = { other: undefined, silent: isCut, early: [] };
        pairs.add(socket.data);
        const back: Pair = { other: socket, silent: isCut, early: [] };
        pairs.add(back);
        const other = await Bun.connect<Pair>({
          hostname: to.hostname,
          port: Number(to.port),
          data: back,
          socket: { data: pass, close: leave },
        });
        socket.data.other = other;
        for (const chunk of socket.data.early.splice(0)) other.write(chunk);
      },
      data: pass,
      close: leave,
    },
  });
  const url = new URL(database);
  url.port = String(listener.port);
  return {
    url: url.href,
    cut() {
      isCut = true;
      for (const pair of pairs) pair.silent = true;
    },
    mend() {
      isCut = false;
    },
    close: () => listener.stop(true),
  };
}
