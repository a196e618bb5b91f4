import type { Direction } from "./field-check.ts";
import type { Field, Fields, FieldsEndpoint } from "./fields.ts";
import { type Json, type JsonObject, pointerTo, setMember } from "./json.ts";
import type { Library, Schema } from "./schema.ts";

/** What a contract promises, whatever it is written in: endpoints, what goes in and what comes out, as schemas. */

export interface Part {
  schema: Schema;
  /** JSON pointer in the document. */
  pointer: string;
}

export interface Parameter extends Part {
  place: "path" | "query" | "header" | "cookie";
  name: string;
  required: boolean;
}

export interface Answer {
  pointer: string;
  /** By media type; `application/json` where it was not said. */
  content: Map<string, Part>;
}

export interface Endpoint {
  pointer: string;
  /** By place and name: `query limit`. */
  parameters: Map<string, Parameter>;
  /** What a request's body may be, by media type; empty: nothing was agreed of a body. */
  request: Map<string, Part>;
  requestRequired: boolean;
  /** By status: `200`, `2XX`, `default`; `error` is what Koor's own contracts say of any refusal. */
  responses: Map<string, Answer>;
}

export type Surface = ReadonlyMap<string, Endpoint>;

/** Media types whose bodies are JSON, or may be. */
export function isJsonType(type: string): boolean {
  return /^(application\/([\w.+-]*\+)?json|application\/\*|\*\/\*)(\s*;|$)/i.test(type);
}

export function jsonPart(content: ReadonlyMap<string, Part>): Part | undefined {
  for (const [type, part] of content) if (isJsonType(type)) return part;
  return undefined;
}

const isSuccess = (status: string) => /^2(\d\d|XX)$/.test(status);

/** The answers that a direction speaks of. */
export function answersOf(endpoint: Endpoint, direction: "response" | "error"): [status: string, Answer][] {
  const wanted = (status: string) =>
    isSuccess(status) === (direction === "response") && !/^[13]/.test(status);
  return [...endpoint.responses].filter(([status]) => wanted(status));
}

/**
 * What was agreed of a direction's JSON: one schema, or where several answers have one any of them.
 *
 * @param status of the answer, where it is known
 */
export function schemaFor(endpoint: Endpoint, direction: Direction, status?: number): Schema | undefined {
  if (direction === "request") return jsonPart(endpoint.request)?.schema;
  if (direction === "query") return querySchema(endpoint);
  const exact = status === undefined ? undefined : answerFor(endpoint, status);
  const answers = exact ? [exact] : answersOf(endpoint, direction).map(([, answer]) => answer);
  const schemas = answers.flatMap(({ content }) => jsonPart(content) ?? []).map(({ schema }) => schema);
  return schemas.length > 1 ? { anyOf: schemas } : schemas[0];
}

/** What a status was agreed to mean: as itself, else as one of its hundred, else as any. */
export function answerFor(endpoint: Endpoint, status: number): Answer | undefined {
  const { responses } = endpoint;
  return (
    responses.get(String(status)) ??
    responses.get(`${Math.floor(status / 100)}XX`) ??
    responses.get("default")
  );
}

function querySchema({ parameters }: Endpoint): Schema | undefined {
  const wanted = [...parameters.values()].filter(({ place }) => place === "query");
  if (wanted.length === 0) return undefined;
  const properties: JsonObject = {};
  for (const { name, schema } of wanted) setMember(properties, name, schema);
  const required = wanted.filter((parameter) => parameter.required).map(({ name }) => name);
  return { type: "object", properties, required, additionalProperties: false };
}

/** An endpoint of Koor's own contracts. */
export function surfaceOfFields(
  endpoint: FieldsEndpoint,
  pointer: string,
  origins: Library["origins"],
): Endpoint {
  const { request, query, response, response_array: array, error, response_status: status } = endpoint;
  const part = (fields: Fields, name: string): Part => {
    const at = pointerTo(pointer, name);
    return { schema: objectSchema(fields, at, origins), pointer: at };
  };
  const json = (...parts: Part[]): Map<string, Part> =>
    new Map(parts.map((one) => ["application/json", one]));
  const parameters = [...(query ?? [])].map(([name, field]): [string, Parameter] => {
    const at = pointerTo(pointerTo(pointer, "query"), name);
    const schema = fieldSchema(field, at, origins);
    return [`query ${name}`, { place: "query", name, required: field.required, schema, pointer: at }];
  });
  const answers: Part[] = response ? [part(response, "response")] : [];
  if (array) {
    const { schema, pointer: at } = part(array, "response_array");
    answers.push({ schema: noted({ type: "array", items: schema }, at, origins), pointer: at });
  }
  const content: Map<string, Part> =
    answers.length === 2
      ? json({ schema: { anyOf: answers.map(({ schema }) => schema) }, pointer })
      : json(...answers);
  const statusPointer = status === undefined ? pointer : pointerTo(pointer, "response_status");
  const responses = new Map<string, Answer>([[String(status ?? "2XX"), { pointer: statusPointer, content }]]);
  if (error)
    responses.set("error", { pointer: pointerTo(pointer, "error"), content: json(part(error, "error")) });
  return {
    pointer,
    parameters: new Map(parameters),
    request: request ? json(part(request, "request")) : new Map<string, Part>(),
    requestRequired: [...(request?.values() ?? [])].some(({ required }) => required),
    responses,
  };
}

function noted(schema: JsonObject, pointer: string, origins: Library["origins"]): JsonObject {
  origins.set(schema, pointer);
  return schema;
}

function objectSchema(fields: Fields, pointer: string, origins: Library["origins"]): JsonObject {
  const properties: JsonObject = {};
  for (const [name, field] of fields)
    setMember(properties, name, fieldSchema(field, pointerTo(pointer, name), origins));
  const required = [...fields].filter(([, field]) => field.required).map(([name]) => name);
  return noted({ type: "object", properties, required, additionalProperties: false }, pointer, origins);
}

function fieldSchema(field: Field, pointer: string, origins: Library["origins"]): JsonObject {
  const { type, nullable, enum: allowed, fields, items } = field;
  const types: Json[] = type === "any" ? ["boolean", "number", "string", "array", "object"] : [type];
  const values = allowed && [...allowed, ...(nullable && !allowed.includes(null) ? [null] : [])];
  const takesNull = nullable || allowed?.includes(null) === true;
  const schema: JsonObject = {
    ...(!(type === "any" && takesNull) && { type: takesNull ? [...types, "null"] : types }),
    ...(values && { enum: values }),
  };
  if (fields) {
    const { properties, required } = objectSchema(fields, pointerTo(pointer, "fields"), origins);
    Object.assign(schema, { properties, required, additionalProperties: false });
  }
  if (items) schema.items = fieldSchema(items, pointerTo(pointer, "items"), origins);
  return noted(schema, pointer, origins);
}
