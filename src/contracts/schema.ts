import { KoorError } from "../contract/errors.ts";
import { type Json, type JsonObject, atPointer, isObject, member, pointerTo, setMember } from "./json.ts";

/**
 * From the dialects of JSON Schema that documents are written in to one: draft 2020-12, with local references only. What
 * checks, compares and makes up values then knows one dialect, and no reference can lead to another file.
 */

export type Schema = boolean | SchemaObject;
export type SchemaObject = JsonObject;

/** `openapi-3.0` is the subset of draft 04 with `nullable` that OpenAPI 3.0 has. */
export type Dialect = "2020-12" | "2019-09" | "draft-07" | "draft-06" | "draft-04" | "openapi-3.0";

/** The schemas of one document, translated as they are asked for. */
export interface Library {
  document: Json;
  dialect: Dialect;
  /** Translated targets of references; `{"$ref": "#/$defs/d0"}` names the first. */
  defs: Map<string, Schema>;
  /** The JSON pointers of translated schemas in the document. */
  origins: WeakMap<object, string>;
  /** The names in `defs` by the pointers of what they are. */
  names: Map<string, string>;
  /** Where each `$id` and anchor of the document stands; worked out when one is asked for. */
  marks: Map<string, string> | undefined;
}

export function openLibrary(document: Json, dialect: Dialect): Library {
  return { document, dialect, defs: new Map(), origins: new WeakMap(), names: new Map(), marks: undefined };
}

const dialects: Readonly<Record<string, Dialect>> = {
  "json-schema.org/draft/2020-12/schema": "2020-12",
  "json-schema.org/draft/2019-09/schema": "2019-09",
  "json-schema.org/draft-07/schema": "draft-07",
  "json-schema.org/draft-06/schema": "draft-06",
  "json-schema.org/draft-04/schema": "draft-04",
};

/** The dialect of a `$schema`; nothing for one that is not known here. */
export function dialectOf(uri: Json | undefined): Dialect | undefined {
  return typeof uri === "string" ? dialects[uri.replace(/^https?:\/\//, "").replace(/#$/, "")] : undefined;
}

const maps = new Set(["properties", "patternProperties", "dependentSchemas"]);
const lists = new Set(["allOf", "anyOf", "oneOf", "prefixItems"]);
const singles = new Set([
  "items",
  "additionalProperties",
  "not",
  "if",
  "then",
  "else",
  "contains",
  "propertyNames",
  "unevaluatedItems",
  "unevaluatedProperties",
]);
const counts = ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"];
const numbers = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
/** Kept as they are. Of what says nothing of values only that from which samples can be made. */
const values = new Set(
  (
    "type enum const required pattern format uniqueItems dependentRequired minContains maxContains default example " +
    `examples ${[...counts, ...numbers].join(" ")}`
  ).split(" "),
);

/**
 * The schema at a pointer of the document, translated, and in the library's `defs` all that it refers to.
 *
 * @throws KoorError `bad_request` whose `path` is the pointer of what is no schema or refers to the outside
 */
export function schemaAt(library: Library, node: Json | undefined, pointer: string, base = ""): Schema {
  const waiting: [name: string, pointer: string, base: string][] = [];
  const translated = translate(library, node, pointer, base, waiting);
  // Not by recursion: a document can hold a chain of a hundred thousand references.
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [name, target, base] = next;
    library.defs.set(name, translate(library, atPointer(library.document, target), target, base, waiting));
  }
  return translated;
}

type Waiting = [name: string, pointer: string, base: string][];

function translate(
  library: Library,
  node: Json | undefined,
  pointer: string,
  outerBase: string,
  waiting: Waiting,
): Schema {
  if (typeof node === "boolean") return node;
  if (!isObject(node)) throw fault(pointer, "must be a schema");
  const id = member(node, "$id");
  const base = pointer !== "" && typeof id === "string" && !id.startsWith("#") ? pointer : outerBase;
  const out: SchemaObject = {};
  library.origins.set(out, pointer);
  const inner = (value: Json | undefined, ...names: (string | number)[]) =>
    translate(library, value, names.reduce<string>(pointerTo, pointer), base, waiting);

  const ref = member(node, "$ref");
  if (ref !== undefined) {
    out.$ref = refer(library, ref, pointer, base, waiting);
    if (library.dialect !== "2020-12" && library.dialect !== "2019-09") return out;
  }
  for (const [keyword, value] of Object.entries(node)) {
    if (keyword === "$dynamicRef" || keyword === "$recursiveRef")
      throw fault(pointerTo(pointer, keyword), "is not supported; use $ref");
    if (keyword === "dependencies" && isObject(value)) splitDependencies(out, value, inner);
    else if (keyword === "items" && Array.isArray(value)) {
      out.prefixItems = value.map((item, index) => inner(item, keyword, index));
      if (node.additionalItems !== undefined) out.items = inner(node.additionalItems, "additionalItems");
    } else if (singles.has(keyword)) out[keyword] = inner(value, keyword);
    else if (lists.has(keyword)) {
      if (!Array.isArray(value)) throw fault(pointerTo(pointer, keyword), "must be an array of schemas");
      out[keyword] = value.map((item, index) => inner(item, keyword, index));
    } else if (maps.has(keyword)) {
      if (!isObject(value)) throw fault(pointerTo(pointer, keyword), "must be an object of schemas");
      const schemas: JsonObject = {};
      for (const [name, schema] of Object.entries(value))
        setMember(schemas, name, inner(schema, keyword, name));
      out[keyword] = schemas;
    } else if (values.has(keyword)) out[keyword] = value;
  }
  if (library.dialect === "draft-04" || library.dialect === "openapi-3.0")
    modernize(out, node, library.dialect);
  checkKeywords(out, pointer);
  return out;
}

/** In draft 04 exclusive bounds are switches of the others; OpenAPI 3.0 has no type `null`. */
function modernize(out: SchemaObject, node: JsonObject, dialect: Dialect): void {
  for (const [exclusive, bound] of [
    ["exclusiveMinimum", "minimum"],
    ["exclusiveMaximum", "maximum"],
  ] as const) {
    if (typeof out[exclusive] !== "boolean") continue;
    const limit = out[bound];
    const isExclusive = out[exclusive];
    delete out[exclusive];
    if (isExclusive && limit !== undefined) {
      out[exclusive] = limit;
      delete out[bound];
    }
  }
  if (dialect === "openapi-3.0" && node.nullable === true && typeof out.type === "string")
    out.type = [out.type, "null"];
}

/** Before draft 2019-09 one keyword said what are two now. */
function splitDependencies(
  out: SchemaObject,
  dependencies: JsonObject,
  inner: (value: Json | undefined, ...names: string[]) => Schema,
): void {
  const required: JsonObject = {};
  const schemas: JsonObject = {};
  for (const [name, value] of Object.entries(dependencies)) {
    if (Array.isArray(value)) setMember(required, name, value);
    else setMember(schemas, name, inner(value, "dependencies", name));
  }
  out.dependentRequired = required;
  out.dependentSchemas = schemas;
}

const types = ["null", "boolean", "object", "array", "number", "integer", "string"];

/** What would be found late, and told in others' words. */
function checkKeywords(out: SchemaObject, pointer: string): void {
  const refuse = (keyword: string, predicate: string): never => {
    throw fault(pointerTo(pointer, keyword), predicate);
  };
  const given = Array.isArray(out.type) ? out.type : [out.type ?? "string"];
  if (!given.every((type) => typeof type === "string" && types.includes(type)))
    refuse("type", `must be one of ${types.join(", ")}, or an array of them`);
  if (out.enum !== undefined && !Array.isArray(out.enum)) refuse("enum", "must be an array");
  const { required } = out;
  if (
    required !== undefined &&
    !(Array.isArray(required) && required.every((name) => typeof name === "string"))
  )
    refuse("required", "must be an array of names");
  for (const keyword of [...counts, ...numbers]) {
    const value = out[keyword];
    if (value === undefined) continue;
    if (typeof value !== "number" || (counts.includes(keyword) && (value < 0 || !Number.isInteger(value))))
      refuse(keyword, "must be a number");
    if (keyword === "multipleOf" && (value as number) <= 0) refuse(keyword, "must be above 0");
  }
  // Whether it can be run is seen where it is: who compares versions does not run it.
  if (out.pattern !== undefined && typeof out.pattern !== "string") refuse("pattern", "must be a text");
}

/** The name in `defs` of what a reference leads to. */
function refer(library: Library, ref: Json, pointer: string, base: string, waiting: Waiting): string {
  const at = pointerTo(pointer, "$ref");
  if (typeof ref !== "string") throw fault(at, "must be a text");
  const [target, targetBase] = resolve(library, ref, base) ?? [];
  if (target === undefined || targetBase === undefined) {
    throw new KoorError("bad_request", `${at} leads nowhere in this document: ${ref.slice(0, 256)}`, {
      path: at,
      hint: "References to other files and addresses are not followed: put what they name into the document.",
    });
  }
  let name = library.names.get(target);
  if (name === undefined) {
    name = `d${library.names.size}`;
    library.names.set(target, name);
    waiting.push([name, target, targetBase]);
  }
  return `#/$defs/${name}`;
}

function resolve(library: Library, ref: string, base: string): [pointer: string, base: string] | undefined {
  const hash = ref.indexOf("#");
  const [address, fragment] = hash === -1 ? [ref, ""] : [ref.slice(0, hash), ref.slice(hash + 1)];
  const resource = address === "" ? base : marksOf(library).get(address);
  if (resource === undefined) return undefined;
  const decoded = decode(fragment);
  if (decoded !== "" && !decoded.startsWith("/")) {
    const anchor = marksOf(library).get(`#${decoded}`);
    return anchor === undefined ? undefined : [anchor, resource];
  }
  const target = resource + decoded;
  return atPointer(library.document, target) === undefined ? undefined : [target, resource];
}

function decode(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}

/** Every `$id` (`id` in draft 04) as it is written, and every anchor behind a `#`. */
function marksOf(library: Library): Map<string, string> {
  if (library.marks) return library.marks;
  const marks = new Map<string, string>();
  const waiting: [Json, string][] = [[library.document, ""]];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [value, pointer] = next;
    if (typeof value !== "object" || value === null) continue;
    for (const [name, inner] of Object.entries(value)) {
      if (typeof inner !== "string") waiting.push([inner, pointerTo(pointer, name)]);
      else if (name === "$anchor") marks.set(`#${inner}`, pointer);
      else if (name === "$id" || (name === "id" && library.dialect === "draft-04"))
        marks.set(inner.startsWith("#") ? inner : inner.replace(/#$/, ""), pointer);
    }
  }
  return (library.marks = marks);
}

function fault(path: string, predicate: string): KoorError {
  return new KoorError("bad_request", `${path || "the document"} ${predicate}`, { path: path || "body" });
}

/** What a schema is once its references are followed. */
export function followed(schema: Schema, defs: ReadonlyMap<string, Schema>): Schema {
  let found = schema;
  // A chain of nothing but references that comes round accepts what it likes.
  for (
    let hops = 0;
    isObject(found) && typeof found.$ref === "string" && Object.keys(found).length === 1;
    hops++
  ) {
    if (hops > defs.size) return true;
    found = defs.get(found.$ref.slice("#/$defs/".length)) ?? true;
  }
  return found;
}
