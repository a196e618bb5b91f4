import type { Socket } from "bun";

/**
 * The ways to follow a log, as tests need them: over bare TCP, so that a reader can stop reading, be cut, and see every byte; all
 * three with one face.
 */

/** What a follower was told. */
export type Told =
  | { kind: "entry"; id: number; raw: string }
  | { kind: "gap"; from: number; to: number }
  | { kind: "close"; code: number; reason: string };

export interface FollowOptions {
  log?: "events" | "changes";
  pattern?: string;
  after?: number | undefined;
  epoch?: string | undefined;
}

export interface Follower {
  /** What comes next; undefined when the connection has ended. @throws Error when it was refused */
  next(): Promise<Told | undefined>;
  /** Stops reading from the connection. */
  pause(): void;
  resume(): void;
  /** Cuts the connection without a word. */
  cut(): void;
}

export const ways = ["socket", "stream", "next"] as const;
export type Way = (typeof ways)[number];

export function follow(way: Way, url: string, options: FollowOptions = {}): Promise<Follower> {
  return way === "next" ? Promise.resolve(followByPolls(url, options)) : followByTcp(way, url, options);
}

/** The path of a way, with its query. */
export function pathOf(way: Way, { log = "events", ...query }: FollowOptions, more = {}): string {
  const path = way === "socket" ? "subscribe" : way;
  const given = Object.entries({ ...query, ...more }).filter(([, value]) => value !== undefined);
  return `/api/${log}/${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

/** One after the other, to be taken one by one. */
function queueOf<T>() {
  const queue: T[] = [];
  let wake = () => {};
  let ended = false;
  return {
    push(item: T) {
      queue.push(item);
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    async next(): Promise<T | undefined> {
      while (queue.length === 0 && !ended) await new Promise<void>((resolve) => (wake = resolve));
      return queue.shift();
    },
  };
}

/** A GET whose answer goes on and on. @param onBody called with what has come of the body and is not taken; returns what is left */
export async function openTcp(
  url: string,
  path: string,
  headers: Record<string, string>,
  onBody: (bytes: Buffer) => Buffer,
  onEnd: () => void,
) {
  const { hostname, port } = new URL(url);
  const head = Promise.withResolvers<string>();
  let bytes: Buffer = Buffer.alloc(0);
  let started = false;
  const socket: Socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data(_, chunk) {
        bytes = bytes.length === 0 ? Buffer.from(chunk) : Buffer.concat([bytes, chunk]);
        if (!started) {
          const end = bytes.indexOf("\r\n\r\n");
          if (end === -1) return;
          started = true;
          head.resolve(bytes.subarray(0, end).toString());
          bytes = bytes.subarray(end + 4);
        }
        bytes = onBody(bytes);
      },
      close() {
        head.resolve("");
        onEnd();
      },
      error: onEnd,
    },
  });
  const lines = Object.entries({ Host: "localhost", ...headers }).map(([name, value]) => `${name}: ${value}`);
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
  return { socket, head: await head.promise };
}

const handshake = {
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};

async function followByTcp(way: "socket" | "stream", url: string, options: FollowOptions): Promise<Follower> {
  const queue = queueOf<Told>();
  const take = way === "socket" ? takeFrames : chunksOf(takeBlocks);
  const { socket, head } = await openTcp(
    url,
    pathOf(way, options),
    way === "socket" ? handshake : {},
    (bytes) => take(bytes, queue.push),
    queue.end,
  );
  if (!/^HTTP\/1.1 (101|200)/.test(head)) {
    socket.terminate();
    throw new Error(`refused: ${head.slice(0, 12) || "no answer"}`);
  }
  return {
    next: queue.next,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    cut: () => socket.terminate(),
  };
}

/** WebSocket frames as servers send them: not masked. */
function takeFrames(bytes: Buffer, push: (told: Told) => void): Buffer {
  for (;;) {
    if (bytes.length < 2) return bytes;
    const opcode = bytes[0]! & 15;
    let length = bytes[1]! & 127;
    let start = 2;
    if (length > 125) {
      start = length === 126 ? 4 : 10;
      if (bytes.length < start) return bytes;
      length = length === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    }
    if (bytes.length < start + length) return bytes;
    const payload = bytes.subarray(start, start + length);
    if (opcode === 1) push(toldOf(payload.toString()));
    if (opcode === 8)
      push({ kind: "close", code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() });
    bytes = bytes.subarray(start + length);
  }
}

function toldOf(raw: string): Told {
  const { gap, id } = JSON.parse(raw) as { gap?: { from: number; to: number }; id: number };
  return gap ? { kind: "gap", ...gap } : { kind: "entry", id, raw };
}

/** The chunks of a body that goes on (RFC 9112, 7.1), put together. */
function chunksOf(take: (bytes: Buffer, push: (told: Told) => void) => Buffer) {
  let body: Buffer = Buffer.alloc(0);
  return (bytes: Buffer, push: (told: Told) => void): Buffer => {
    for (;;) {
      const end = bytes.indexOf("\r\n");
      const length = Number.parseInt(bytes.toString("latin1", 0, end), 16);
      if (end === -1 || bytes.length < end + length + 4) return bytes;
      body = take(Buffer.concat([body, bytes.subarray(end + 2, end + 2 + length)]), push);
      bytes = bytes.subarray(end + length + 4);
    }
  };
}

/** A block of Server-Sent Events, by the rules of the HTML standard, 9.2.6. */
export interface Block {
  event: string;
  id: string | undefined;
  data: string | undefined;
  comment: boolean;
}

export function parseBlock(text: string): Block {
  const block: Block = { event: "message", id: undefined, data: undefined, comment: false };
  for (const line of text.split(/\r\n|\r|\n/)) {
    const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (line.startsWith(":")) block.comment = true;
    else if (field === "event") block.event = value;
    else if (field === "id") block.id = value;
    else if (field === "data") block.data = block.data === undefined ? value : `${block.data}\n${value}`;
  }
  return block;
}

function takeBlocks(bytes: Buffer, push: (told: Told) => void): Buffer {
  for (;;) {
    const end = bytes.indexOf("\n\n");
    if (end === -1) return bytes;
    const { event, data } = parseBlock(bytes.toString("utf8", 0, end));
    if (data !== undefined) push(event === "close" ? { kind: "close", ...JSON.parse(data) } : toldOf(data));
    bytes = bytes.subarray(end + 2);
  }
}

/** How long a follower's poll may wait. */
const pollWait = "5s";

function followByPolls(url: string, options: FollowOptions): Follower {
  const queue = queueOf<Told>();
  const gone = new AbortController();
  let { after, epoch } = options;
  let going = Promise.resolve();
  let resume = () => {};

  async function poll(): Promise<void> {
    const response = await fetch(
      url + pathOf("next", { ...options, after, epoch }, { wait: pollWait, limit: 100 }),
      {
        signal: gone.signal,
      },
    );
    const body = (await response.json()) as { events: { id: number }[]; last_id: number; oldest?: number };
    epoch = response.headers.get("koor-epoch") ?? epoch;
    if (response.ok) {
      for (const event of body.events)
        queue.push({ kind: "entry", id: event.id, raw: JSON.stringify(event) });
      after = body.last_id;
    } else if (response.status === 410 && body.oldest !== undefined && body.oldest > (after ?? 0) + 1) {
      queue.push({ kind: "gap", from: (after ?? 0) + 1, to: body.oldest - 1 });
      after = body.oldest - 1;
    } else throw new Error(`refused: ${response.status}`);
  }

  void (async () => {
    for (;;) {
      await going;
      await poll();
    }
  })().catch(queue.end);

  return {
    next: queue.next,
    pause() {
      going = new Promise((resolve) => (resume = resolve));
    },
    resume: () => resume(),
    cut: () => gone.abort(),
  };
}
