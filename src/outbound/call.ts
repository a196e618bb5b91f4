import { type IncomingMessage, request as requestHttp } from "node:http";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import type { TargetPolicy } from "./target.ts";

/** Requests that the server itself makes, at no other address than one that was checked. */

/** How long a call may take, from the look-up of the name to the answer's last byte, in milliseconds. */
export const callMs = 10_000;

/** The addresses of a host. @throws Error when it has none */
export type Resolve = (host: string) => Promise<string[]>;

/** As this machine finds them: by its hosts file, then by DNS. */
export const resolveHost: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

/** When a call is over, whatever it has come to. */
export interface Deadline {
  signal: AbortSignal;
  ms: number;
}

export interface OutboundRequest {
  method: string;
  /** With its query. */
  path: string;
  headers: Readonly<Record<string, string>>;
  body?: Uint8Array | undefined;
}

export interface Called {
  /** 0: there was no answer. */
  status: number;
  body: Uint8Array;
  /** The answer's `Retry-After`, as it came. */
  retryAfter?: string | undefined;
  /** Why there was none, or not a whole one; else empty. */
  error: string;
}

export function unanswered(error: string): Called {
  return { status: 0, body: new Uint8Array(), error };
}

export function within(ms: number): Deadline {
  return { signal: AbortSignal.timeout(ms), ms };
}

/**
 * Looks the host up, and refuses it when one of its addresses must not be called: a name that changes its mind
 * between the check and the call (DNS rebinding) changes nothing then, since the call goes to what was checked.
 *
 * @returns `refused`: it must not be called; `unknown`: it has no address, or none in time
 */
export async function checkedAddresses(
  url: URL,
  policy: TargetPolicy,
  resolve: Resolve,
  deadline: Deadline,
): Promise<string[] | "refused" | "unknown"> {
  const host = hostOf(url);
  try {
    const addresses = isIP(host) ? [host] : await beforeEnd(deadline, resolve(host));
    return addresses.every((address) => policy.allows(host, address)) ? addresses : "refused";
  } catch {
    return "unknown";
  }
}

/** What work comes to, unless the time is up before: whether the work hears of that, and ends, is not relied upon. */
async function beforeEnd<T>({ signal }: Deadline, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const giveUp = () => late.reject(new Error("timed out"));
  signal.addEventListener("abort", giveUp, { once: true });
  if (signal.aborted) giveUp();
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

/** Without the brackets of an IPv6 address. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "");
}

/**
 * Sends the request to the first of the addresses that takes the connection. Follows no redirect. Whatever the other
 * side does, it is over by its deadline, and its connection is closed.
 *
 * @param answerBytes the most of an answer that is read; of one that is longer only the status is told
 */
export async function call(
  url: URL,
  addresses: readonly string[],
  request: OutboundRequest,
  deadline: Deadline,
  answerBytes: number,
): Promise<Called> {
  let failed = unanswered("the host has no address");
  for (const address of addresses) {
    const sent = await send(url, address, request);
    let head: Pick<Called, "status" | "retryAfter"> | undefined;
    try {
      const answer = await beforeEnd(deadline, sent.answer);
      head = headOf(answer);
      return { ...head, ...(await beforeEnd(deadline, readAnswer(answer, answerBytes))) };
    } catch (error) {
      const { code = "failed", message } = error as { code?: string; message: string };
      const why = deadline.signal.aborted
        ? `no answer within ${deadline.ms / 1000} s`
        : `no answer from ${url.host}: ${code} ${message}`.slice(0, 512);
      failed = { ...unanswered(why), ...head };
      if (head || code !== "ECONNREFUSED") break;
    } finally {
      sent.hangUp();
    }
  }
  return failed;
}

function headOf({ statusCode = 0, headers }: IncomingMessage): Pick<Called, "status" | "retryAfter"> {
  return { status: statusCode, retryAfter: headers["retry-after"] };
}

interface Sent {
  answer: Promise<IncomingMessage>;
  hangUp(): void;
}

/**
 * By `node:http` rather than `fetch`, which takes the connection of an HTTP_PROXY of the environment, and follows a
 * name where the address should count.
 */
async function send(
  url: URL,
  address: string,
  { method, path, headers, body }: OutboundRequest,
): Promise<Sent> {
  const secure = url.protocol === "https:";
  const request = secure ? (await import("node:https")).request : requestHttp;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const sent = request({
    host: address,
    port: url.port || (secure ? 443 : 80),
    path,
    method,
    agent: false,
    // The certificate is of the name, not of the address; an address is no name.
    ...(secure && isIP(hostOf(url)) === 0 && { servername: url.hostname }),
    headers: {
      Host: url.host,
      // What is not compressed cannot grow.
      "Accept-Encoding": "identity",
      ...headers,
      ...(body && { "Content-Length": String(body.length) }),
    },
  });
  sent.on("response", resolve);
  // An answer of 101 that nobody asked for: what comes behind it is no body.
  sent.on("upgrade", (answer: IncomingMessage, socket: Duplex) => {
    socket.destroy();
    answer.push(null);
    resolve(answer);
  });
  sent.on("error", reject);
  sent.end(body);
  return { answer: promise, hangUp: () => sent.destroy() };
}

async function readAnswer(
  answer: AsyncIterable<Uint8Array>,
  most: number,
): Promise<Pick<Called, "body" | "error">> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer) {
    size += chunk.length;
    if (size > most) return { body: new Uint8Array(), error: `the answer is over ${most} bytes` };
    chunks.push(chunk);
  }
  return { body: Buffer.concat(chunks), error: "" };
}
