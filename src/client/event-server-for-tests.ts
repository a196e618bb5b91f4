import type { Server, ServerWebSocket } from "bun";

/**
 * A log of events with both ways to follow it, that can be cut, kept from upgrading, trimmed and replaced: what a
 * subscriber meets in its life. It keeps to the wire, not to the store.
 */
export interface EventServer {
  url: string;
  /** Appends an event, and sends it to whoever listens. @param data JSON text */
  publish(topic: string, data?: string): void;
  /** Sends everything again to whoever listens, which no server should. */
  repeat(): void;
  /** Cuts every WebSocket without a word, or with a close frame. */
  cut(code?: number): void;
  /** Removes the events up to this id. */
  trim(upTo: number): void;
  /** Another log, which a restored backup would be. */
  replace(epoch: string, events: number): void;
  stop(): Promise<void>;
  start(): void;
  /** Requests by path, with WebSocket handshakes as `ws`. */
  readonly asked: string[];
  readonly sockets: number;
  /** How a handshake is answered; undefined: it passes. */
  handshake: ((request: Request) => Response | undefined) | undefined;
  /** What every other request is answered with first; undefined: what it asks for. */
  front: ((request: Request) => Response | undefined) | undefined;
  /** Whether the history names the log it is of. */
  namesEpoch: boolean;
  /** Whether it has the long poll. */
  holds: boolean;
  close(): void;
}

interface Row {
  id: number;
  topic: string;
  frame: string;
}

interface SocketData {
  pattern: string;
  after: number;
  hello: boolean;
}

type Socket = ServerWebSocket<SocketData>;

export function openEventServer(): EventServer {
  let epoch = "first";
  let rows: Row[] = [];
  let last = 0;
  const open = new Set<Socket>();
  const asked: string[] = [];
  let bun: Server<SocketData> | undefined;
  let port = 0;

  function upgrade(
    request: Request,
    server: Server<SocketData>,
    query: URLSearchParams,
  ): Response | undefined {
    asked.push("ws");
    const refused = self.handshake?.(request);
    if (refused) return refused;
    const after = Number(query.get("after") ?? last);
    if (after > last || (query.has("epoch") && query.get("epoch") !== epoch)) return refuse(410, "gone");
    const data = { after, pattern: query.get("pattern") ?? "", hello: query.has("hello") };
    return server.upgrade(request, { data }) ? undefined : refuse(400, "bad_request");
  }

  const self: EventServer = {
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    asked,
    get sockets() {
      return open.size;
    },
    handshake: undefined,
    front: undefined,
    namesEpoch: false,
    holds: false,
    publish(topic, data = "null") {
      last += 1;
      const frame = `{"id":${last},"topic":${JSON.stringify(topic)},"data":${data},"source":"","created_at":"2026-11-01T12:00:00.000Z"}`;
      rows.push({ id: last, topic, frame });
      for (const socket of open) if (matches(socket.data.pattern, topic)) socket.send(frame);
    },
    repeat() {
      for (const socket of open) for (const { frame } of rows) socket.send(frame);
    },
    cut(code) {
      for (const socket of open) {
        if (code === undefined) socket.terminate();
        else socket.close(code);
      }
    },
    trim(upTo) {
      rows = rows.filter(({ id }) => id > upTo);
    },
    replace(name, events) {
      epoch = name;
      rows = [];
      last = 0;
      for (let count = 0; count < events; count++) self.publish("restored");
    },
    start() {
      bun = Bun.serve<SocketData>({
        port,
        hostname: "127.0.0.1",
        fetch(request, server) {
          const { pathname, searchParams } = new URL(request.url);
          if (request.headers.get("upgrade") === "websocket") return upgrade(request, server, searchParams);
          asked.push(pathname);
          const refused = self.front?.(request);
          if (refused) return refused;
          if (pathname === "/api/events/next")
            return self.holds ? next(rows, searchParams, epoch, last) : refuse(404, "not_found");
          return pathname === "/api/events/history"
            ? history(rows, searchParams, self.namesEpoch ? epoch : undefined)
            : refuse(400, "bad_request");
        },
        websocket: {
          // Bun drops in silence what is over this, and a test's whole log must fit.
          backpressureLimit: 64 * 1024 * 1024,
          open(socket) {
            open.add(socket);
            greet(socket, rows, epoch, last);
          },
          message() {},
          close(socket) {
            open.delete(socket);
          },
        },
      });
      port = bun.port as number;
    },
    async stop() {
      self.cut(1001);
      await bun?.stop(true);
    },
    close: () => void bun?.stop(true),
  };
  self.start();
  return self;
}

function matches(pattern: string, topic: string): boolean {
  return pattern === "" || pattern === "*" || new Bun.Glob(pattern).match(topic);
}

function refuse(status: number, reason: string): Response {
  return Response.json({ error: `refused: ${reason}`, code: status, reason }, { status });
}

function history(rows: readonly Row[], query: URLSearchParams, epoch: string | undefined): Response {
  const after = query.get("after");
  const limit = Number(query.get("limit") ?? query.get("last") ?? 50);
  const found = rows.filter(
    ({ id, topic }) => id > Number(after ?? 0) && matches(query.get("topic") ?? "", topic),
  );
  const page = after === null ? found.toReversed().slice(0, limit) : found.slice(0, limit);
  const headers = { "Content-Type": "application/json", ...(epoch && { "Koor-Epoch": epoch }) };
  return new Response(`[${page.map(({ frame }) => frame).join(",")}]`, { headers });
}

/** The long poll, at its shortest: who waits is answered after a moment. */
async function next(
  rows: readonly Row[],
  query: URLSearchParams,
  epoch: string,
  last: number,
): Promise<Response> {
  const after = Number(query.get("after") ?? last);
  const oldest = rows[0]?.id ?? last + 1;
  if (after > last || (query.has("epoch") && query.get("epoch") !== epoch) || oldest > after + 1) {
    return Response.json({ error: "gone", code: 410, reason: "gone", oldest }, { status: 410 });
  }
  const page = rows
    .filter(({ id, topic }) => id > after && matches(query.get("pattern") ?? "", topic))
    .slice(0, Number(query.get("limit")));
  if (page.length === 0 && query.get("wait") !== "0ms") await Bun.sleep(10);
  const full = page.length === Number(query.get("limit"));
  const lastId = full ? page.at(-1)?.id : last;
  const body = `{"events":[${page.map(({ frame }) => frame).join(",")}],"last_id":${lastId}}`;
  return new Response(body, { headers: { "Content-Type": "application/json", "Koor-Epoch": epoch } });
}

/** What a new socket gets: a hello if it wants one, a gap if there is one, and what it missed. */
function greet(socket: Socket, rows: readonly Row[], epoch: string, last: number): void {
  const { after, pattern, hello } = socket.data;
  if (hello) socket.send(JSON.stringify({ hello: { epoch, last_id: last } }));
  const oldest = rows[0]?.id ?? last + 1;
  if (oldest > after + 1) socket.send(JSON.stringify({ gap: { from: after + 1, to: oldest - 1 } }));
  for (const { id, topic, frame } of rows) {
    if (id > after && matches(pattern, topic)) socket.send(frame);
  }
}
