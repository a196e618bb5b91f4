import type { z } from "zod";
import type { Api } from "../contract/api.ts";
import type { Condition, Operation } from "../contract/operation.ts";
import { fillPath, serverAddress } from "./address.ts";
import { ClientError, type Effect, connectionFailure, noAnswer, refusal } from "./client-error.ts";
import { durationOf } from "../contract/duration.ts";
import { limits } from "../contract/limits.ts";
import { type OperationName, operations } from "./operations.ts";

export { durationOf };

/**
 * The typed client, for Bun, Node and the browser. Types come from the contract, and nothing else does: at run time
 * there is a plain table of routes, so that a program that wants one operation does not load ninety schemas.
 */

export interface ClientOptions {
  /** Where the server is: `http://localhost:9800`. The scheme may be left out. */
  server: string;
  /** The server's token. */
  token?: string | undefined;
  /** The instance's own token: what is written then carries its name. */
  instanceToken?: string | undefined;
  /** `LEASE_ID:FENCE`: what is written is refused when that lease is lost. */
  fence?: string | undefined;
  fetch?: Fetch | undefined;
  /** How long an answer may take to begin, in milliseconds, beyond what the call lets the server wait. Unless said, a minute. */
  patienceMs?: number | undefined;
}

/** A server that works answers sooner: it gives up itself after a minute, and is away from its database after ten seconds. */
const usualPatienceMs = 60_000;
/** What a slow line carries, in bytes a millisecond: half a megabit a second. */
const slowLine = 64;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What any call can carry beside its operation's own input. */
export interface CallOptions {
  /** Entity tags are quoted, as `etag` of an answer is. */
  condition?: Condition | undefined;
  /** Of a `bytes` body. */
  contentType?: string | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  signal?: AbortSignal | undefined;
}

/** A request without types, for callers that only pass things on. */
export interface Sendable extends CallOptions {
  params?: Readonly<Record<string, string>> | undefined;
  query?: Readonly<Record<string, string | number | undefined>> | undefined;
  /** A `json` body is made JSON here; a `bytes` or `ndjson` body goes as it is. */
  body?: unknown;
  /** Only the headers of what a `GET` would answer: `storedHead` reads them. */
  head?: boolean | undefined;
  /** A `json` body whose text is there already, so that a number of twenty digits keeps them all. */
  rawBody?: string | Uint8Array | undefined;
}

type OperationOf<Name> = Name extends `${infer Noun}.${infer Verb}`
  ? Noun extends keyof Api
    ? Verb extends keyof Api[Noun]
      ? Api[Noun][Verb]
      : never
    : never
  : never;

/** Operations whose body and answer fit into memory; `subscribe` and `send` are for the others. */
export type CallName = {
  [Name in OperationName]: OperationOf<Name> extends
    | { response: "socket" | "stream" | "ndjson" }
    | { body: { kind: "ndjson" } }
    ? never
    : Name;
}[OperationName];

type In<T> = T extends z.ZodType ? z.input<T> : never;
/** A member that may be left out where everything in it may. */
type Member<Key extends string, T> = Record<string, never> extends T ? { [K in Key]?: T } : { [K in Key]: T };
type ParamsOf<O> = O extends { params: infer S } ? Member<"params", In<S>> : unknown;
type QueryOf<O> = O extends { query: infer S } ? Member<"query", In<S>> : unknown;
type BodyOf<O> = O extends { body: { kind: "json"; schema: infer S } }
  ? { body: In<S> } | { rawBody: string | Uint8Array }
  : O extends { body: { kind: "bytes" } }
    ? { body: string | Uint8Array | Blob }
    : unknown;

/** What a call of an operation takes. */
export type CallInput<Name extends CallName> = CallOptions &
  ParamsOf<OperationOf<Name>> &
  QueryOf<OperationOf<Name>> &
  BodyOf<OperationOf<Name>>;

/** A stored value. `bytes` is null when the caller has this state already (304). */
export interface StoredValue {
  bytes: Uint8Array | null;
  content_type: string;
  version: number;
  hash: string;
  etag: string;
}

/** What a call of an operation resolves to. */
export type CallAnswer<Name extends CallName> =
  OperationOf<Name> extends Operation & { response: infer R }
    ? R extends z.ZodType
      ? z.output<R>
      : StoredValue
    : never;

type CallArgs<Name extends CallName> =
  Record<string, never> extends CallInput<Name> ? [input?: CallInput<Name>] : [input: CallInput<Name>];

export interface Client {
  /** The address that requests go to, without a slash at its end. */
  readonly server: string;
  /**
   * Calls an operation and reads its answer.
   *
   * @throws ClientError for a refusal, or when there was no answer
   */
  call<Name extends CallName>(name: Name, ...args: CallArgs<Name>): Promise<CallAnswer<Name>>;
  /**
   * Sends a request and leaves its answer unread: 2xx or 304.
   *
   * @throws ClientError for anything else
   */
  send(name: OperationName, request?: Sendable): Promise<Response>;
  /** Where an operation is, with its query. */
  url(name: OperationName, request?: Sendable): string;
  /** What every request carries. */
  headers(): Record<string, string>;
}

/** @throws ClientError for an address or a token that no request can carry */
export function createClient(options: ClientOptions): Client {
  const server = serverAddress(options.server);
  const own = identityHeaders(options);
  const writing = options.fence ? { ...own, "Koor-Fence": options.fence } : own;
  const doFetch: Fetch = options.fetch ?? ((url, init) => fetch(url, init));

  const client: Client = {
    server,
    headers: () => ({ ...own }),
    url: (name, request = {}) =>
      server +
      fillPath(operations[name][1], request.params ?? {}) +
      queryOf({ ...operations[name][4], ...request.query }),

    async send(name, request = {}) {
      const url = client.url(name, request);
      const effect = effectOf(name, request);
      const init = requestInit(name, request, effect === "read" ? own : writing);
      const patience = patienceOf(name, request, init.body, options.patienceMs);
      const over = new AbortController();
      const timer = Number.isFinite(patience) ? setTimeout(() => over.abort(), patience) : undefined;
      const signal = init.signal ? AbortSignal.any([init.signal, over.signal]) : over.signal;
      const response = await doFetch(url, { ...init, signal })
        .catch((error: unknown) => {
          if (request.signal?.aborted) throw error;
          const seconds = Math.round(patience / 1000);
          throw over.signal.aborted
            ? noAnswer(`the server at ${server} has not answered for ${seconds} s`, effect, error)
            : connectionFailure(error, server, effect);
        })
        .finally(() => clearTimeout(timer));
      if (response.status === 304 || response.ok) return response;
      throw await refusal(response, server);
    },

    async call(name, ...[input]) {
      const response = await client.send(name, input);
      const answer =
        operations[name][3] === "bytes"
          ? await readStored(response, server)
          : await readJson(response, server);
      return answer as never;
    },
  };
  return client;
}

function identityHeaders({ token, instanceToken, fence }: ClientOptions): Record<string, string> {
  for (const [name, value] of Object.entries({ token, "instance token": instanceToken, fence })) {
    if (!value || /^[\x21-\x7e]+$/.test(value)) continue;
    throw new ClientError(
      `the ${name} holds a character that no header can carry: set it to printable ASCII without spaces`,
      {
        reason: "bad_request",
      },
    );
  }
  return {
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(instanceToken && { "Koor-Instance-Token": instanceToken }),
  };
}

function effectOf(name: OperationName, { headers }: Sendable): Effect {
  if (operations[name][0] === "GET") return "read";
  return headers?.["Idempotency-Key"] === undefined ? "write" : "once";
}

/** How long to wait for an answer's beginning, in milliseconds. Of a backup or a restore nobody knows. */
function patienceOf(
  name: OperationName,
  { query }: Sendable,
  body: RequestInit["body"],
  patienceMs = usualPatienceMs,
): number {
  if (operations[name][2] === "ndjson" || operations[name][3] === "ndjson") return Infinity;
  const wait = name === "leases.acquire" ? waitIn(body) : query?.["wait"];
  const waitMs = durationOf(String(wait)) ?? 0;
  return patienceMs + Math.min(waitMs, limits.waitMs) + sizeOf(body) / slowLine;
}

/** What a body says of how long to wait, if it does. */
function waitIn(body: RequestInit["body"]): unknown {
  try {
    const text = typeof body === "string" ? body : new TextDecoder().decode(body as Uint8Array);
    return (JSON.parse(text) as { wait?: unknown }).wait;
  } catch {
    return undefined;
  }
}

function sizeOf(body: RequestInit["body"]): number {
  if (typeof body === "string") return body.length;
  if (body instanceof Blob) return body.size;
  return body instanceof Uint8Array ? body.byteLength : 0;
}

function requestInit(name: OperationName, request: Sendable, own: Record<string, string>): RequestInit {
  const [method, , bodyKind] = operations[name];
  const { condition, contentType, headers, signal, head } = request;
  const type = bodyKind === "json" ? "application/json" : contentType;
  return {
    method: head ? "HEAD" : method,
    headers: sendable({
      ...own,
      ...(bodyKind !== "none" && type && { "Content-Type": type }),
      ...(condition && conditionHeaders(condition)),
      ...headers,
    }),
    ...(bodyKind !== "none" && { body: bodyOf(bodyKind, request) }),
    ...(signal && { signal }),
  };
}

/** @throws ClientError naming the header that `fetch` would not send: as it tells it, nobody could tell it from no server */
function sendable(headers: Record<string, string>): Record<string, string> {
  const bad = Object.entries(headers).find(([, value]) => /[^\t\x20-\x7e\x80-\xff]/.test(value));
  if (!bad) return headers;
  const [name] = bad;
  throw new ClientError(`${name} holds a character that no header can carry`, {
    reason: "bad_request",
    path: name,
  });
}

function bodyOf(
  kind: "json" | "bytes" | "ndjson",
  { body, rawBody }: Sendable,
): NonNullable<RequestInit["body"]> {
  if (rawBody !== undefined) return rawBody as NonNullable<RequestInit["body"]>;
  return kind === "json" ? JSON.stringify(body) : (body as NonNullable<RequestInit["body"]>);
}

function conditionHeaders({ match, noneMatch, version }: Condition): Record<string, string> {
  const list = (tags: readonly string[] | "*") => (tags === "*" ? tags : tags.join(", "));
  return {
    ...(match && { "If-Match": list(match) }),
    ...(noneMatch && { "If-None-Match": list(noneMatch) }),
    ...(version !== undefined && { "X-Koor-If-Version": String(version) }),
  };
}

function queryOf(query: Sendable["query"]): string {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined) as [
    string,
    string | number,
  ][];
  if (given.length === 0) return "";
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()}`;
}

/**
 * An answer's body. It is read whole before anything is done with it, so that half of one is never taken for one.
 *
 * @throws ClientError `no_answer` when the connection broke
 */
export async function readBytes(response: Response, server: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    if ((error as Error | undefined)?.name === "AbortError") throw error;
    throw new ClientError(`the server at ${server} broke off in the middle of its answer: try again`, {
      reason: "no_answer",
      cause: error,
    });
  }
}

/** @throws ClientError `not_koor` for an answer that cannot be Koor's: some other server listens there */
export function expectJson(response: Response, server: string): void {
  if (response.headers.get("content-type")?.includes("json")) return;
  throw new ClientError(`what answers at ${server} is not Koor: check the address, or set KOOR_SERVER`, {
    reason: "not_koor",
    status: response.status,
  });
}

async function readJson(response: Response, server: string): Promise<unknown> {
  expectJson(response, server);
  return JSON.parse(new TextDecoder().decode(await readBytes(response, server)));
}

async function readStored(response: Response, server: string): Promise<StoredValue> {
  return {
    bytes: response.status === 304 ? null : await readBytes(response, server),
    ...storedHead(response),
  };
}

/** What the headers say of a stored value. */
export function storedHead({ headers }: Response): Omit<StoredValue, "bytes"> {
  return {
    content_type: headers.get("content-type") ?? "",
    version: Number(headers.get("x-koor-version") ?? 0),
    hash: headers.get("x-koor-hash") ?? "",
    etag: headers.get("etag") ?? "",
  };
}
