import { KoorError } from "../contract/errors.ts";
import { limits } from "../contract/limits.ts";
import { type Called, type Deadline, call } from "../outbound/call.ts";
import type { FilledCall } from "./call-plan.ts";

/** Calls a running service as a contract says. */

/** The most of an answer that is read, in bytes. */
const answerBytes = limits.bodyBytes;

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

export function refusedTarget(): KoorError {
  return new KoorError("bad_request", "base_url is at an address that contract tests may not call", {
    path: "base_url",
    hint: "The server allows targets by its option --contract-targets; unless said, only this machine's own addresses.",
  });
}

/** @param addresses of the base, checked */
export function callEndpoint(
  base: URL,
  addresses: readonly string[],
  { method, path, body }: Pick<FilledCall, "method" | "path" | "body">,
  deadline: Deadline,
): Promise<Called> {
  const request = {
    method,
    path: base.pathname.replace(/\/+$/, "") + path,
    headers: {
      Accept: "application/json",
      "User-Agent": "koor-contract-test",
      ...(body !== undefined && { "Content-Type": "application/json" }),
    },
    body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
  };
  return call(base, addresses, request, deadline, answerBytes);
}
