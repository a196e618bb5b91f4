import { KoorError } from "../contract/errors.ts";
import { type Json, type JsonObject, isObject, typeOf } from "./json.ts";

/** Contracts in Koor's own words: `{"kind": "contract", "endpoints": {"POST /api/x": {...}}}`. Reads them; see field-check.ts. */

export const fieldTypes = ["string", "number", "integer", "boolean", "object", "array", "any"] as const;
export type FieldType = (typeof fieldTypes)[number];

/** What one field may hold. */
export interface Field {
  /** `any` takes everything, `null` too. */
  type: FieldType;
  required: boolean;
  /** Whether it may be `null`; not said: only for `any`. */
  nullable: boolean;
  /** The values that it may have. */
  enum: readonly Json[] | undefined;
  /** What looking through them costs, in steps of field-check.ts. */
  enumSteps: number;
  /** Of an object: what it may hold, and nothing else. Not said: anything. */
  fields: Fields | undefined;
  /** Of an array: what each of its items is. */
  items: Field | undefined;
}

export type Fields = ReadonlyMap<string, Field>;

export const parts = ["request", "response", "response_array", "query", "error"] as const;
export type Part = (typeof parts)[number];

/** What was agreed of an endpoint. A part that is not there was not agreed. */
export interface FieldsEndpoint extends Partial<Record<Part, Fields>> {
  /** Not said: any 2xx. */
  response_status?: number;
}

/**
 * @returns the endpoints by their names, `POST /api/x`
 * @throws KoorError `bad_request` whose `path` names the field
 */
export function readEndpoints(contract: JsonObject): Map<string, FieldsEndpoint> {
  const { endpoints = {} } = contract;
  if (!isObject(endpoints)) throw fault("endpoints", "must be an object");
  return new Map(
    Object.entries(endpoints).map(([name, given]): [string, FieldsEndpoint] => {
      const path = `endpoints.${name}`;
      if (!isObject(given)) throw fault(path, "must be an object");
      const { response_status: status } = given;
      const endpoint: FieldsEndpoint = {};
      for (const part of parts) {
        const fields = given[part];
        if (fields !== undefined && fields !== null) endpoint[part] = readFields(fields, `${path}.${part}`);
      }
      if (status !== undefined && status !== null) {
        if (!Number.isInteger(status) || (status as number) < 100 || (status as number) > 599) {
          throw fault(`${path}.response_status`, "must be a status code from 100 to 599");
        }
        endpoint.response_status = status as number;
      }
      return [name, endpoint];
    }),
  );
}

function readFields(given: Json, path: string): Fields {
  if (!isObject(given)) throw fault(path, "must be an object of fields");
  return new Map(
    Object.entries(given).map(([name, field]) => [name, readField(field, `${path}.${name}`)] as const),
  );
}

/** Recurses as deep as the contract is nested, which was bounded before. */
function readField(given: Json, path: string): Field {
  if (!isObject(given)) throw fault(path, "must be an object that says what the field is");
  const { type, required, nullable, fields, items } = given;
  for (const [name, value] of Object.entries({ required, nullable })) {
    if (value !== undefined && value !== null && typeof value !== "boolean")
      throw fault(`${path}.${name}`, "must be true or false");
  }
  if (given.enum !== undefined && given.enum !== null && !Array.isArray(given.enum))
    throw fault(`${path}.enum`, "must be an array");
  const implied: FieldType = fields ? "object" : items ? "array" : "any";
  if (type !== undefined && type !== null && !fieldTypes.includes(type as FieldType))
    throw fault(`${path}.type`, `must be one of ${fieldTypes.join(", ")}`);
  const known = (type as FieldType | null | undefined) ?? implied;
  return {
    type: known,
    required: required === true,
    nullable: nullable === true || (nullable !== false && known === "any"),
    enum: given.enum ?? undefined,
    enumSteps: given.enum ? JSON.stringify(given.enum).length / 4 : 0,
    fields: fields === undefined || fields === null ? undefined : readFields(fields, `${path}.fields`),
    items: items === undefined || items === null ? undefined : readField(items, `${path}.items`),
  };
}

function fault(path: string, predicate: string): KoorError {
  return new KoorError("bad_request", `${path} ${predicate}`, { path });
}

/** Whether a value is of a type; numbers without a fraction are integers, however they are written. */
export function isOfType(value: unknown, type: FieldType): boolean {
  if (type === "any") return true;
  if (type === "integer") return Number.isInteger(value);
  return typeOf(value) === type;
}
