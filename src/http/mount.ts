import type { BunRequest } from "bun";
import { getLogger } from "@logtape/logtape";
import { z } from "zod";
import { type Services, api } from "../contract/api.ts";
import { check } from "../contract/check.ts";
import { KoorError } from "../contract/errors.ts";
import {
  type Caller,
  type FileAnswer,
  type Input,
  type Operation,
  type StoredAnswer,
  takesTerms,
} from "../contract/operation.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import type { Feed, Position } from "../feed/feed.ts";
import type { Ledger } from "../metrics/ledger.ts";
import { prometheusText, prometheusType } from "../metrics/prometheus.ts";
import { readBody, readPieces } from "./body.ts";
import type { EventStreams } from "./event-streams.ts";
import type { Front } from "./front.ts";
import { openApiDocument } from "./openapi.ts";
import {
  contentTypeOf,
  keyDepth,
  paramNames,
  parseBody,
  readCondition,
  readFence,
  readLastEventId,
  readOnce,
  readParams,
  readQuery,
} from "./request.ts";
import { type Sent, sendError, sendFile, sendJson, sendStored, sendText } from "./response.ts";
import type { BunServer, RouteHandler } from "./route.ts";
import type { Sockets } from "./sockets.ts";

/**
 * From operations to routes: the way of every request, the same for all of them. Headers are judged first, then
 * who asks, then the body is read, checked and handed to the service.
 */

export interface MountOptions {
  services: Services;
  front: Front;
  ledger: Ledger;
  sockets: Sockets;
  streams: EventStreams;
  /** The feed of each noun that has a log. */
  feeds: Readonly<Record<string, Feed>>;
  /** Whose token this is. @throws KoorError `unknown_instance` */
  identify: (instanceToken: string) => Promise<Caller>;
}

type Handler = (input: Input<Operation>) => Promise<unknown>;

const nobody: Caller = Object.freeze({ name: "" });
const noBytes = new Uint8Array();
const inTurn = oneAtATime();
const log = getLogger(["koor", "http"]);

/** One route for each path of the contract, and for each depth of those that end in `{key...}`. */
export function mountApi(options: MountOptions): Record<string, RouteHandler> {
  const byPath = new Map<string, Map<string, RouteHandler>>();
  for (const [noun, operations] of Object.entries(api)) {
    for (const [verb, operation] of Object.entries(operations as Record<string, Operation>)) {
      const handlers = options.services[noun as keyof Services] as unknown as Record<string, Handler>;
      const methods = byPath.get(operation.path) ?? new Map<string, RouteHandler>();
      const feed = operation.positioned ? options.feeds[noun] : undefined;
      methods.set(operation.method, mountOperation(operation, handlers[verb], feed, options));
      byPath.set(operation.path, methods);
    }
  }
  const routes: Record<string, RouteHandler> = {
    "/api/openapi.json": documentRoute(options.front, openApi()),
    "/metrics": documentRoute(options.front, () => prometheus(options.services)),
  };
  for (const [path, methods] of byPath) {
    for (const route of routePaths(path)) routes[route] = byMethod(methods, options.front);
  }
  return routes;
}

/** `/a/{b}` as `/a/:b`; `/a/{b...}` as `/a/:b0`, `/a/:b0/:b1`, ...: only declared parameters keep dots as they came. */
function routePaths(path: string): string[] {
  const [, start, name] = /^(.*)\/\{(\w+)\.\.\.\}$/.exec(path) ?? [];
  if (start === undefined) return [path.replaceAll(/\{(\w+)\}/g, ":$1")];
  const paths: string[] = [];
  for (let depth = 0, route = start; depth < keyDepth; depth++) {
    route += `/:${name}${depth}`;
    paths.push(route);
  }
  return paths;
}

function byMethod(methods: ReadonlyMap<string, RouteHandler>, front: Front): RouteHandler {
  const allowed = [...methods.keys()]
    .flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]))
    .join(", ");
  return async (request, server) => {
    const handler = methods.get(request.method === "HEAD" ? "GET" : request.method);
    if (handler) return handler(request, server);
    return refuseVisitor(request, front, () => {
      throw new KoorError("method_not_allowed", `${request.method} is not allowed here`, {
        allow: allowed,
        hint: `Allowed: ${allowed}`,
      });
    });
  };
}

function mountOperation(
  operation: Operation,
  handler: Handler | undefined,
  feed: Feed | undefined,
  options: MountOptions,
): RouteHandler {
  const { front, ledger } = options;
  const noQuery: unknown = operation.query ? Object.freeze(check(operation.query, {}, "query")) : undefined;
  const names = paramNames(operation.path);
  const takesCondition = operation.conditional === true || operation.response === "bytes";
  const streams = operation.response === "ndjson" || operation.body?.kind === "ndjson";
  const writes = takesTerms(operation);
  const waits = mayWait(operation);

  async function readInput(
    request: BunRequest,
  ): Promise<{ input: Input<Operation>; bytesIn: number; release(): void }> {
    front.admit(request);
    if (!operation.open) front.authorize(request);
    const caller = operation.anonymous ? nobody : await callerOf(request, options);
    const params = operation.params ? check(operation.params, readParams(names, request.params), "path") : {};
    const query =
      operation.query && request.url.includes("?")
        ? check(operation.query, readQuery(request.url), "query")
        : noQuery;
    const condition = takesCondition ? readCondition(request.headers) : {};
    const input = {
      params,
      query,
      body: undefined as unknown,
      contentType: "",
      condition,
      caller,
    } as Input<Operation>;
    if (writes) input.fence = readFence(request.headers);
    if (!operation.body) {
      if (writes) input.once = readOnce(request, caller, noBytes);
      return { input, bytesIn: 0, release() {} };
    }
    if (operation.body.kind === "ndjson") {
      (input as { body: unknown }).body = readPieces(request, operation.body.maxBytes);
      return { input, bytesIn: 0, release() {} };
    }
    input.contentType = operation.body.kind === "bytes" ? contentTypeOf(request) : "";
    const { bytes, release } = await readBody(request, operation.body.maxBytes);
    try {
      input.body = parseBody(operation.body, bytes);
      if (writes) input.once = readOnce(request, caller, bytes);
    } catch (error) {
      release();
      throw error;
    }
    return { input, bytesIn: bytes.length, release };
  }

  async function answer(request: BunRequest, server: BunServer): Promise<Sent & { bytesIn: number }> {
    const { input, bytesIn, release } = await readInput(request);
    // It has its own patience with those who stop; Bun's ends while nobody has anything to say.
    if (streams) server.timeout(request, 0);
    try {
      if (waits) letWait(input, request, server);
      const place = feed && (await feed.place({ epoch: (input.query as Position).epoch }));
      const { once } = input;
      const handle = () => (handler as Handler)(input);
      // A request that is sent again while the first one is under way waits for it.
      const result = once ? await inTurn(once.key, handle) : await handle();
      const sent = show(result);
      if (place) {
        // What was read while another log took its place is neither's.
        await feed.place({ epoch: place.epoch });
        sent.response.headers.set("Koor-Epoch", place.epoch);
      }
      return { ...sent, bytesIn };
    } finally {
      release();
    }
  }

  function show(result: unknown): Sent {
    if (operation.response === "ndjson") return sendFile(result as FileAnswer);
    return operation.response === "bytes" ? sendStored(result as StoredAnswer) : sendJson(result);
  }

  return async (request, server) => {
    try {
      if (feed && (operation.response === "socket" || operation.response === "stream")) {
        const { input } = await readInput(request);
        return await follow(operation.response, { ...options, request, server, feed, query: input.query });
      }
      const { response, bytes, bytesIn } = await answer(request, server);
      if (!operation.unmetered) ledger.rest(bytes + bytesIn);
      return request.method === "HEAD" ? withoutBody(response, streams ? undefined : bytes) : response;
    } catch (error) {
      return refuse(request, error);
    }
  };
}

interface Following extends Pick<MountOptions, "sockets" | "streams" | "ledger"> {
  request: BunRequest;
  server: BunServer;
  feed: Feed;
  query: Position;
}

/** Opens a WebSocket or an event stream over a noun's log. */
async function follow(
  how: "socket" | "stream",
  { sockets, streams, ledger, request, server, feed, query }: Following,
): Promise<Response | undefined> {
  if (how === "socket") return sockets.upgrade(request, server, feed, query, ledger);
  // A browser that reconnects says in the header how far it got, and asks for the same address as before.
  const position = { ...query, ...readLastEventId(request.headers) };
  const response = await streams.open(request, server, feed, position, ledger);
  ledger.rest(0);
  return response;
}

/** How long a connection is kept after a wait is over, in seconds. */
const afterWait = 10;

/** A field `wait`, in the query or the body, says for how long. */
function mayWait({ query, body }: Operation): boolean {
  const fields = [query, body?.kind === "json" ? body.schema : undefined];
  return fields.some((schema) => schema instanceof z.ZodObject && "wait" in schema.shape);
}

/** Bun would cut a request that is silent for ten seconds, and tells only by the signal that the caller has gone. */
function letWait(input: Input<Operation>, request: BunRequest, server: BunServer): void {
  const { wait = 0 } = { ...(input.query as object), ...(input.body as object) } as { wait?: number };
  if (wait === 0) return;
  input.signal = request.signal;
  server.timeout(request, Math.ceil(wait / 1000) + afterWait);
}

/** A page that is no operation: `GET` of what the contract or the counters say. */
function documentRoute(front: Front, produce: () => Promise<Response>): RouteHandler {
  const show: RouteHandler = async (request) => {
    try {
      front.admit(request);
      front.authorize(request);
      return await produce();
    } catch (error) {
      return refuse(request, error);
    }
  };
  return byMethod(new Map([["GET", show]]), front);
}

/** The OpenAPI document, worked out when it is first asked for. */
function openApi(): () => Promise<Response> {
  let document: object | undefined;
  return async () => sendJson((document ??= openApiDocument())).response;
}

async function prometheus({ metrics }: Services): Promise<Response> {
  const nothing = { params: {}, query: {}, body: undefined, contentType: "", condition: {}, caller: nobody };
  return sendText(prometheusText(await metrics.read(nothing)), prometheusType);
}

/** Who asks: the instance whose own token the request carries, else nobody in particular. */
export async function callerOf(request: Request, options: Pick<MountOptions, "identify">): Promise<Caller> {
  const token = request.headers.get("koor-instance-token");
  return token === null ? nobody : options.identify(token);
}

/** Tells the caller, and the log what the caller must not know. */
export function refuse(request: Request, error: unknown): Response {
  if (!(error instanceof KoorError) && !request.signal.aborted) {
    log.error("{method} {url} failed: {error}", { method: request.method, url: pathOf(request.url), error });
  }
  return sendError(error).response;
}

/** Without the query: it may hold what does not belong into logs. */
function pathOf(url: string): string {
  return url.replace(/\?.*$/s, "").replace(/^https?:\/\/[^/]*/, "");
}

function withoutBody(response: Response, bytes: number | undefined): Response {
  void response.body?.cancel();
  const headers = new Headers(response.headers);
  if (response.status === 200 && bytes !== undefined) headers.set("Content-Length", String(bytes));
  return new Response(null, { status: response.status, headers });
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
function refuseVisitor(request: Request, front: Front, why: () => never): Response {
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
