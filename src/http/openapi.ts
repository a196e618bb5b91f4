import { z } from "zod";
import { api, apiVersion } from "../contract/api.ts";
import { type Reason, reasons } from "../contract/errors.ts";
import { type Operation, takesTerms } from "../contract/operation.ts";

/** The OpenAPI 3.1 document, worked out from the contract and from nothing else. */

/** Of files of lines of JSON. */
const ndjsonType = "application/x-ndjson";

type Json = Record<string, unknown>;

/** What any operation can be refused for, and so is not said of each. */
const anywhere: readonly Reason[] = [
  "bad_request",
  "unauthorized",
  "unknown_instance",
  "forbidden",
  "unavailable",
  "internal",
];

export function openApiDocument(): Json {
  const places = new Map<string, Named[]>();
  for (const [noun, operations] of Object.entries(api)) {
    for (const [verb, operation] of Object.entries(operations as Record<string, Operation>)) {
      // OpenAPI has no parameter that spans slashes; they are percent-encoded or not, as one likes.
      const place = `${operation.method.toLowerCase()} ${operation.path.replace("...}", "}")}`;
      places.set(place, [...(places.get(place) ?? []), { noun, id: `${noun}.${verb}`, operation }]);
    }
  }
  const paths: Record<string, Json> = {};
  for (const [place, sharing] of places) {
    const [method = "", path = ""] = place.split(" ");
    (paths[path] ??= {})[method] = describeTogether(sharing);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Koor",
      version: apiVersion,
      summary: "Coordination server for AI coding agents",
      license: { name: "MIT", identifier: "MIT" },
    },
    paths,
    security: [{ bearer: [] }, {}],
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      parameters: {
        instanceToken: {
          name: "Koor-Instance-Token",
          in: "header",
          description: "An instance's own token: the caller is then that instance.",
          schema: { type: "string" },
        },
        ...conditionParameters,
        ...termParameters,
        ...streamParameters,
      },
      schemas: { Error: errorSchema },
    },
  };
}

const conditionParameters = {
  ifMatch: header("If-Match", "Only if the record has one of these entity tags; `*`: if it exists."),
  ifNoneMatch: header(
    "If-None-Match",
    "Writing: `*`, only if it does not exist. Reading: 304 for these entity tags.",
  ),
  ifVersion: header(
    "X-Koor-If-Version",
    "Only if the record has this version; 0: only if it does not exist.",
  ),
};

const termParameters = {
  idempotencyKey: header(
    "Idempotency-Key",
    "Of this caller, method and path: sent again within 24 hours, the request changes nothing and gets the same answer.",
  ),
  fence: header("Koor-Fence", "`LEASE_ID:FENCE`: only while that lease is held."),
};

const streamParameters = {
  lastEventId: header(
    "Last-Event-ID",
    "`EPOCH:ID` of the last event that came, or the bare id: goes on after it.",
  ),
};

const epochHeader = {
  "Koor-Epoch": {
    description: "The name of the log: a position goes with it as `epoch`.",
    schema: { type: "string" },
  },
};

const errorSchema = {
  type: "object",
  required: ["error", "code", "reason"],
  properties: {
    error: { type: "string", description: "What went wrong." },
    code: { type: "integer", description: "The HTTP status." },
    reason: { enum: Object.keys(reasons), description: "Stable; programs branch on it." },
    hint: { type: "string", description: "What to do next." },
    path: { type: "string", description: "The offending field." },
    current: { type: "integer", description: "The version the record has now; 0: there is none." },
    oldest: { type: "integer", description: "The oldest entry of the log that is kept." },
    blocked_by: {
      type: "array",
      items: { type: "object" },
      description: "The leases in the way; the first few.",
    },
  },
};

function header(name: string, description: string): Json {
  return { name, in: "header", description, schema: { type: "string" } };
}

interface Named {
  noun: string;
  id: string;
  operation: Operation;
}

/**
 * The operations of one method and path. OpenAPI knows only one: it has the parameters and the answers of all of them,
 * and each is described by itself in `x-koor-forms`, with the query's field that means it.
 */
function describeTogether(sharing: readonly Named[]): Json {
  const usual = sharing.find(({ operation }) => operation.when === undefined) ?? sharing[0]!;
  const others = sharing.filter((named) => named !== usual);
  const described = describe(usual);
  if (others.length === 0) return described;
  const forms = others.map((named) => ({ when: named.operation.when, ...describe(named) }));
  const all = [described, ...forms] as (Json & Described)[];
  return {
    ...described,
    description: others
      .map(({ id, operation: { when, summary } }) => `With \`${when}\` (${id}): ${summary}.`)
      .join(" "),
    parameters: distinct(all.flatMap(({ parameters }) => parameters)).map((parameter) =>
      parameter.in === "query" ? { ...parameter, required: false } : parameter,
    ),
    responses: joinResponses(all.map(({ responses }) => responses)),
    "x-koor-forms": forms,
  };
}

interface Described {
  parameters: Json[];
  responses: Record<string, Json & { content?: Json }>;
}

/** By what they are named or refer to. */
function distinct(parameters: readonly Json[]): Json[] {
  const named = parameters.map((parameter): [string, Json] => {
    const { $ref, name } = parameter as { $ref?: string; name?: string };
    return [$ref ?? `the field ${name}`, parameter];
  });
  return [...new Map(named.toReversed()).values()].toReversed();
}

/** Each status with the content of all: what comes as JSON is one of several, and any where a stored value is JSON. */
function joinResponses(all: readonly Described["responses"][]): Described["responses"] {
  const contents = all.map((responses) => responses["200"]?.content ?? {});
  const schemas = contents.flatMap((content): Json[] => {
    if ("*/*" in content) return [{ description: "The value" }];
    const { schema } = (content["application/json"] ?? {}) as { schema?: Json };
    return schema ? [schema] : [];
  });
  const joined = Object.assign({}, ...all.toReversed()) as Described["responses"];
  const content = {
    ...(Object.assign({}, ...contents) as Json),
    "application/json": { schema: { anyOf: schemas } },
  };
  return { ...joined, "200": { ...joined["200"], content } };
}

function describe({ noun, id, operation }: Named): Json {
  const reading = operation.response === "bytes";
  const conditions = operation.conditional
    ? ["ifMatch", "ifNoneMatch", "ifVersion"]
    : reading
      ? ["ifNoneMatch"]
      : [];
  const writes = takesTerms(operation);
  const terms = writes ? Object.keys(termParameters) : [];
  const position = operation.response === "stream" ? Object.keys(streamParameters) : [];
  return {
    operationId: id,
    tags: [noun],
    summary: operation.summary,
    ...(operation.open && { security: [{}] }),
    parameters: [
      ...fieldsOf(operation.params, "path"),
      ...fieldsOf(operation.query, "query"),
      ...["instanceToken", ...conditions, ...terms, ...position].map((name) => ({
        $ref: `#/components/parameters/${name}`,
      })),
    ],
    ...(operation.body && { requestBody: requestBody(operation.body) }),
    responses: { ...success(operation), ...refusals(operation, conditions.length > 0, writes) },
  };
}

function fieldsOf(schema: z.ZodObject | undefined, place: "path" | "query"): Json[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = toJsonSchema(schema, "input") as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...type }]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    ...(description !== undefined && { description }),
    schema: type,
  }));
}

function requestBody(body: NonNullable<Operation["body"]>): Json {
  const required = body.kind !== "json" || !body.schema.safeParse({}).success;
  return { required, content: contentOf(body) };
}

function contentOf(body: NonNullable<Operation["body"]>): Json {
  switch (body.kind) {
    case "bytes": {
      const description = `${body.types ? "JSON" : "Any bytes"}, at most ${body.maxBytes} bytes.`;
      const types = body.types ?? ["*/*"];
      return Object.fromEntries(types.map((type) => [type, { schema: { description } }]));
    }
    case "ndjson":
      return { [ndjsonType]: { schema: { description: `Lines of JSON, at most ${body.maxBytes} bytes.` } } };
    case "json":
      return { "application/json": { schema: toJsonSchema(body.schema, "input") } };
  }
}

function success(operation: Operation): Json {
  if (operation.response === "socket") {
    return { "101": { description: "A WebSocket; each text frame is one entry of the log as JSON." } };
  }
  if (operation.response === "stream") {
    const description =
      "Server-Sent Events; the data of each is one entry of the log as JSON, the id EPOCH:ID.";
    return { "200": { description, headers: epochHeader, content: { "text/event-stream": {} } } };
  }
  const headers = {
    ETag: { schema: { type: "string" } },
    "X-Koor-Version": { schema: { type: "integer" } },
    "X-Koor-Hash": { schema: { type: "string" } },
  };
  if (operation.response === "bytes") {
    return {
      "200": { description: "The value as it was written", headers, content: { "*/*": {} } },
      "304": { description: "You have this state of it already" },
    };
  }
  if (operation.response === "ndjson") {
    const schema = {
      description: "Lines of JSON, sent as they are made; the last one says that it is whole.",
    };
    return { "200": { description: operation.summary, content: { [ndjsonType]: { schema } } } };
  }
  const schema = toJsonSchema(operation.response, "output");
  const content = { "application/json": { schema } };
  return {
    "200": { description: operation.summary, ...(operation.positioned && { headers: epochHeader }), content },
  };
}

function refusals(operation: Operation, conditional: boolean, writes: boolean): Json {
  const own = new Set<Reason>([...anywhere, ...(operation.errors ?? [])]);
  if (conditional && operation.conditional) own.add("version_mismatch");
  if (operation.body) own.add("too_large");
  if (operation.body?.kind === "bytes" && operation.body.types) own.add("unsupported_media_type");
  if (writes) own.add("key_reused").add("lease_lost");
  const byStatus = Map.groupBy(own, (reason) => reasons[reason].status);
  const content = { "application/json": { schema: { $ref: "#/components/schemas/Error" } } };
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      String(status),
      { description: list.map((reason) => `${reason}: ${reasons[reason].meaning}`).join(" "), content },
    ]),
  );
}

/** Koor's schemas read texts and give numbers; what comes in is what the document must show. */
function toJsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any", reused: "inline" });
  return rest;
}
