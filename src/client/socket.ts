/** One WebSocket as a stream of text frames that ends, never throws, and is bounded. */

/** As much of a WebSocket as is used; Bun's and Node's take headers, browsers' do not. */
export type SocketConstructor = new (url: string, options?: { headers: Record<string, string> }) => WebSocket;

/**
 * How it ended. `refused`: it never spoke, with the handshake's HTTP status where the runtime tells; `closed`: it did,
 * and the log has the rest.
 */
export type SocketEnd = { kind: "refused"; status: number | undefined } | { kind: "closed" };

export interface SocketTimes {
  /** How long the handshake and the first frame may take, in milliseconds. */
  handshakeMs: number;
  /** How often a silent server is asked whether it is there, in milliseconds; no word until the next time: it is not. */
  pingMs: number;
}

/**
 * Text waiting for a reader that is slow. Over this the connection is given up, since WebSockets cannot be told to
 * wait: what was not read is fetched from the log later, which costs the reader nothing but the way.
 */
const queuedChars = 16 * 1024 * 1024;

interface Options extends SocketTimes {
  url: string;
  headers: Record<string, string>;
  WebSocket: SocketConstructor;
  signal: AbortSignal;
}

/** Each text frame as it came; the generator's return value is how it ended. */
export async function* socketFrames(options: Options): AsyncGenerator<string, SocketEnd> {
  const queue: string[] = [];
  let chars = 0;
  let spoke = false;
  let status: number | undefined;
  let ended = false;
  let wake = () => {};
  let socket: PingableSocket;
  try {
    socket = open(options);
  } catch {
    // A browser, asked for headers; or an address that is none of its kind.
    return { kind: "refused", status: undefined };
  }
  const end = () => {
    ended = true;
    wake();
  };
  const handshake = setTimeout(() => {
    if (!spoke) finish(socket, end);
  }, options.handshakeMs);
  const stopPinging = keepAlive(socket, options.pingMs, () => {
    finish(socket, end);
    // Nobody is left to answer the close frame.
    socket.terminate?.();
  });
  const abort = () => finish(socket, end);
  options.signal.addEventListener("abort", abort);
  socket.addEventListener("message", ({ data }: MessageEvent) => {
    if (ended || typeof data !== "string") return;
    spoke = true;
    queue.push(data);
    chars += data.length;
    if (chars > queuedChars) finish(socket, end);
    else wake();
  });
  socket.addEventListener("error", (event) => {
    status = statusOf(event);
  });
  socket.addEventListener("close", end);
  try {
    for (;;) {
      for (let frame = queue.shift(); frame !== undefined; frame = queue.shift()) {
        chars -= frame.length;
        yield frame;
      }
      if (ended) return spoke ? { kind: "closed" } : { kind: "refused", status };
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    clearTimeout(handshake);
    stopPinging();
    options.signal.removeEventListener("abort", abort);
    finish(socket, end);
  }
}

/** Bun's and the `ws` package's sockets can ping; browsers' and Node's cannot, and send the word instead. */
type PingableSocket = WebSocket & { ping?: () => void; terminate?: () => void };

function open({ url, headers, WebSocket: Constructor }: Options): PingableSocket {
  return Object.keys(headers).length > 0 ? new Constructor(url, { headers }) : new Constructor(url);
}

/** Does not wait for the other side's close frame: it may be gone, and a cable that was pulled never sends one. */
function finish(socket: PingableSocket, end: () => void): void {
  end();
  try {
    socket.close();
  } catch {
    // Not open yet, or not any more.
  }
}

/** A connection can die without a word (a laptop that slept, a router that forgot): only asking shows it. */
function keepAlive(socket: PingableSocket, everyMs: number, dead: () => void): () => void {
  let heard = true;
  const hear = () => {
    heard = true;
  };
  for (const type of ["open", "message", "ping", "pong"]) socket.addEventListener(type, hear);
  const timer = setInterval(() => {
    if (!heard) return dead();
    heard = false;
    if (socket.readyState !== 1) return;
    if (socket.ping) socket.ping();
    else socket.send("ping");
  }, everyMs);
  return () => clearInterval(timer);
}

/** Bun says the handshake's status in the error's text, and nowhere else; browsers and Node do not say it. */
function statusOf(event: Event): number | undefined {
  const [, status] = /Expected 101 status code: (\d{3})/.exec((event as ErrorEvent).message ?? "") ?? [];
  return status === undefined ? undefined : Number(status);
}
