import { z } from "zod";
import type { KoorError, Reason } from "./errors.ts";
import { limits } from "./limits.ts";

export type Method = "GET" | "PUT" | "POST" | "PATCH" | "DELETE";

/**
 * What a request carries. `bytes` is kept as it came in, and refused where it is of none of `types`, if there are any;
 * `json` is parsed and checked against its schema; `ndjson` is handed on piece by piece, unread: lines of JSON, too many
 * for memory. `raw` names members of a JSON body that are passed on as the text that came in (`RawJson`), so that a number
 * of twenty digits keeps them all: `data`, `do.*.put.value`.
 */
export type Body =
  | { kind: "json"; schema: z.ZodType; maxBytes: number; raw: readonly string[] }
  | { kind: "bytes"; maxBytes: number; types?: readonly string[] }
  | { kind: "ndjson"; maxBytes: number };

/** How an operation appears as an MCP tool. The mapping is here because REST and tool shapes differ. */
export interface McpTool {
  name: string;
  description: string;
  /** The tool's arguments: flat, few, texts. */
  input: z.ZodObject;
  /** Only with `--mcp-tools=full`. */
  full?: boolean;
  readOnly?: boolean;
  /** The tool's arguments as this operation's input. */
  request: (args: Record<string, string | undefined>) => {
    params?: unknown;
    query?: unknown;
    body?: unknown;
  };
  /** This operation's answer as what the model needs for its next step, and no more. */
  answer: (body: never) => unknown;
}

/**
 * One thing that Koor can do, declared once. REST, OpenAPI, MCP, CLI, the client and the docs follow from it.
 *
 * `path` names its parameters in braces; `{key...}` at the end takes the rest of the path, slashes included.
 * `cli` is a usage line such as `specs get PROJECT/NAME` or `register NAME --workspace W`: words in capitals
 * and flags name the parameter, query or body field of the same name in lower case; the last word in brackets, as in
 * `rules list [PROJECT]`, may be left out; `@body` says that the request's body comes from `--file PATH`, `--data TEXT`
 * or standard input. A flag's value may name another field: `--version rollback=N`; flags that name the same one are its
 * parts, joined by commas. Several lines: it goes by several names.
 */
export interface Operation {
  method: Method;
  path: string;
  /**
   * Tells operations of one method and path apart: this one is meant where the query has this field. One without it is
   * meant by all else. A field that can only have one value, as `history=1`, is set by the client itself.
   */
  when?: string;
  summary: string;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: Body;
  /**
   * The JSON that comes back; `"bytes"`: a stored value with its own content type; `"ndjson"`: a file of lines of JSON, as it is
   * made; `"socket"`: an upgrade, and `"stream"`: Server-Sent Events, both of the noun's log.
   */
  response: z.ZodType | "bytes" | "ndjson" | "socket" | "stream";
  /** Its answer is a list without a bound, which the service gives page by page. */
  paged?: boolean;
  /** Speaks of positions in the noun's log: refuses `?epoch=` of another, and names its own in `Koor-Epoch`. */
  positioned?: boolean;
  /** What this operation can be refused for, beyond what any can (auth, origin, malformed, internal, unavailable). */
  errors?: readonly Reason[];
  /** Takes `If-Match`, `If-None-Match` and `X-Koor-If-Version` as conditions of the write. */
  conditional?: boolean;
  /** Needs no token, on a server that has one. */
  open?: boolean;
  /** Does not look at a `Koor-Instance-Token`: whoever registers anew may still carry an old one. */
  anonymous?: boolean;
  /**
   * What the audit calls it: the action and the resource, as in `rule.propose {project}/{rule_id}`, with parameters or members of
   * the body in braces. Under this name it is noted when it is refused to somebody who is known here; what is done is noted by
   * the commit itself.
   */
  audit?: string;
  /** How many broken rules or contracts its answer tells of: they are counted for the agent that asked. */
  violations?: (answer: never) => number;
  /** Left out of the token ledger: asking about the books is not a line in the books. */
  unmetered?: boolean;
  cli?: string | readonly string[];
  mcp?: McpTool;
}

/**
 * Whether a request for it can carry terms: an idempotency key and a fence. Those are kept with what it writes; one whose body
 * is not read whole replaces all of that.
 */
export function takesTerms({ method, anonymous, body }: Operation): boolean {
  return method !== "GET" && !anonymous && body?.kind !== "ndjson";
}

/** Declares an operation, keeping its schemas' types for the service and the client. */
export function operation<const T extends Operation>(declaration: T): T {
  return declaration;
}

/** A JSON body of at most `limits.bodyBytes`, unless said. */
export function json<T extends z.ZodType>(
  schema: T,
  options: { maxBytes?: number; raw?: readonly string[] } = {},
): { kind: "json"; schema: T; maxBytes: number; raw: readonly string[] } {
  return { kind: "json", schema, maxBytes: options.maxBytes ?? limits.bodyBytes, raw: options.raw ?? [] };
}

/** A body that is kept as the bytes that came in. */
export const valueBody = { kind: "bytes", maxBytes: limits.valueBytes } as const;

export const patchTypes = {
  merge: "application/merge-patch+json",
  operations: "application/json-patch+json",
  /** What people send who know of neither: an array is operations, all else is merged. */
  either: "application/json",
} as const;

/** A change of a JSON value, of one of the types that say what kind of change it is. */
export const patchBody = {
  kind: "bytes",
  maxBytes: limits.patchBytes,
  types: Object.values(patchTypes),
} as const;

/**
 * Who asks. `name` is empty for a caller that named no instance; then the audit's actor is `local`. A person at the
 * dashboard is called `dashboard`, and is no instance.
 */
export interface Caller {
  instanceId?: string;
  name: string;
  /** Why the token that an MCP client is configured with names nobody: its tools say so, since it shows the model no 401. */
  unknown?: KoorError;
  /** The `Host` by which an MCP client reached this server: what a server bound to every address can tell it to use. */
  host?: string;
}

/** Conditions of a write, as the request's headers gave them. All that are given must hold. */
export interface Condition {
  /** The record has one of these entity tags; `"*"`: it exists. */
  match?: readonly string[] | "*";
  /** The record has none of these entity tags; `"*"`: it does not exist. */
  noneMatch?: readonly string[] | "*";
  /** The record has this version; 0: it does not exist. */
  version?: number;
}

/** Makes a request take effect once, however often it is sent: its `Idempotency-Key`. */
export interface Once {
  /** Names the caller, the method, the path and the caller's own key, such that no two share a name. */
  key: string;
  /** Tells whether it is the same request that comes again. */
  fingerprint: string;
}

/** A lease under which a request writes: its `Koor-Fence`. The write fails when it is lost. */
export interface Fence {
  lease: string;
  fence: number;
}

/** Under which terms a request is to take effect, whatever it does. */
export interface Terms {
  caller: Caller;
  once?: Once | undefined;
  fence?: Fence | undefined;
}

type Parsed<T> = T extends z.ZodType ? z.output<T> : Record<string, never>;
type ParsedBody<T> = T extends { kind: "json"; schema: infer S }
  ? Parsed<S>
  : T extends { kind: "bytes" }
    ? Uint8Array
    : T extends { kind: "ndjson" }
      ? AsyncIterable<Uint8Array>
      : undefined;

/** What a service gets for an operation: everything already checked. */
export interface Input<O extends Operation> extends Terms {
  params: Parsed<O["params"]>;
  query: Parsed<O["query"]>;
  body: ParsedBody<O["body"]>;
  /** Of a `bytes` body. */
  contentType: string;
  condition: Condition;
  /** Of a request that may wait, or that has an `ndjson` body: aborted when the caller has gone. */
  signal?: AbortSignal;
}

/** A stored value on its way out: the bytes as they came in. `null` bytes: the caller has this state already. */
export interface StoredAnswer {
  bytes: Uint8Array | null;
  content_type: string;
  version: number;
  hash: string;
}

/** A file that is sent as it is made. It breaks off when it cannot be made to its end. */
export interface FileAnswer {
  stream: ReadableStream<Uint8Array>;
  /** What a browser would call it. */
  filename: string;
}

/** A list that may be too long to be made in one go. */
export type Pages<List> = List extends readonly (infer Item)[] ? AsyncGenerator<readonly Item[]> : never;

/** Where a JSON answer keeps the version and hash of its record, for the headers alone. */
export const recordOf = Symbol("record");

/**
 * A JSON answer whose headers say which version of a record it is about (`ETag`, `X-Koor-Version`), where its own fields
 * do not.
 */
export function ofRecord<T extends object>(
  answer: T,
  record: { version: number; hash: string } | undefined,
): T {
  return record ? Object.assign(answer, { [recordOf]: record }) : answer;
}

export type Answer<O extends Operation> = O["response"] extends z.ZodType
  ? O["paged"] extends true
    ? Pages<z.input<O["response"]>>
    : z.input<O["response"]>
  : O["response"] extends "bytes"
    ? StoredAnswer
    : O["response"] extends "ndjson"
      ? FileAnswer
      : never;

export type Operations = Record<string, Operation>;

/** What a noun's service implements: one function an operation, but those that follow the noun's log. */
export type Handlers<T extends Operations> = {
  [K in keyof T as T[K]["response"] extends "socket" | "stream" ? never : K]: (
    input: Input<T[K]>,
  ) => Promise<Answer<T[K]>>;
};
