import { KoorError } from "../contract/errors.ts";
import { type Field, type Fields, type FieldsEndpoint, isOfType } from "./fields.ts";
import { isObject, same, typeOf } from "./json.ts";

/** What is wrong, and where: `request.items[2].price`. */
export interface Violation {
  path: string;
  message: string;
}

export const directions = ["request", "response", "query", "error"] as const;
export type Direction = (typeof directions)[number];

/** The most violations that are told: more than anyone reads, and it bounds the answer. */
export const violationsMost = 1000;

/**
 * The most fields and allowed values that one check looks at: 50 to 100 ms of work. A payload of 1 MiB has a quarter of
 * a million values at most; only a contract of very many fields for each of them comes here.
 */
const stepsMost = 5_000_000;

interface Check {
  found: Violation[];
  steps: number;
}

/**
 * Checks a payload against what was agreed in one direction. In a stable order: the contract's fields as they stand
 * there, then what is in the payload beyond them, object by object.
 *
 * @throws KoorError `over_budget`
 */
export function checkFields(endpoint: FieldsEndpoint, direction: Direction, payload: unknown): Violation[] {
  const check: Check = { found: [], steps: 0 };
  const { response, response_array: array } = endpoint;
  if (direction === "response" && array && (!response || Array.isArray(payload))) {
    if (!Array.isArray(payload)) add(check, wrongType("response", "array", payload));
    else for (const [index, item] of payload.entries()) checkObject(array, item, `response[${index}]`, check);
  } else {
    const fields = endpoint[direction];
    if (fields) checkObject(fields, payload, direction, check);
    else add(check, { path: direction, message: `no ${direction} definition in the contract` });
  }
  return check.found;
}

function checkObject(fields: Fields, value: unknown, path: string, check: Check): void {
  if (!isObject(value)) {
    add(check, wrongType(path, "object", value));
    return;
  }
  spend(check, fields.size + 1);
  for (const [name, field] of fields) {
    if (Object.hasOwn(value, name)) checkValue(field, value[name], `${path}.${name}`, check);
    else if (field.required) add(check, { path: `${path}.${name}`, message: "missing required field" });
  }
  for (const name in value) {
    if (!fields.has(name)) add(check, { path: `${path}.${name}`, message: "unexpected field" });
  }
}

function checkValue(field: Field, value: unknown, path: string, check: Check): void {
  const { type, items, fields } = field;
  spend(check, 1 + field.enumSteps);
  if (value === null && field.nullable) return;
  if (value === null && !field.enum?.includes(null)) {
    add(check, { path, message: `${type === "any" ? "" : `expected ${type}, `}null is not allowed` });
  } else if (value !== null && !isOfType(value, type)) {
    add(check, wrongType(path, type, value));
  } else if (field.enum && !field.enum.some((allowed) => same(allowed, value))) {
    add(check, { path, message: notAllowed(field.enum) });
  } else {
    if (fields && isObject(value)) checkObject(fields, value, path, check);
    if (items && Array.isArray(value)) {
      for (const [index, item] of value.entries()) checkValue(items, item, `${path}[${index}]`, check);
    }
  }
}

function spend(check: Check, steps: number): void {
  check.steps += steps;
  if (check.steps > stepsMost)
    throw new KoorError("over_budget", "the payload took too long to check and was stopped", {
      hint: "Send a smaller payload, or agree on fewer fields.",
    });
}

function add({ found }: Check, violation: Violation): void {
  if (found.length < violationsMost) found.push(violation);
}

export function wrongType(path: string, expected: string, value: unknown): Violation {
  const got = value === null ? "null is not allowed" : `got ${typeOf(value)}`;
  return { path, message: `expected ${expected}, ${got}` };
}

/** @param allowed of an `enum`; only the first few are told */
export function notAllowed(allowed: readonly unknown[]): string {
  const shown = allowed.slice(0, 10).map((value) => JSON.stringify(value).slice(0, 64));
  return `value not in allowed enum: ${shown.join(", ")}${allowed.length > shown.length ? ", ..." : ""}`;
}
