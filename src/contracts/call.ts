import type { IncomingMessage } from "node:http";
import { KoorError } from "../contract/errors.ts";
import { limits } from "../contract/limits.ts";
import type { FilledCall } from "./call-plan.ts";
import type { TargetPolicy } from "./target.ts";

/** Calls a running service, at no other address than one that was checked. */

/** How long a call may take, from the look-up of the name to the answer's last byte, in milliseconds. */
export const callMs = 10_000;

/** The most of an answer that is read, in bytes. */
export const answerBytes = limits.bodyBytes;

export type Resolve = (host: string) => Promise<string[]>;

export interface Called {
  /** 0: there was no answer. */
  status: number;
  body: Uint8Array;
  /** Why there was none, or not a whole one; else empty. */
  error: string;
}

export function unanswered(error: string): Called {
  return { status: 0, body: new Uint8Array(), error };
}

/**
 * What a base address says.
 *
 * @throws KoorError `bad_request` for what is no http or https address
 */
export function readBase(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const wrong =
    !url || !/^https?:$/.test(url.protocol) || url.username + url.password + url.search + url.hash !== "";
  if (!wrong) return url;
  throw new KoorError(
    "bad_request",
    "base_url must be an http or https address, such as http://localhost:3000",
    {
      path: "base_url",
    },
  );
}

/**
 * Looks the host up, and refuses it when one of its addresses must not be called: a name that changes its mind
 * between the check and the call (DNS rebinding) changes nothing then, since the call goes to what was checked.
 *
 * @throws KoorError `bad_request`; nothing was called
 */
export async function allowedAddresses(base: URL, policy: TargetPolicy, resolve: Resolve): Promise<string[]> {
  const host = base.hostname.replace(/^\[|\]$/g, "");
  const addresses = await resolve(host);
  if (addresses.every((address) => policy.allows(host, address))) return addresses;
  throw new KoorError("bad_request", "base_url is at an address that contract tests may not call", {
    path: "base_url",
    hint: "The server allows targets by its option --contract-targets; unless said, only this machine's own addresses.",
  });
}

/** Sends the request to the first of the addresses that takes the connection. Follows no redirect. */
export async function call(
  base: URL,
  addresses: readonly string[],
  request: Pick<FilledCall, "method" | "path" | "body">,
  signal: AbortSignal,
): Promise<Called> {
  let failed = unanswered("the host has no address");
  for (const address of addresses) {
    try {
      return await send(base, address, request, signal);
    } catch (error) {
      const { code = "failed", message } = error as { code?: string; message: string };
      failed = unanswered(
        signal.aborted
          ? `no answer within ${callMs / 1000} s`
          : `no answer from ${base.host}: ${code} ${message}`.slice(0, 512),
      );
      if (code !== "ECONNREFUSED") break;
    }
  }
  return failed;
}

/**
 * By `node:http` rather than `fetch`, which takes the connection of an HTTP_PROXY of the environment, and follows a
 * name where the address should count.
 */
async function send(
  base: URL,
  address: string,
  { method, path, body }: Pick<FilledCall, "method" | "path" | "body">,
  signal: AbortSignal,
): Promise<Called> {
  const secure = base.protocol === "https:";
  const { request } = secure ? await import("node:https") : await import("node:http");
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const sent = request({
    host: address,
    port: base.port || (secure ? 443 : 80),
    path: base.pathname.replace(/\/+$/, "") + path,
    method,
    agent: false,
    signal,
    // The certificate is of the name, not of the address.
    ...(secure && { servername: base.hostname }),
    headers: {
      Host: base.host,
      Accept: "application/json",
      // What is not compressed cannot grow.
      "Accept-Encoding": "identity",
      "User-Agent": "koor-contract-test",
      ...(payload && { "Content-Type": "application/json", "Content-Length": String(payload.length) }),
    },
  });
  sent.on("response", resolve);
  sent.on("error", reject);
  sent.end(payload);
  const answer = await promise;
  const status = answer.statusCode ?? 0;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > answerBytes) {
      sent.destroy();
      return { status, body: new Uint8Array(), error: `the answer is over ${answerBytes} bytes` };
    }
    chunks.push(chunk);
  }
  return { status, body: Buffer.concat(chunks), error: "" };
}
