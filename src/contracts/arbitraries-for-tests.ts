import fc from "fast-check";
import type { Json, JsonObject } from "./json.ts";

/** Contracts made at random, and payloads that keep to them. */

export interface WrittenField {
  type: string;
  required?: boolean;
  nullable?: boolean;
  enum?: Json[];
  fields?: Record<string, WrittenField>;
  items?: WrittenField;
}

/** Names that trip up what takes objects for maps stand among the others. */
const name = fc.constantFrom(
  "id",
  "name",
  "a b",
  "x/y",
  "~",
  "0",
  "constructor",
  "__proto__",
  "toString",
  "",
);

const flags = { required: fc.boolean(), nullable: fc.boolean() };

export const field: fc.Arbitrary<WrittenField> = fc.letrec<{ field: WrittenField }>((tie) => ({
  field: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ type: fc.constantFrom("string", "number", "integer", "boolean"), ...flags }),
    fc.record({
      type: fc.constant("string"),
      enum: fc.uniqueArray(fc.constantFrom<Json>("a", "b", "c"), { minLength: 1 }),
      ...flags,
    }),
    fc.record({ type: fc.constant("array"), items: tie("field"), ...flags }),
    fc.record({ type: fc.constant("object"), fields: dictionary(tie("field")), ...flags }),
  ),
})).field;

/** Of own members only, whatever they are called. */
function dictionary<T>(value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> {
  return fc
    .uniqueArray(fc.tuple(name, value), { maxLength: 5, selector: ([key]) => key })
    .map((entries) => Object.fromEntries(entries));
}

export const fields = dictionary(field);

/** A payload that keeps to fields; optional ones are there or not. */
export function payloadOf(given: Record<string, WrittenField>): fc.Arbitrary<JsonObject> {
  const members = Object.entries(given).map(([key, one]) => {
    const value = valueOf(one).map((json): [string, Json][] => [[key, json]]);
    return one.required ? value : fc.oneof(value, fc.constant<[string, Json][]>([]));
  });
  return fc.tuple(...members).map((entries) => Object.fromEntries<Json>(entries.flat()));
}

function valueOf(given: WrittenField): fc.Arbitrary<Json> {
  const value = plainValue(given);
  return given.nullable ? fc.oneof({ weight: 4, arbitrary: value }, fc.constant(null)) : value;
}

function plainValue({ type, enum: allowed, fields: inner, items }: WrittenField): fc.Arbitrary<Json> {
  if (allowed) return fc.constantFrom(...allowed);
  switch (type) {
    case "string":
      return fc.string();
    case "number":
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case "integer":
      return fc.integer();
    case "boolean":
      return fc.boolean();
    case "array":
      return fc.array(valueOf(items as WrittenField), { maxLength: 3 });
    default:
      return payloadOf(inner ?? {});
  }
}

/** Where a payload holds a field that the contract describes: the path as violations write it, and how to set it. */
export interface Place {
  path: string;
  field: WrittenField;
  value: Json;
  holder: JsonObject | Json[];
  key: string | number;
}

export function placesOf(given: Record<string, WrittenField>, payload: JsonObject, path: string): Place[] {
  return Object.entries(given).flatMap(([key, one]) =>
    Object.hasOwn(payload, key) ? placesIn(one, payload[key] as Json, payload, key, `${path}.${key}`) : [],
  );
}

function placesIn(
  field: WrittenField,
  value: Json,
  holder: Place["holder"],
  key: string | number,
  path: string,
): Place[] {
  const here: Place = { path, field, value, holder, key };
  if (Array.isArray(value) && field.items) {
    const { items } = field;
    return [here, ...value.flatMap((item, at) => placesIn(items, item, value, at, `${path}[${at}]`))];
  }
  if (field.fields && typeof value === "object" && value !== null)
    return [here, ...placesOf(field.fields, value as JsonObject, path)];
  return [here];
}
