import { createHash } from "node:crypto";
import type { z } from "zod";
import { check } from "../contract/check.ts";
import { KoorError } from "../contract/errors.ts";
import type { Body, Caller, Condition, Fence, Once } from "../contract/operation.ts";
import { keepRaw } from "../contract/raw-json.ts";
import type { Position } from "../feed/feed.ts";

/** From a request to what a service takes: parameters, query, body and conditions, all checked. */

/** Path parameters as Bun gives them: each segment decoded once, dots and all. */
export type PathParams = Record<string, string>;

export interface ParamName {
  name: string;
  /** It takes the rest of the path, slashes included. */
  rest: boolean;
}

/** The parameters that a path names. */
export function paramNames(path: string): ParamName[] {
  return [...path.matchAll(/\{(\w+)(\.\.\.)?\}/g)].map(([, name = "", rest]) => ({
    name,
    rest: rest !== undefined,
  }));
}

/**
 * An operation's parameters. A `{key...}` was declared once per depth, as `key0`, `key1`, ...: joined by slashes
 * here. `.` and `..` are refused, since clients, proxies and Bun's own `request.url` rewrite such paths, and so
 * would reach another key than they name.
 */
export function readParams(names: readonly ParamName[], given: PathParams): Record<string, string> {
  const params: Record<string, string> = {};
  for (const { name, rest } of names) {
    const segments = rest ? segmentsOf(given, name) : [given[name] ?? ""];
    for (const segment of segments) {
      if (segment === "." || segment === "..") {
        throw new KoorError("bad_request", `${name} must not have "." or ".." between slashes`, {
          path: name,
          hint: "Percent-encode the slashes beside it as %2F; koor-cli does so by itself.",
        });
      }
      if (segment === "" && segments.length > 1) {
        throw new KoorError("bad_request", `${name} must not have empty parts between slashes`, {
          path: name,
          hint: "Percent-encode such slashes as %2F; koor-cli does so by itself.",
        });
      }
      // Bun puts U+FFFD for bytes that are no UTF-8, in `request.url` too: two keys would become one.
      if (segment.includes("\u{FFFD}")) {
        throw new KoorError("bad_request", `${name} is not valid percent-encoded UTF-8, or holds U+FFFD`, {
          path: name,
        });
      }
    }
    params[name] = segments.join("/");
  }
  return params;
}

/**
 * How many parts between plain slashes a key may have; deeper ones come with their slashes percent-encoded. Bun 1.4.5
 * mixes up the parameters of routes that have many: 66 were right, 100 were not.
 */
export const keyDepth = 64;

function segmentsOf(given: PathParams, name: string): string[] {
  const segments: string[] = [];
  for (let depth = 0; given[`${name}${depth}`] !== undefined; depth++)
    segments.push(given[`${name}${depth}`] as string);
  return segments;
}

/** The query as a plain object; of a name that is given twice the first counts, unknown names are nobody's business. */
export function readQuery(url: string): Record<string, string> {
  const start = url.indexOf("?");
  const query: Record<string, string> = Object.create(null) as Record<string, string>;
  if (start === -1) return query;
  for (const [name, value] of new URLSearchParams(url.slice(start))) query[name] ??= value;
  return query;
}

/**
 * Where a reader of Server-Sent Events was cut off: `EPOCH:ID` as the stream had it, or a bare id.
 * @throws KoorError `bad_request` for what is neither
 */
export function readLastEventId(headers: Headers): Position | undefined {
  const header = headers.get("last-event-id");
  if (header === null || header === "") return undefined;
  const [, epoch, id] = /^(?:(.{1,512}):)?(\d{1,15})$/.exec(header) ?? [];
  if (id === undefined) {
    throw new KoorError("bad_request", "Last-Event-ID must be EPOCH:ID, or an id alone", {
      path: "Last-Event-ID",
    });
  }
  return { after: Number(id), ...(epoch !== undefined && { epoch }) };
}

/**
 * A body as the operation wants it; without one an empty object, where no field of it is required.
 * @throws KoorError `bad_request` for what is no UTF-8, no JSON, or not of the schema
 */
export function parseBody(body: Exclude<Body, { kind: "ndjson" }>, bytes: Uint8Array): unknown {
  if (body.kind === "bytes") return bytes;
  const text = decodeUtf8(bytes);
  if (text.trim() === "") return withoutBody(body.schema);
  const value = check(body.schema, parseJson(text), "body");
  keepRaw(value, text, body.raw);
  return value;
}

function withoutBody(schema: z.ZodType): unknown {
  const { success, data } = schema.safeParse({});
  if (success) return data;
  throw new KoorError("bad_request", "empty body", { path: "body" });
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new KoorError("bad_request", "the body is not UTF-8", { path: "body" });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new KoorError("bad_request", `the body is not JSON: ${(error as Error).message}`, { path: "body" });
  }
}

/**
 * What was declared for a stored value; `curl -d` names a form unasked, and means JSON.
 *
 * @param types if any, the only ones that are taken; then it is told without parameters
 * @throws KoorError `unsupported_media_type` for others
 */
export function contentTypeOf(request: Request, types?: readonly string[]): string {
  const header = request.headers.get("content-type") ?? "";
  const type =
    header === "" || header.startsWith("application/x-www-form-urlencoded") ? "application/json" : header;
  if (types) {
    const [bare = ""] = type.toLowerCase().split(";", 1);
    const known = types.find((each) => each === bare.trim());
    if (known) return known;
    throw new KoorError("unsupported_media_type", "Content-Type is none that this takes", {
      path: "Content-Type",
      hint: `Send one of ${types.join(", ")} (koor-cli: --type).`,
    });
  }
  if (type.length <= 255) return type;
  throw new KoorError("bad_request", "Content-Type is longer than 255 bytes", { path: "Content-Type" });
}

/** The conditions that the request's headers state. */
export function readCondition(headers: Headers): Condition {
  const match = headers.get("if-match");
  const noneMatch = headers.get("if-none-match");
  const version = headers.get("x-koor-if-version");
  if (version !== null && !/^\d{1,15}$/.test(version)) {
    throw new KoorError("bad_request", "X-Koor-If-Version must be a whole number", {
      path: "X-Koor-If-Version",
    });
  }
  return {
    ...(match !== null && { match: entityTags(match, "If-Match", false) }),
    ...(noneMatch !== null && { noneMatch: entityTags(noneMatch, "If-None-Match", true) }),
    ...(version !== null && { version: Number(version) }),
  };
}

/**
 * A list of entity tags (RFC 9110, 13.1). `If-None-Match` compares weakly, so that `W/"x"` counts as `"x"`;
 * `If-Match` strongly, where a weak tag matches nothing. Tags without quotes are taken as they are: people forget them.
 */
function entityTags(header: string, name: string, weak: boolean): readonly string[] | "*" {
  if (header.trim() === "*") return "*";
  const tags: string[] = [];
  for (const part of header.split(",")) {
    const [, isWeak, quoted, bare] = /^\s*(W\/)?(?:("[^"]*")|([^\s",*]+))\s*$/.exec(part) ?? [];
    const tag = quoted ?? (bare === undefined ? undefined : `"${bare}"`);
    if (tag === undefined)
      throw new KoorError("bad_request", `${name} is no list of entity tags`, { path: name });
    if (weak || !isWeak) tags.push(tag);
  }
  return tags;
}

/**
 * What makes the request take effect once. The key is the caller's own: two instances that choose the same one, or the
 * same one for two routes, do not meet.
 * @throws KoorError `bad_request` for a key that is none
 */
export function readOnce(request: Request, caller: Caller, body: Uint8Array): Once | undefined {
  const key = request.headers.get("idempotency-key");
  if (key === null) return undefined;
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw new KoorError("bad_request", "Idempotency-Key must be 1 to 255 characters of printable ASCII", {
      path: "Idempotency-Key",
    });
  }
  const { pathname, search } = new URL(request.url);
  const type = request.headers.get("content-type") ?? "";
  return {
    key: createHash("sha256")
      .update(JSON.stringify([caller.instanceId ?? "", request.method, pathname, key]))
      .digest("hex"),
    fingerprint: createHash("sha256")
      .update(JSON.stringify([search, type]))
      .update(body)
      .digest("hex"),
  };
}

/** The lease under which the request writes. @throws KoorError `bad_request` for a header that is none */
export function readFence(headers: Headers): Fence | undefined {
  const header = headers.get("koor-fence");
  if (header === null) return undefined;
  const [, lease, fence] = /^([\w-]{1,64}):(\d{1,15})$/.exec(header.trim()) ?? [];
  if (lease === undefined) {
    throw new KoorError("bad_request", "Koor-Fence must be LEASE_ID:FENCE", {
      path: "Koor-Fence",
      hint: "Both are in the answer to koor-cli lease acquire.",
    });
  }
  return { lease, fence: Number(fence) };
}
