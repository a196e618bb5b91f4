import { getLogger } from "@logtape/logtape";
import type { BunRequest } from "bun";
import type { Refusals } from "../audit/refusals.ts";
import { api } from "../contract/api.ts";
import { KoorError } from "../contract/errors.ts";
import type { Caller, Input, Operation } from "../contract/operation.ts";
import type { Front } from "./front.ts";
import { keyDepth, paramNames, readParams } from "./request.ts";
import { sendError } from "./response.ts";

/** What is told to those who do not get what they asked for. */

const log = getLogger(["koor", "http"]);

/** Tells the caller, and the log what the caller must not know. */
export function refuse(request: Request, error: unknown): Response {
  if (!(error instanceof KoorError) && !request.signal.aborted) {
    log.error("{method} {url} failed: {error}", { method: request.method, url: pathOf(request.url), error });
  }
  return sendError(error).response;
}

/** What is known of a request so far. */
export interface Seen {
  /** Absent until it is clear that the caller has a valid token, where one is asked for. */
  caller?: Caller;
  input?: Input<Operation>;
}

/** Has it noted what somebody was refused who is known here; who is not is counted. */
export async function noteRefusal(
  { audit, path }: Operation,
  { request, caller, input }: Seen & { request: BunRequest },
  error: unknown,
  refusals: Refusals,
): Promise<void> {
  if (!(error instanceof KoorError)) return;
  if (!caller && error.status === 401) refusals.countStranger();
  if (!caller || !audit) return;
  const params = input?.params ?? paramsOf(path, request);
  await refusals.note({ audit, caller, params, body: input?.body }, error);
}

/** Of a request that was refused before anybody looked at them. */
function paramsOf(path: string, { params }: BunRequest): Record<string, string> {
  try {
    return readParams(paramNames(path), params);
  } catch {
    return {};
  }
}

/** Without the query: it may hold what does not belong into logs. */
function pathOf(url: string): string {
  return url.replace(/\?.*$/s, "").replace(/^https?:\/\/[^/]*/, "");
}

/**
 * The answer where no route matched: a known path with an empty parameter is told what is missing (Bun's routes
 * do not match those), everything else that there is no such route. Never performs anything.
 */
export function noRoute(request: Request, front: Front): Response {
  return refuseVisitor(request, front, () => {
    const path = pathOf(request.url);
    for (const operations of Object.values(api)) {
      for (const operation of Object.values(operations as Record<string, Operation>)) {
        const fault = emptyParameter(operation.path, path);
        if (fault) throw fault;
      }
    }
    throw new KoorError("not_found", `no route for ${request.method} ${path.slice(0, 256)}`, {
      hint: "GET /api/openapi.json lists every route.",
    });
  });
}

/** Says what is wrong only to those who may ask here at all: which routes there are is nobody else's business. */
export function refuseVisitor(request: Request, front: Front, why: () => never): Response {
  try {
    front.admit(request);
    front.authorize(request);
    return why();
  } catch (error) {
    return refuse(request, error);
  }
}

function emptyParameter(template: string, path: string): KoorError | undefined {
  const [fixed = "", wildcard] = template.split(/\/\{\w+\.\.\.\}$/);
  if (wildcard !== undefined) {
    if (path === `${fixed}/`) return new KoorError("bad_request", "key is required", { path: "key" });
    if (!path.startsWith(`${fixed}/`)) return undefined;
    return new KoorError(
      "bad_request",
      `key has empty parts between slashes, or more than ${keyDepth} parts`,
      {
        path: "key",
        hint: "Percent-encode its slashes as %2F; koor-cli does so by itself.",
      },
    );
  }
  const parts = path.split("/");
  const wanted = template.split("/");
  if (parts.length !== wanted.length) return undefined;
  let missing: string | undefined;
  for (const [index, want] of wanted.entries()) {
    const [, name] = /^\{(\w+)\}$/.exec(want) ?? [];
    if (name === undefined ? parts[index] !== want : false) return undefined;
    if (name !== undefined && parts[index] === "") missing ??= name;
  }
  return missing === undefined
    ? undefined
    : new KoorError("bad_request", `${missing} is required`, { path: missing });
}
