import { KoorError } from "../contract/errors.ts";

/** Bodies under way at once, in bytes. Six values of the largest size; the rest is told to come back. */
export const bodiesUnderWayBytes = 64 * 1024 * 1024;
/** Bodies up to this size, in bytes, take no room of those under way. */
const smallBodyBytes = 64 * 1024;

let underWay = 0;

/** A body that was read, and the room it holds until the request is done. */
export interface ReadBody {
  bytes: Uint8Array;
  release(): void;
}

/**
 * Reads a request's body whole, or refuses it as soon as it is known to be too large.
 * @throws KoorError `too_large`; `unavailable` while others fill the room
 */
export async function readBody(request: Request, maxBytes: number): Promise<ReadBody> {
  const declared = request.headers.get("content-length");
  const length = declared === null ? undefined : Number(declared);
  if (length !== undefined && length > maxBytes) throw tooLarge(maxBytes);
  if (length === 0 || (length === undefined && request.body === null))
    return { bytes: new Uint8Array(), release() {} };
  // With a length the server reads no further than that. Small ones pass whatever else is under way: they are bounded
  // by the number of connections, and a few clients that stall with large ones must not shut everybody out.
  if (length !== undefined && length <= smallBodyBytes) {
    return { bytes: new Uint8Array(await request.arrayBuffer()), release() {} };
  }
  const room = takeRoom();
  try {
    return { bytes: await collect(request, length, maxBytes, room), release: room.release };
  } catch (error) {
    room.release();
    throw error;
  }
}

/** How long a body that is read in pieces may stop coming, in milliseconds. */
const bodyPatienceMs = 30_000;

/**
 * A request's body piece by piece; who reads slowly is sent slowly.
 * @throws KoorError `too_large`; `bad_request` when it stops coming
 */
export async function* readPieces(request: Request, maxBytes: number): AsyncGenerator<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const reader = request.body?.getReader();
  if (!reader) return;
  try {
    for (let size = 0; ;) {
      const { value, done } = await inTime(reader.read());
      if (done) return;
      size += value.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      yield value;
    }
  } finally {
    // Whatever is left of it is not wanted.
    reader.cancel().catch(() => undefined);
  }
}

async function inTime<T>(reading: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new KoorError("bad_request", "the body stopped coming", { path: "body" })),
    bodyPatienceMs,
  );
  try {
    return await Promise.race([reading, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

interface Room {
  /** @throws KoorError `unavailable` when that much is not free; the first body of all always is let in */
  take(bytes: number): void;
  release(): void;
}

function takeRoom(): Room {
  let held = 0;
  return {
    take(bytes) {
      if (underWay > held && underWay + bytes > bodiesUnderWayBytes) {
        throw new KoorError("unavailable", "too many large bodies are under way", { retryAfter: 1 });
      }
      underWay += bytes;
      held += bytes;
    },
    release() {
      underWay -= held;
      held = 0;
    },
  };
}

/**
 * Into shared memory, which goes to the writer's worker as it is. Where its size was said, the pieces are put in place as
 * they come. Gathered at the end and copied for the worker, 10 MiB were touched anew twice at a stretch, 60 ms each on a
 * machine that is slow at giving memory; p99 of small reads beside four such writers: 150 ms then, 123 now (medians of 3).
 */
async function collect(
  request: Request,
  length: number | undefined,
  maxBytes: number,
  room: Room,
): Promise<Uint8Array> {
  const whole = length === undefined ? undefined : sharedBytes(length);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body as ReadableStream<Uint8Array>) {
    if (size + chunk.length > maxBytes) throw tooLarge(maxBytes);
    room.take(chunk.length);
    if (whole) whole.set(chunk, size);
    else chunks.push(chunk);
    size += chunk.length;
  }
  if (whole) return whole.subarray(0, size);
  const joined = sharedBytes(size);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

const sharedBytes = (length: number) => new Uint8Array(new SharedArrayBuffer(length));

function tooLarge(maxBytes: number): KoorError {
  return new KoorError("too_large", `the body is over ${maxBytes} bytes`, {
    hint: "Split it, or keep the large part elsewhere and store a reference.",
  });
}
