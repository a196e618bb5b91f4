import type { BunRequest } from "bun";
import { z } from "zod";
import { type Services, api } from "../contract/api.ts";
import { check } from "../contract/check.ts";
import { KoorError } from "../contract/errors.ts";
import {
  type FileAnswer,
  type Input,
  type Operation,
  type Pages,
  type StoredAnswer,
  takesTerms,
} from "../contract/operation.ts";
import type { Refusals } from "../audit/refusals.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import type { Feed, Position } from "../feed/feed.ts";
import type { AgentCounts } from "../metrics/agents.ts";
import type { Ledger } from "../metrics/ledger.ts";
import type { Meters } from "../metrics/meters.ts";
import { prometheusType } from "../metrics/prometheus.ts";
import { readBody, readPieces } from "./body.ts";
import { type CallerOptions, callerOf, nobody } from "./caller.ts";
import type { EventStreams } from "./event-streams.ts";
import type { Front } from "./front.ts";
import { metered, noOperation } from "./metered.ts";
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
import { type Seen, noteRefusal, refuse, refuseVisitor } from "./refuse.ts";
import { tallyAnswer, tallyRefusal } from "./tally.ts";
import { type Sent, sendFile, sendJson, sendPages, sendStored, sendText, withoutBody } from "./response.ts";
import type { BunServer, RouteHandler } from "./route.ts";
import type { Sockets } from "./sockets.ts";

/**
 * From operations to routes: the way of every request, the same for all of them. Headers are judged first, then
 * who asks, then the body is read, checked and handed to the service.
 */

export interface MountOptions extends CallerOptions {
  services: Services;
  front: Front;
  ledger: Ledger;
  agents: AgentCounts;
  meters: Meters;
  /** What `GET /metrics` says. */
  exposition: () => Promise<string>;
  sockets: Sockets;
  streams: EventStreams;
  /** The feed of each noun that has a log. */
  feeds: Readonly<Record<string, Feed>>;
  /** Where what is refused to somebody who is known is noted. */
  refusals: Refusals;
}

type Handler = (input: Input<Operation>) => Promise<unknown>;

const noBytes = new Uint8Array();
const inTurn = oneAtATime();

/** One route for each path of the contract, and for each depth of those that end in `{key...}`. */
export function mountApi(options: MountOptions): Record<string, RouteHandler> {
  const byPath = new Map<string, Map<string, Form[]>>();
  for (const [noun, operations] of Object.entries(api)) {
    for (const [verb, operation] of Object.entries(operations as Record<string, Operation>)) {
      const handlers = options.services[noun as keyof Services] as unknown as Record<string, Handler>;
      const methods = byPath.get(operation.path) ?? new Map<string, Form[]>();
      const name = `${noun}.${verb}`;
      const feed = operation.positioned ? options.feeds[noun] : undefined;
      const form = {
        when: operation.when,
        handler: metered(
          name,
          mountOperation(name, operation, handlers[verb], feed, options),
          options.meters,
        ),
      };
      methods.set(operation.method, [...(methods.get(operation.method) ?? []), form]);
      byPath.set(operation.path, methods);
    }
  }
  const routes: Record<string, RouteHandler> = {
    "/api/openapi.json": documentRoute("openapi", options, openApi()),
    "/metrics": documentRoute("prometheus", options, async () =>
      sendText(await options.exposition(), prometheusType),
    ),
  };
  for (const [path, methods] of byPath) {
    const handlers = new Map([...methods].map(([method, forms]) => [method, byQuery(forms)]));
    for (const route of routePaths(path)) routes[route] = byMethod(handlers, options);
  }
  return routes;
}

/** One of the operations that share a method and a path. */
interface Form {
  when: string | undefined;
  handler: RouteHandler;
}

/** To the operation whose `when` the query has, else to the one without, else to the first, which says what it misses. */
function byQuery(forms: readonly Form[]): RouteHandler {
  const usual = forms.find(({ when }) => when === undefined) ?? forms[0]!;
  const others = forms.filter((form) => form !== usual);
  if (others.length === 0) return usual.handler;
  return (request, server) => {
    if (!request.url.includes("?")) return usual.handler(request, server);
    const query = readQuery(request.url);
    const form = others.find(({ when }) => (when as string) in query) ?? usual;
    return form.handler(request, server);
  };
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

function byMethod(
  methods: ReadonlyMap<string, RouteHandler>,
  { front, meters }: Pick<MountOptions, "front" | "meters">,
): RouteHandler {
  const allowed = [...methods.keys()]
    .flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]))
    .join(", ");
  const refused: RouteHandler = async (request) =>
    refuseVisitor(request, front, () => {
      throw new KoorError("method_not_allowed", `${request.method} is not allowed here`, {
        allow: allowed,
        hint: `Allowed: ${allowed}`,
      });
    });
  const otherwise = metered(noOperation, refused, meters);
  return (request, server) => {
    const handler = methods.get(request.method === "HEAD" ? "GET" : request.method) ?? otherwise;
    return handler(request, server);
  };
}

function mountOperation(
  name: string,
  operation: Operation,
  handler: Handler | undefined,
  feed: Feed | undefined,
  options: MountOptions,
): RouteHandler {
  const { front, ledger, agents, refusals } = options;
  const noQuery: unknown = Object.freeze(operation.query?.safeParse({}).data);
  const names = paramNames(operation.path);
  const takesCondition = operation.conditional === true || operation.response === "bytes";
  const streams = operation.response === "ndjson" || operation.body?.kind === "ndjson";
  const writes = takesTerms(operation);
  const waits = waitOf(operation);

  async function readInput(
    request: BunRequest,
    seen: Seen,
  ): Promise<{ input: Input<Operation>; bytesIn: number; release(): void }> {
    front.admit(request);
    if (!operation.open) front.authorize(request);
    if (front.guarded) seen.caller = nobody;
    const caller = operation.anonymous ? nobody : await callerOf(request, name, options);
    seen.caller = caller;
    const params = operation.params ? check(operation.params, readParams(names, request.params), "path") : {};
    const query =
      operation.query && (noQuery === undefined || request.url.includes("?"))
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
    seen.input = input;
    if (writes) input.fence = readFence(request.headers);
    if (!operation.body) {
      if (writes) input.once = readOnce(request, caller, noBytes);
      return { input, bytesIn: 0, release() {} };
    }
    if (operation.body.kind === "ndjson") {
      Object.assign(input, { body: readPieces(request, operation.body.maxBytes), signal: request.signal });
      return { input, bytesIn: 0, release() {} };
    }
    input.contentType = operation.body.kind === "bytes" ? contentTypeOf(request, operation.body.types) : "";
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

  async function answer(
    request: BunRequest,
    server: BunServer,
    seen: Seen,
  ): Promise<Sent & { bytesIn: number }> {
    const { input, bytesIn, release } = await readInput(request, seen);
    // It has its own patience with those who stop; Bun's ends while nobody has anything to say.
    server.timeout(request, streams ? 0 : answerPatience);
    try {
      if (waits) letWait(waits(input), input, request, server);
      const place = feed && (await feed.place({ epoch: (input.query as Position).epoch }));
      const { once } = input;
      const handle = () => (handler as Handler)(input);
      // A request that is sent again while the first one is under way waits for it.
      const result = once ? await inTurn(once.key, handle) : await handle();
      const sent = await show(operation, result, ledger);
      if (place) {
        // What was read while another log took its place is neither's.
        await feed.place({ epoch: place.epoch });
        sent.response.headers.set("Koor-Epoch", place.epoch);
      }
      tallyAnswer(agents, operation, seen, { bytes: sent.bytes + bytesIn, result });
      return { ...sent, bytesIn };
    } finally {
      release();
    }
  }

  return async (request, server) => {
    const seen: Seen = {};
    try {
      if (feed && (operation.response === "socket" || operation.response === "stream")) {
        const { input } = await readInput(request, seen);
        tallyAnswer(agents, operation, seen, { bytes: 0 });
        return await follow(operation.response, { ...options, request, server, feed, query: input.query });
      }
      const { response, bytes, bytesIn, goesOn = streams } = await answer(request, server, seen);
      if (!operation.unmetered) ledger.rest(bytes + bytesIn);
      return request.method === "HEAD" ? withoutBody(response, goesOn ? undefined : bytes) : response;
    } catch (error) {
      tallyRefusal(agents, operation, seen, error);
      await noteRefusal(operation, { request, ...seen }, error, refusals);
      return refuse(request, error);
    }
  };
}

function show({ response, paged }: Operation, result: unknown, ledger: Ledger): Sent | Promise<Sent> {
  if (paged) return sendPages(result as Pages<unknown[]>, ledger.streamed);
  if (response === "ndjson") return sendFile(result as FileAnswer);
  return response === "bytes" ? sendStored(result as StoredAnswer) : sendJson(result);
}

interface Following extends Pick<MountOptions, "sockets" | "streams" | "ledger" | "front"> {
  request: BunRequest;
  server: BunServer;
  feed: Feed;
  query: Position;
}

/** Opens a WebSocket or an event stream over a noun's log. */
async function follow(
  how: "socket" | "stream",
  { sockets, streams, ledger, front, request, server, feed, query }: Following,
): Promise<Response | undefined> {
  const reader = { ledger, isIn: front.lasting?.(request) };
  if (how === "socket") return sockets.upgrade(request, server, feed, query, reader);
  // A browser that reconnects says in the header how far it got, and asks for the same address as before.
  const position = { ...query, ...readLastEventId(request.headers) };
  const response = await streams.open(request, server, feed, position, reader);
  ledger.rest(0);
  return response;
}

/**
 * How long an answer may take once the request has come, in seconds. Bun would cut it after ten, without a word: that long
 * it takes until a database that is cut off is 503.
 */
const answerPatience = 60;

/** Where an operation has a field `wait`, in the query or the body: how long it lets a call wait, in milliseconds. */
function waitOf({ query, body }: Operation): ((input: Input<Operation>) => number) | undefined {
  const hasWait = (schema: unknown) => schema instanceof z.ZodObject && "wait" in schema.shape;
  const read = (part: unknown) => (part as { wait?: number }).wait ?? 0;
  if (hasWait(query)) return (input) => read(input.query);
  if (body?.kind === "json" && hasWait(body.schema)) return (input) => read(input.body);
  return undefined;
}

/** Only the signal tells that the caller has gone. */
function letWait(ms: number, input: Input<Operation>, request: BunRequest, server: BunServer): void {
  if (ms === 0) return;
  input.signal = request.signal;
  server.timeout(request, Math.ceil(ms / 1000) + answerPatience);
}

/** A page that is no operation: `GET` of what the contract or the counters say. */
function documentRoute(
  name: string,
  options: Pick<MountOptions, "front" | "meters">,
  produce: () => Promise<Response>,
): RouteHandler {
  const { front, meters } = options;
  const show: RouteHandler = async (request) => {
    try {
      front.admit(request);
      front.authorize(request);
      return await produce();
    } catch (error) {
      return refuse(request, error);
    }
  };
  return byMethod(new Map([["GET", metered(name, show, meters)]]), options);
}

/** The OpenAPI document, worked out when it is first asked for. */
function openApi(): () => Promise<Response> {
  let document: object | undefined;
  return async () => sendJson((document ??= openApiDocument())).response;
}
