import type { ServerWebSocket, WebSocketHandler } from "bun";
import { KoorError } from "../contract/errors.ts";
import { patternOf } from "../core/pattern.ts";
import type { Feed, Position } from "../feed/feed.ts";
import {
  type FollowersOptions,
  type Reader,
  closeCodes,
  followers,
  lastWords,
  refuseOneMore,
  watchReaders,
} from "./patience.ts";
import type { BunServer, SocketData } from "./route.ts";

/** What a client may send: a word, so a little. */
const clientFrameBytes = 64 * 1024;
/** One frame at its largest: an event of 1 MiB with a topic of control characters, each six bytes as JSON. */
const serverFrameBytes = 4 * 1024 * 1024;

export interface SubscribeQuery extends Position {
  pattern?: string;
  hello?: "1";
}

export interface Sockets {
  /** Answers a handshake; `undefined` when the socket is open. @throws KoorError before any upgrade */
  upgrade(
    request: Request,
    server: BunServer,
    feed: Feed,
    query: SubscribeQuery,
    reader: Reader,
  ): Promise<Response | undefined>;
  handler: WebSocketHandler<SocketData>;
  /** Bytes that wait in this process for their readers, over all sockets. */
  bufferedBytes(): number;
  /** Tells every subscriber that the log is another one now. */
  replaced(): void;
  /** Tells every subscriber that the server goes. */
  close(): void;
}

type Socket = ServerWebSocket<SocketData>;

/** Logs over WebSockets: each socket is a sink of a feed, which keeps its position. */
export function createSockets({ now, most = followers, onSlow }: FollowersOptions): Sockets {
  const open = new Set<Socket>();

  const stopWatching = watchReaders(open, (socket) => socket.data, sendAway, now);

  function sendAway(socket: Socket, why: "slowReader" | "loggedOut"): void {
    open.delete(socket);
    const { subscription } = socket.data;
    subscription?.close();
    if (why === "loggedOut") socket.close(closeCodes.loggedOut, "the session has ended");
    else {
      onSlow?.();
      socket.close(closeCodes.slowReader, `slow reader; go on with after=${subscription?.position ?? 0}`);
    }
    // Its buffer is full, so the close frame may never get through.
    setTimeout(() => socket.terminate(), lastWords).unref();
  }

  /** Whether the socket took it and wants more. Bun keeps what it answers -1 to, and has dropped what it answers 0 to. */
  function send(socket: Socket, frame: string): boolean {
    const sent = socket.send(frame);
    if (sent > 0) socket.data.ledger.streamed(sent);
    if (sent === 0) socket.terminate();
    return sent > 0;
  }

  return {
    async upgrade(request, server, feed, query, reader) {
      const topic = patternOf("pattern", query.pattern ?? "");
      const { epoch, last, after } = await feed.place(query);
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
        throw new KoorError("bad_request", "this route speaks WebSocket only", {
          hint: "Use koor-cli events subscribe, or follow with GET /api/events/stream, or ask GET /api/events/next?after=ID&wait=30s.",
        });
      }
      refuseOneMore(open.size, most);
      const hello = query.hello ? JSON.stringify({ hello: { epoch, last_id: last } }) : undefined;
      const upgraded = server.upgrade(request, {
        data: { ...reader, feed, after, topic, hello, subscription: undefined },
        headers: { "Koor-Epoch": epoch },
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
        const { feed, after, topic, hello } = socket.data;
        if (hello) send(socket, hello);
        socket.data.subscription = feed.subscribe({
          after,
          topic,
          sink: {
            send: (entry) => send(socket, entry.frame()),
            gap: (from, to) => send(socket, JSON.stringify({ gap: { from, to } })),
            together: (handOver) => socket.cork(handOver),
          },
        });
      },
      message(socket, word) {
        // Browsers cannot ping, and would not notice that nobody is there any more. Whoever does not listen is not answered.
        if (word === "ping" && socket.getBufferedAmount() === 0) send(socket, '{"pong":{}}');
      },
      drain(socket) {
        socket.data.subscription?.resume();
      },
      close(socket) {
        open.delete(socket);
        socket.data.subscription?.close();
      },
    },

    bufferedBytes() {
      let bytes = 0;
      for (const socket of open) bytes += socket.getBufferedAmount();
      return bytes;
    },
    replaced() {
      const reason = "a backup was restored; read the current state, then subscribe without after";
      for (const socket of open) socket.close(closeCodes.replaced, reason);
    },

    close() {
      stopWatching();
      for (const socket of open) {
        socket.close(
          closeCodes.goingAway,
          `server stops; go on with after=${socket.data.subscription?.position ?? 0}`,
        );
      }
    },
  };
}
