import type { Api } from "../../src/contract/api.ts";
import { reasons } from "../../src/contract/errors.ts";
import { limits } from "../../src/contract/limits.ts";
import type { Operation } from "../../src/contract/operation.ts";
import { type Field, type JsonSchema, fieldsOf, jsonSchema, shape } from "./schema.ts";
import { cell, notice, table } from "./markdown.ts";

/** docs/api.md: every operation, from the contract. */
export function apiDocs(api: Api, apiVersion: string): string {
  const nouns = Object.entries(api as Record<string, Record<string, Operation>>);
  return [
    "# The API",
    notice,
    `Version ${apiVersion} of what Koor says on the wire: ${nouns.flatMap(([, verbs]) => Object.keys(verbs)).length} operations, ` +
      "on `http://localhost:9800` unless configured otherwise. `GET /api/openapi.json` is the same for machines.",
    nouns.map(([noun]) => `[${title(noun)}](#${noun})`).join(" · "),
    everywhere,
    "## Refusals",
    'A refusal is `{"error": "...", "code": 404, "reason": "not_found"}`, with `hint` (what to do), `path` (the offending field) and `current` (the version now) where they help. ' +
      "Reasons are stable, so branch on them; sentences may change. Beside those listed with each operation, any can be refused as " +
      "`bad_request`, `unauthorized`, `unknown_instance`, `forbidden`, `method_not_allowed`, `internal` or `unavailable`.",
    table(
      ["Reason", "Status", "Exit code of koor-cli", "Meaning"],
      Object.entries(reasons).map(([reason, { status, exit, meaning }]) => [
        `\`${reason}\``,
        status,
        exit,
        cell(meaning),
      ]),
    ),
    ...nouns.flatMap(([noun, verbs]) => [
      `## ${title(noun)}`,
      ...Object.entries(verbs).flatMap(([verb, operation]) => operationDocs(`${noun}.${verb}`, operation)),
    ]),
  ].join("\n\n");
}

const everywhere = [
  "- Bodies and answers are JSON unless said; times are RFC 3339 UTC.",
  "- A server that has a token wants `Authorization: Bearer TOKEN` with every request, but for what is marked open.",
  "- `Koor-Instance-Token: TOKEN`, the token from registering, says who asks: what is written then carries that name.",
  "- `HEAD` works wherever `GET` does.",
  "- Path parameters are percent-encoded. A key's slashes may stay slashes; write `%2F` beside empty parts, `.` and `..`.",
].join("\n");

function operationDocs(id: string, operation: Operation): string[] {
  const fields = fieldsOf(operation);
  return [
    `### ${operation.summary}`,
    `\`${operation.method} ${operation.path}${operation.when ? `?${operation.when}=` : ""}\` · ${[id, ...marks(operation)].join(" · ")}`,
    ...(fields.length > 0 ? [fieldTable(fields)] : []),
    ...bodyDocs(operation),
    `Answer: ${answer(operation)}`,
    ...refusals(operation),
    `\`\`\`sh\n${curl(operation)}\n\`\`\``,
  ];
}

function marks({ open, mcp, cli }: Operation): string[] {
  return [
    ...(open ? ["open: needs no token"] : []),
    ...[cli ?? []].flat().map((line) => `koor-cli \`${commandLine(line)}\``),
    ...(mcp ? [`MCP tool \`${mcp.name}\`${mcp.full ? " (with --mcp-tools=full)" : ""}`] : []),
  ];
}

function commandLine(cli: string): string {
  return cli.replace("@body", "--file PATH | --data TEXT | -").replaceAll(/ [a-z_]+=(\w+)/g, " $1");
}

const placeNames = { params: "path", query: "query", body: "body" };

function fieldTable(fields: readonly Field[]): string {
  return table(
    ["Field", "In", "Type", ""],
    fields.map(({ name, place, schema, required }) => [
      `\`${name}\``,
      placeNames[place],
      cell(shape(schema)),
      cell(
        [required ? "Required." : "", schema.description ?? "", defaultOf(schema)].filter(Boolean).join(" "),
      ),
    ]),
  );
}

function defaultOf(schema: JsonSchema): string {
  return schema.default === undefined ? "" : `Unless said: \`${JSON.stringify(schema.default)}\`.`;
}

function bodyDocs({ body, conditional }: Operation): string[] {
  const lines: string[] = [];
  if (body?.kind === "bytes" && body.types) {
    lines.push(
      `Body: JSON as ${body.types.map((type) => `\`${type}\``).join(", ")}, at most ${size(body.maxBytes)}.`,
    );
  } else if (body?.kind === "bytes") {
    lines.push(`Body: any bytes, kept as they are, at most ${size(body.maxBytes)}.`);
  }
  if (body?.kind === "ndjson") lines.push(`Body: lines of JSON, at most ${size(body.maxBytes)}.`);
  if (body?.kind === "json") {
    const schema = jsonSchema(body.schema, "input");
    const what = schema.type === "object" ? "a JSON object of the body's fields" : `\`${shape(schema)}\``;
    const most = body.maxBytes === limits.bodyBytes ? "" : `, at most ${size(body.maxBytes)}`;
    lines.push(`Body: ${what}${most}.`);
  }
  if (conditional) {
    lines.push(
      "Conditions: `If-Match: ETAG`, `If-None-Match: *` (only if it does not exist), `X-Koor-If-Version: N` (0: only if it does not exist).",
    );
  }
  return lines;
}

function size(bytes: number): string {
  const mebibytes = bytes / 1024 / 1024;
  return mebibytes < 1024 ? `${mebibytes} MiB` : `${mebibytes / 1024} GiB`;
}

function answer({ response, positioned }: Operation): string {
  if (response === "socket")
    return 'a WebSocket. Text frames of JSON: entries of the log, and where they apply `{"hello": ...}` and `{"gap": ...}`; a text frame `ping` is answered with `{"pong":{}}`.';
  if (response === "stream")
    return 'Server-Sent Events: `id: EPOCH:ID` and `data: JSON`, which `Last-Event-ID` resumes; an event `gap` with `{"gap": {"from", "to"}}` for what is gone, and `close` with `{code, after, reason}` at the end.';
  if (response === "bytes") {
    return "the bytes as they were written, with their `Content-Type`, `ETag`, `X-Koor-Version` and `X-Koor-Hash`. With `If-None-Match: ETAG` 304 where nothing changed.";
  }
  if (response === "ndjson")
    return "lines of JSON, sent as they are made; the last one says that all have come.";
  const epoch = positioned ? ", with `Koor-Epoch`" : "";
  return `\`${shape(jsonSchema(response, "output"))}\`${epoch}`;
}

function refusals({ errors = [] }: Operation): string[] {
  if (errors.length === 0) return [];
  return [`Refused as ${errors.map((reason) => `\`${reason}\` (${reasons[reason].status})`).join(", ")}.`];
}

/** A line that works once the words in capitals are replaced. */
function curl(operation: Operation): string {
  const url = `http://localhost:9800${operation.path.replaceAll(/\{(\w+?)(?:\.\.\.)?\}/g, (_, name: string) => name.toUpperCase())}`;
  if (operation.response === "socket")
    return `koor-cli ${operation.path.split("/")[2]} subscribe 'api.*'   # ${url.replace("http", "ws")}`;
  if (operation.response === "stream") return `curl -N ${url}`;
  const method =
    operation.method === "GET" || (operation.method === "POST" && operation.body)
      ? ""
      : ` -X ${operation.method}`;
  if (operation.response === "ndjson") return `curl${method} ${url} -o FILE`;
  if (operation.when && operation.query) {
    const { [operation.when]: field = {} } = jsonSchema(operation.query, "input").properties ?? {};
    return `curl${method} '${url}?${operation.when}=${String(field.const ?? field.examples?.[0])}'`;
  }
  if (!operation.body) return `curl${method} ${url}`;
  if (operation.body.kind === "ndjson") return `curl -X ${operation.method} ${url} -T FILE`;
  if (operation.body.kind === "bytes")
    return `curl${method} ${url} --data-binary @FILE -H 'Content-Type: ${operation.body.types?.[0] ?? "application/json"}'`;
  return `curl${method} ${url} -d '${JSON.stringify(example(jsonSchema(operation.body.schema, "input")))}'`;
}

/** The least that the schema accepts; of an object without required fields its first one. */
function example(schema: JsonSchema): unknown {
  if (schema.examples) return schema.examples[0];
  const variant = schema.anyOf?.[0] ?? schema;
  if (variant.type === "array") return [example(variant.items ?? {})];
  if (variant.type !== "object") return "...";
  const entries = Object.entries(variant.properties ?? {});
  const required = entries.filter(([name]) => variant.required?.includes(name));
  return Object.fromEntries(
    (required.length > 0 ? required : entries.slice(0, 1)).map(([name, member]) => {
      const value = example(member);
      return [name, value === "..." ? name.toUpperCase() : value];
    }),
  );
}

function title(noun: string): string {
  return noun.charAt(0).toUpperCase() + noun.slice(1);
}
