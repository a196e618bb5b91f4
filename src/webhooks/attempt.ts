import { type Resolve, call, callMs, checkedAddresses, within } from "../outbound/call.ts";
import type { TargetPolicy } from "../outbound/target.ts";
import { signedHeaders } from "./signature.ts";
import type { Webhook } from "./webhook.ts";

/** The most of a receiver's answer that is read, in bytes: only its status counts. */
const answerBytes = 16 * 1024;

export interface SenderOptions {
  policy: TargetPolicy;
  resolve: Resolve;
  /** Milliseconds since 1970. */
  now: () => number;
  /** How long an attempt may take, in milliseconds; `callMs` unless said. */
  timeoutMs?: number;
}

export interface Attempt {
  /** The receiver answered 2xx. */
  ok: boolean;
  /** The answer's status; 0: there was none. */
  code: number;
  /** Why it failed; else empty. */
  error: string;
  retryAfter: string | undefined;
}

/** Makes one attempt to deliver. @param stop ends it early; then what it came to means nothing */
export type Send = (webhook: Webhook, id: string, body: Uint8Array, stop?: AbortSignal) => Promise<Attempt>;

export function openSender({ policy, resolve, now, timeoutMs = callMs }: SenderOptions): Send {
  return async ({ url: text, secret }, id, body, stop) => {
    const url = new URL(text);
    const limit = within(timeoutMs);
    const deadline = { ...limit, signal: stop ? AbortSignal.any([limit.signal, stop]) : limit.signal };
    const addresses = await checkedAddresses(url, policy, resolve, deadline);
    if (addresses === "refused") return failed("its address is one that webhooks may not call");
    if (addresses === "unknown") return failed(`cannot find the address of ${url.hostname}`);
    const headers = {
      ...signedHeaders(id, body, secret, now()),
      "Content-Type": "application/json",
      "User-Agent": "koor-webhooks",
    };
    const path = url.pathname + url.search;
    const request = { method: "POST", path, headers, body };
    const { status, error, retryAfter } = await call(url, addresses, request, deadline, answerBytes);
    const ok = status >= 200 && status < 300;
    return { ok, code: status, error: ok ? "" : error || refusalBy(status), retryAfter };
  };
}

function refusalBy(status: number): string {
  const isRedirect = status >= 300 && status < 400;
  return `answered ${status}${isRedirect ? "; redirects are not followed" : ""}`;
}

function failed(error: string): Attempt {
  return { ok: false, code: 0, error, retryAfter: undefined };
}
