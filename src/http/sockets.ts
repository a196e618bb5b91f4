import type { ServerWebSocket, WebSocketHandler } from "bun";
import { KoorError } from "../contract/errors.ts";
import { patternOf } from "../events/pattern.ts";
import type { Feed } from "../feed/feed.ts";
import type { Ledger } from "../metrics/ledger.ts";
import type { BunServer, SocketData } from "./route.ts";

/** Close codes of ours; 4000 to 4999 are free for applications (RFC 6455, 7.4.2). The reason says the position. */
export const closeCodes = {
  /** The reader took nothing for a minute. Reconnect with `after`. */
  slowReader: 4008,
  /** A backup was restored: positions mean nothing any more. Read the current state, then subscribe without `after`. */
  replaced: 4010,
  /** RFC 6455: the server goes away. */
  goingAway: 1001,
} as const;

/** How long a reader may take nothing before it is closed, in milliseconds. */
const patience = 60_000;
/** How often that is looked at, in milliseconds. */
const patrol = 5_000;

/** What a client may send: nothing we read, so a little. */
const clientFrameBytes = 64 * 1024;
/** One frame at its largest: an event of 1 MiB with a topic of control characters, each six bytes as JSON. */
const serverFrameBytes = 4 * 1024 * 1024;

export interface SubscribeQuery {
  pattern?: string;
  after?: number;
  epoch?: string;
  hello?: "1";
}

export interface SocketsOptions {
  feed: Feed;
  heads: () => Promise<{ epoch: string; first: number; last: number }>;
  /** Milliseconds since 1970. */
  now: () => number;
}

export interface Sockets {
  /** Answers a handshake; `undefined` when the socket is open. @throws KoorError before any upgrade */
  upgrade(
    request: Request,
    server: BunServer,
    query: SubscribeQuery,
    ledger: Ledger,
  ): Promise<Response | undefined>;
  handler: WebSocketHandler<SocketData>;
  /** Tells every subscriber that the log is another one now. */
  replaced(): void;
  /** Tells every subscriber that the server goes. */
  close(): void;
}

type Socket = ServerWebSocket<SocketData>;

/** Events over WebSockets: each socket is a sink of the feed, which keeps its position. */
export function createSockets({ feed, heads, now }: SocketsOptions): Sockets {
  const open = new Set<Socket>();

  const timer = setInterval(() => {
    for (const socket of open) {
      const { subscription } = socket.data;
      if (subscription?.blockedSince === undefined || now() - subscription.blockedSince < patience) continue;
      socket.close(closeCodes.slowReader, `slow reader; go on with after=${subscription.position}`);
      // Its buffer is full, so the close frame may never get through.
      setTimeout(() => socket.terminate(), patrol).unref();
    }
  }, patrol);
  timer.unref();

  /** Whether the socket took it and wants more. Bun keeps what it answers -1 to, and has dropped what it answers 0 to. */
  function send(socket: Socket, frame: string): boolean {
    const sent = socket.send(frame);
    if (sent > 0) socket.data.ledger.streamed(sent);
    if (sent === 0) socket.terminate();
    return sent > 0;
  }

  return {
    async upgrade(request, server, query, ledger) {
      const topic = patternOf("pattern", query.pattern ?? "");
      const { epoch, last } = await heads();
      const { after = last } = query;
      if (after > last || (query.epoch && query.epoch !== epoch)) {
        throw new KoorError("gone", `position ${after} is not of this log, which ends at ${last}`, {
          hint: "The data was restored or replaced. Read the current state, then subscribe without `after`.",
        });
      }
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
        throw new KoorError("bad_request", "this route speaks WebSocket only", {
          hint: "Use koor-cli events subscribe, or read GET /api/events/history?after=ID.",
        });
      }
      const hello = query.hello ? JSON.stringify({ hello: { epoch, last_id: last } }) : undefined;
      const upgraded = server.upgrade(request, {
        data: { after, topic, hello, ledger, subscription: undefined },
      });
      if (upgraded) return undefined;
      throw new KoorError("bad_request", "the WebSocket handshake is broken");
    },

    handler: {
      maxPayloadLength: clientFrameBytes,
      backpressureLimit: serverFrameBytes,
      closeOnBackpressureLimit: false,
      idleTimeout: 120,
      sendPings: true,
      open(socket) {
        open.add(socket);
        const { after, topic, hello } = socket.data;
        if (hello) send(socket, hello);
        socket.data.subscription = feed.subscribe({
          after,
          topic,
          sink: {
            send: (frame) => send(socket, frame),
            gap: (from, to) => send(socket, JSON.stringify({ gap: { from, to } })),
          },
        });
      },
      message() {
        // Nothing a client says here means anything.
      },
      drain(socket) {
        socket.data.subscription?.resume();
      },
      close(socket) {
        open.delete(socket);
        socket.data.subscription?.close();
      },
    },

    replaced() {
      const reason = "a backup was restored; read the current state, then subscribe without after";
      for (const socket of open) socket.close(closeCodes.replaced, reason);
    },

    close() {
      clearInterval(timer);
      for (const socket of open) {
        socket.close(
          closeCodes.goingAway,
          `server stops; go on with after=${socket.data.subscription?.position ?? 0}`,
        );
      }
    },
  };
}
