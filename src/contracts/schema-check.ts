import { RE2JS } from "re2js";
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { KoorError } from "../contract/errors.ts";
import { type Violation, notAllowed, violationsMost, wrongType } from "./field-check.ts";
import type { JsonObject } from "./json.ts";
import type { Schema } from "./schema.ts";

/**
 * Payloads against JSON Schema, by ajv, in the words of field-check.ts. Runs in the worker only, since ajv makes code out
 * of schemas. Formats are not checked, as draft 2020-12 has it.
 *
 * Patterns are JavaScript's, as far as RE2 can run them: JavaScript's own engine cannot be stopped, not even by ending
 * its worker (`^.*.*.*.*y$` on 5,000 characters was at it for a minute and went on; RE2 takes 2 ms).
 */
function compilePattern(pattern: string): RE2JS {
  try {
    return RE2JS.compile(RE2JS.translateRegExp(pattern));
  } catch (error) {
    throw new KoorError("bad_request", `the pattern ${pattern.slice(0, 256)} cannot be run`, {
      path: "pattern",
      hint: `Patterns have no lookaround and no backreferences here: ${(error as Error).message.slice(0, 256)}`,
    });
  }
}

/** @throws KoorError `bad_request` for a schema that cannot be compiled */
export function compileSchema(schema: Schema, defs: ReadonlyMap<string, Schema>): ValidateFunction {
  let fault: unknown;
  const regExp = (pattern: string) => {
    try {
      return compilePattern(pattern);
    } catch (error) {
      // ajv tells it in words of its own.
      fault ??= error;
      throw error;
    }
  };
  const ajv = new Ajv2020({
    // What was translated has been checked, and what ajv would only warn of is none of its business.
    strict: false,
    validateSchema: false,
    meta: false,
    validateFormats: false,
    logger: false,
    allErrors: true,
    // A member is what the payload has, not what every object inherits.
    ownProperties: true,
    verbose: true,
    code: { regExp: Object.assign(regExp, { code: "compilePattern" }) },
  });
  try {
    return ajv.compile({ allOf: [schema], $defs: Object.fromEntries(defs) as JsonObject });
  } catch (error) {
    if (fault) throw fault;
    const why = (error as Error).message.slice(0, 256);
    throw new KoorError("bad_request", `the schema cannot be used: ${why}`, { path: "schema" });
  }
}

/** @param root what the path of the payload itself is: `response` */
export function checkSchema(validate: ValidateFunction, payload: unknown, root: string): Violation[] {
  try {
    if (validate(payload)) return [];
  } catch (error) {
    if (error instanceof RangeError)
      throw new KoorError("bad_request", "payload is nested too deep", { path: "payload" });
    throw error;
  }
  const errors: ErrorObject[] = [];
  for (const error of validate.errors ?? []) {
    if (error.keyword === "anyOf" || error.keyword === "oneOf") errors.push(...alternatives(errors, error));
    else if (error.keyword !== "if") errors.push(error);
  }
  const told = new Map<string, Violation>();
  for (const error of errors) {
    const violation = describe(error, payload, root);
    if (told.size < violationsMost) told.set(`${violation.path} ${violation.message}`, violation);
  }
  return [...told.values()];
}

/**
 * What to say where no alternative fits. Its errors stand before its own, and are taken away: where the others are of
 * another type altogether (`null` beside an object), those of the one that was meant; else its own alone.
 */
function alternatives(errors: ErrorObject[], union: ErrorObject): ErrorObject[] {
  const at = union.instancePath;
  const inside = (error: ErrorObject | undefined) =>
    error !== undefined && (error.instancePath === at || error.instancePath.startsWith(`${at}/`));
  const taken: ErrorObject[] = [];
  while (inside(errors.at(-1))) taken.unshift(errors.pop() as ErrorObject);
  const ofType = taken.filter((error) => error.instancePath === at && error.keyword === "type");
  const others = taken.filter((error) => !ofType.includes(error));
  if (others.length > 0 && ofType.length > 0) return others;
  if (others.length > 0) return [union];
  const types = ofType.flatMap((error) => (error.params as { type: string | string[] }).type);
  return [{ ...union, keyword: "type", params: { type: types } }];
}

function describe(error: ErrorObject, payload: unknown, root: string): Violation {
  const path = pathOf(error.instancePath, payload, root);
  const params = error.params as Record<string, string | string[] | unknown[] | undefined>;
  switch (error.keyword) {
    case "required":
    case "dependentRequired":
      return { path: `${path}.${String(params.missingProperty)}`, message: "missing required field" };
    case "additionalProperties":
      return { path: `${path}.${String(params.additionalProperty)}`, message: "unexpected field" };
    case "unevaluatedProperties":
      return { path: `${path}.${String(params.unevaluatedProperty)}`, message: "unexpected field" };
    case "type":
      return wrongType(path, expectedTypes([params.type].flat() as string[]), error.data);
    case "enum":
      return { path, message: notAllowed(params.allowedValues as unknown[]) };
    case "const":
      return { path, message: notAllowed([params.allowedValue]) };
    case "false schema":
      return { path, message: "unexpected field" };
    case "anyOf":
    case "oneOf":
      return { path, message: "matches none of the alternatives, or more than one" };
    default:
      return { path, message: error.message ?? "is not allowed" };
  }
}

/** What may be `null` besides is expected to be the other. */
function expectedTypes(types: readonly string[]): string {
  return types.filter((type) => type !== "null" || types.length === 1).join(" or ");
}

/** `/a/1/b` as `request.a[1].b`. */
function pathOf(instancePath: string, payload: unknown, root: string): string {
  let value: unknown = payload;
  let path = root;
  for (const segment of instancePath.split("/").slice(1)) {
    const name = segment.replaceAll("~1", "/").replaceAll("~0", "~");
    path += Array.isArray(value) ? `[${name}]` : `.${name}`;
    value = (value as Record<string, unknown> | undefined)?.[name];
  }
  return path;
}
