import { type Contract, endpointNamed } from "./document.ts";
import { describedNames } from "./conjunction.ts";
import type { Violation } from "./field-check.ts";
import { type Json, type JsonObject, isObject, member, setMember } from "./json.ts";
import { sampleOf } from "./sample.ts";
import { type Endpoint, answersOf, jsonPart } from "./surface.ts";

/** How to call an endpoint: what goes where, and which answers were agreed. Plain data, since a worker makes it. */
export interface CallPlan {
  /** What the query may hold, required or not. */
  query: readonly { name: string; required: boolean }[];
  /** The fields of the body; nothing where no JSON body was agreed. */
  body: readonly string[] | undefined;
  /** A small body that was made up from the contract. */
  sample: Json;
  /** And what the path and the query need. */
  parameters: JsonObject;
  /** What a good answer's status is: `201`, `2XX`, `default`. */
  expected: readonly string[];
  /** Every agreed status (`error`: any refusal), and whether JSON was agreed for it. */
  answers: readonly { status: string; json: boolean }[];
}

/** Nothing where the contract has no such endpoint, and for a schema, which has none. */
export function planCall(contract: Contract, name: string): CallPlan | undefined {
  if (contract.kind === "schema") return undefined;
  const endpoint = endpointNamed(contract, name);
  if (!endpoint) return undefined;
  const { defs } = contract.library;
  const body = jsonPart(endpoint.request);
  const good = answersOf(endpoint, "response").map(([status]) => status);
  // Koor's own contracts may agree on a refusal.
  const expected =
    good.length > 0 ? good : [...endpoint.responses.keys()].filter((status) => status !== "error");
  return {
    query: [...endpoint.parameters.values()]
      .filter(({ place }) => place === "query")
      .map(({ name, required }) => ({ name, required })),
    body: body && [...describedNames([body.schema], defs).names.keys()],
    sample: body ? sampleOf([body.schema], defs) : {},
    parameters: sampleParameters(endpoint, defs),
    expected: expected.length > 0 ? expected : ["2XX"],
    answers: [...endpoint.responses].map(([status, { content }]) => ({
      status,
      json: jsonPart(content) !== undefined,
    })),
  };
}

function sampleParameters({ parameters }: Endpoint, defs: Contract["library"]["defs"]): JsonObject {
  const values: JsonObject = {};
  for (const { name, place, required, schema } of parameters.values()) {
    if (place === "path" || (place === "query" && required))
      setMember(values, name, sampleOf([schema], defs));
  }
  return values;
}

export interface FilledCall {
  method: string;
  /** With its query. */
  path: string;
  /** What the body and the query come to, as they are checked against the contract. */
  body: Json | undefined;
  query: JsonObject;
  /** What the path lacks. */
  violations: Violation[];
}

/**
 * Puts test data where the endpoint wants it. A name goes everywhere the contract names it: into the path's braces, the
 * query, the body. What it names nowhere goes into the body, or of an endpoint without one into the query, so that it
 * is found to be unexpected. Data that is no object is the body.
 */
export function fillCall(endpoint: string, plan: CallPlan, data: Json | undefined): FilledCall {
  const space = endpoint.indexOf(" ");
  const method = endpoint.slice(0, space).toUpperCase();
  const template = endpoint.slice(space + 1);
  const given = data === undefined ? plan.sample : data;
  const violations: Violation[] = [];
  const query: JsonObject = {};
  const inPath = new Set<string>();
  const made = data === undefined ? plan.parameters : {};
  const fields: JsonObject = { ...made, ...(isObject(given) ? given : {}) };
  const path = template.replaceAll(/\{([^{}]+)\}/g, (_, name: string) => {
    inPath.add(name);
    // Koor's own contracts do not say what is in a path.
    const value = member(fields, name) ?? (data === undefined ? 1 : undefined);
    if (typeof value === "object" || value === undefined || value === "")
      violations.push({ path: `path.${name}`, message: "missing required parameter in test_data" });
    return encodeURIComponent(textOf(value ?? "").toWellFormed());
  });
  const takesBody = plan.body !== undefined || !/^(GET|HEAD|DELETE|OPTIONS|TRACE)$/.test(method);
  const body: JsonObject = {};
  for (const [name, value] of Object.entries(fields)) {
    const inQuery = plan.query.some((parameter) => parameter.name === name);
    const inBody = plan.body?.includes(name) ?? false;
    const nowhere = !inQuery && !inBody && !inPath.has(name);
    if (inQuery || (nowhere && !takesBody)) setMember(query, name, value);
    if (inBody || (nowhere && takesBody)) setMember(body, name, value);
  }
  const search = new URLSearchParams(
    Object.entries(query).flatMap(([name, value]) => [value].flat().map((one) => [name, textOf(one)])),
  ).toString();
  return {
    method,
    path: inLine(search === "" ? path : `${path}${path.includes("?") ? "&" : "?"}${search}`),
    body: takesBody ? (isObject(given) ? body : given) : undefined,
    query,
    violations,
  };
}

/** A path as a request's first line can have it: a contract's may hold spaces, line ends and letters of any kind. */
function inLine(path: string): string {
  return path.toWellFormed().replaceAll(/[^\x21-\x7e]+/g, encodeURIComponent);
}

/** Whether a request can be made of an endpoint's name. `CONNECT` opens a tunnel, and asks nothing. */
export function isCallable(endpoint: string): boolean {
  return /^[A-Za-z]+ \//.test(endpoint) && !/^connect /i.test(endpoint);
}

function textOf(value: Json): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** What was agreed of a status: as itself, else as one of its hundred, else as any, else as any refusal. */
export function agreedFor(plan: CallPlan, status: number): { status: string; json: boolean } | undefined {
  const names = [
    String(status),
    `${Math.floor(status / 100)}XX`,
    "default",
    ...(status >= 400 ? ["error"] : []),
  ];
  const found = names.flatMap((name) => plan.answers.filter((answer) => answer.status === name));
  return found.find(({ json }) => json) ?? found[0];
}

/** Whether a status is the one of a good answer. */
export function isExpected(plan: CallPlan, status: number): boolean {
  const hundred = `${Math.floor(status / 100)}XX`;
  return plan.expected.some((name) => name === String(status) || name === hundred || name === "default");
}
