import type { Socket } from "bun";

/** A request as bytes: what no HTTP client would send, it sends as it is. */
export interface RawRequest {
  method: string;
  /** Path and query, exactly so. */
  target: string;
  headers: readonly (readonly [string, string])[];
  body: Uint8Array | undefined;
}

export interface RawAnswer {
  status: number;
  /** Names in lower case. */
  headers: ReadonlyMap<string, string>;
  /** Undefined for answers that go on and on: a socket, a stream. */
  body: string | undefined;
}

/** Longer than anything may take that is not told to wait, on a machine that is busy with something else. */
const patience = 30_000;

/** @throws Error when no whole answer comes: the server hangs, or dropped the request without a word */
export async function sendExactly(url: string, request: RawRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const answered = Promise.withResolvers<RawAnswer>();
  let received: Buffer = Buffer.alloc(0);
  let unsent: Buffer = bytesOf(request);
  const look = (ended: boolean) => {
    const answer = readAnswer(received, ended, request.method === "HEAD");
    if (answer) answered.resolve(answer);
    else if (ended)
      answered.reject(new Error(`the answer ended early: ${received.toString("latin1").slice(0, 300)}`));
  };
  const push = (socket: Socket) => {
    unsent = unsent.subarray(Math.max(0, socket.write(unsent)));
  };
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      open: push,
      drain: push,
      data(_, chunk) {
        received = Buffer.concat([received, chunk]);
        look(false);
      },
      close: () => look(true),
      error: () => look(true),
    },
  });
  const timer = setTimeout(() => answered.reject(new Error("no answer came: the server hangs")), patience);
  try {
    return await answered.promise;
  } finally {
    clearTimeout(timer);
    socket.terminate();
  }
}

function bytesOf({ method, target, headers, body }: RawRequest): Buffer {
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  if (!given.has("host")) lines.unshift("Host: localhost");
  if (!given.has("connection")) lines.push("Connection: close");
  if (body) lines.push(`Content-Length: ${body.length}`);
  // latin1, as bytes of headers are: what is UTF-8 in them comes as its bytes.
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`, "latin1");
  return Buffer.concat([head, body ?? new Uint8Array()]);
}

/** The answer as far as it has come, undefined while it is not whole. @param head it has no body, whatever its length says */
function readAnswer(bytes: Buffer, ended: boolean, head: boolean): RawAnswer | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const headers = new Map(
    lines.map((line) => [
      line.slice(0, line.indexOf(":")).toLowerCase(),
      line.slice(line.indexOf(":") + 1).trim(),
    ]),
  );
  const status = Number(first.split(" ")[1]);
  if (status === 100) return readAnswer(bytes.subarray(end + 4), ended, head);
  if (status === 101 || headers.get("content-type")?.startsWith("text/event-stream")) {
    return { status, headers, body: undefined };
  }
  const rest = bytes.subarray(end + 4);
  const length = head ? "0" : headers.get("content-length");
  if (ended || (length !== undefined && rest.length >= Number(length))) {
    return { status, headers, body: rest.toString() };
  }
  return undefined;
}
