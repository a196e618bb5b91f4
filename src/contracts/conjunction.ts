import { type Json, type JsonObject, isObject, member, same, typeOf } from "./json.ts";
import { type Schema, type SchemaObject, followed } from "./schema.ts";

/** All that is asked of one value at one place: schemas that must hold together, with what a comparison asks of them. */

export interface Conjunction {
  /** Every schema that holds, references followed and `allOf` opened. */
  parts: SchemaObject[];
  /** Of each of these groups one must hold. */
  unions: Schema[][];
  /** Groups of which an alternative was chosen. */
  chosen: Schema[][];
  /** Nothing can hold. */
  never: boolean;
}

export type Defs = ReadonlyMap<string, Schema>;

export const leading: ReadonlySet<string> = new Set(["$ref", "allOf", "anyOf", "oneOf"]);

export function conjunctionOf(schemas: readonly Schema[], defs: Defs): Conjunction {
  const found: Conjunction = { parts: [], unions: [], chosen: [], never: false };
  const seen = new Set<SchemaObject>();
  const waiting = schemas.toReversed();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next === false) found.never = true;
    if (typeof next === "boolean" || seen.has(next)) continue;
    seen.add(next);
    const { $ref, allOf, anyOf, oneOf } = next;
    if ($ref !== undefined) waiting.push(followed({ $ref }, defs));
    if (Array.isArray(allOf)) waiting.push(...(allOf as Schema[]).toReversed());
    for (const union of [anyOf, oneOf]) if (Array.isArray(union)) found.unions.push(union as Schema[]);
    // What only leads on says nothing by itself.
    if (!Object.keys(next).every((keyword) => leading.has(keyword))) found.parts.push(next);
  }
  return found;
}

/** The same, and one alternative of its first union. */
export function choosing(
  { parts, unions, chosen, never }: Conjunction,
  branch: Schema,
  defs: Defs,
): Conjunction {
  const added = conjunctionOf([branch], defs);
  const done = [...chosen, ...unions.slice(0, 1)];
  return {
    parts: [...parts, ...added.parts.filter((part) => !parts.includes(part))],
    unions: [...unions.slice(1), ...added.unions],
    chosen: done,
    // An alternative that leads back to the choice allows what the others do.
    never: never || added.never || added.unions.some((union) => done.includes(union)),
  };
}

/** JSON's types, where whole numbers and others are two. */
export type ValueType = "null" | "boolean" | "integer" | "fraction" | "string" | "array" | "object";
export const valueTypes: readonly ValueType[] = [
  "null",
  "boolean",
  "integer",
  "fraction",
  "string",
  "array",
  "object",
];

export function typesOf(schema: SchemaObject): ReadonlySet<ValueType> {
  const { type } = schema;
  if (type === undefined) return new Set(valueTypes);
  const names = (Array.isArray(type) ? type : [type]) as string[];
  return new Set(
    names.flatMap((name) => (name === "number" ? ["integer", "fraction"] : [name])) as ValueType[],
  );
}

/** How a person says it: `string or null`. */
export function showTypes(types: ReadonlySet<ValueType>): string {
  if (types.size === valueTypes.length) return "anything";
  const names = [...types].filter(
    (type) => type !== "fraction" && !(type === "integer" && types.has("fraction")),
  );
  return [...names, ...(types.has("fraction") ? ["number"] : [])].join(" or ") || "nothing";
}

function typeOfValue(value: Json): ValueType {
  const type = typeOf(value);
  return type === "number" ? (Number.isInteger(value) ? "integer" : "fraction") : type;
}

/** The types that all parts allow, and that a listed value has. */
export function commonTypes(conjunction: Conjunction): Set<ValueType> {
  const listed = listedValues(conjunction);
  const given = listed ? new Set(listed.map(typeOfValue)) : new Set(valueTypes);
  return new Set([...given].filter((type) => conjunction.parts.every((part) => typesOf(part).has(type))));
}

/** The values that a schema lists, as `enum` or `const`. */
export function valuesOf(schema: SchemaObject): readonly Json[] | undefined {
  if (Object.hasOwn(schema, "const")) return [schema.const as Json];
  return schema.enum as Json[] | undefined;
}

/** The values that are listed in every part that lists any, and are of the types that are allowed. */
export function listedValues({ parts }: Conjunction): Json[] | undefined {
  const lists = parts.map(valuesOf).filter((list) => list !== undefined);
  const [first, ...others] = lists;
  if (!first) return undefined;
  return first.filter(
    (value) =>
      others.every((list) => list.some((other) => same(other, value))) &&
      parts.every((part) => typesOf(part).has(typeOfValue(value))),
  );
}

function properties(part: SchemaObject): JsonObject {
  return isObject(part.properties) ? part.properties : {};
}

/** What must hold of a member: of each part what it says of this name, or else of all others. */
export function memberSchemas({ parts }: Conjunction, name: string): Schema[] {
  return parts.flatMap((part) => {
    const own = member(properties(part), name) ?? part.additionalProperties;
    return own === undefined ? [] : [own];
  }) as Schema[];
}

/** What must hold of an array's item. */
export function itemSchemas({ parts }: Conjunction, index: number): Schema[] {
  return parts.flatMap((part) => {
    const prefix = Array.isArray(part.prefixItems) ? (part.prefixItems as Schema[]) : [];
    const own = prefix[index] ?? part.items;
    return own === undefined ? [] : [own];
  }) as Schema[];
}

export function requires({ parts }: Conjunction, name: string): boolean {
  return parts.some(({ required }) => Array.isArray(required) && required.includes(name));
}

/** The names that a conjunction describes, in whichever alternative, and the schema that first says so. */
export function describedNames(schemas: readonly Schema[], defs: Defs): Described {
  const described: Described = { names: new Map(), others: false };
  const seen = new Set<Schema>();
  const waiting = [...schemas];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (!isObject(next) || seen.has(next)) continue;
    seen.add(next);
    if (next.$ref !== undefined) waiting.push(followed({ $ref: next.$ref }, defs));
    for (const keyword of ["allOf", "anyOf", "oneOf"])
      waiting.push(...((next[keyword] as Schema[] | undefined) ?? []));
    for (const keyword of ["if", "then", "else"])
      if (next[keyword] !== undefined) waiting.push(next[keyword] as Schema);
    if (isObject(next.dependentSchemas)) waiting.push(...(Object.values(next.dependentSchemas) as Schema[]));
    if (isObject(next.patternProperties) || isObject(next.additionalProperties)) described.others = true;
    for (const name of Object.keys(properties(next))) {
      if (!described.names.has(name)) described.names.set(name, next);
    }
  }
  return described;
}

export interface Described {
  names: Map<string, SchemaObject>;
  /** Further names are described, by a pattern or all alike. */
  others: boolean;
}
