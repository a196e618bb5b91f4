import { z } from "zod";
import type { Operation } from "../../src/contract/operation.ts";

/** Reading the contract's schemas: fields for tables, and shapes for people. */

/** As much of JSON Schema as zod writes. */
export interface JsonSchema {
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  enum?: unknown[];
  const?: unknown;
  pattern?: string;
  format?: string;
  default?: unknown;
  examples?: unknown[];
  description?: string;
  additionalProperties?: boolean | JsonSchema;
}

export type Place = "params" | "query" | "body";

/** One thing that a request of an operation can hold. */
export interface Field {
  place: Place;
  name: string;
  schema: JsonSchema;
  required: boolean;
}

/** @param io `input`: as it comes in; `output`: as it goes out */
export function jsonSchema(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  return z.toJSONSchema(schema, { io, unrepresentable: "any" }) as JsonSchema;
}

/** Every parameter, query field and member of a JSON body, in this order. */
export function fieldsOf(operation: Operation): Field[] {
  const places: [Place, z.ZodType | undefined][] = [
    ["params", operation.params],
    ["query", operation.query],
    ["body", operation.body?.kind === "json" ? operation.body.schema : undefined],
  ];
  return places.flatMap(([place, schema]) => {
    const { properties = {}, required = [] } = schema ? jsonSchema(schema, "input") : {};
    return Object.entries(properties).map(([name, field]) => ({
      place,
      name,
      schema: field,
      required: required.includes(name),
    }));
  });
}

/** What the query of an operation always holds: its `when`, if that can only have one value. */
export function fixedQuery({ when, query }: Operation): Record<string, string> | undefined {
  const value = when && query && jsonSchema(query, "input").properties?.[when]?.const;
  return typeof value === "string" ? { [when as string]: value } : undefined;
}

/** The patterns of texts that are read as whole numbers. */
const wholeNumbers = [String.raw`^\d{1,15}$`, String.raw`^-?\d+$`];

/** A schema in one line, in the notation that people and models know from TypeScript. */
export function shape(schema: JsonSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf) return schema.anyOf.map(shape).join(" | ");
  if (Array.isArray(schema.type)) return schema.type.map((type) => shape({ ...schema, type })).join(" | ");
  switch (schema.type) {
    case "array": {
      const items = shape(schema.items ?? {});
      return items.includes(" | ") ? `(${items})[]` : `${items}[]`;
    }
    case "object":
      return objectShape(schema);
    case "string":
      if (schema.format === "date-time") return "time";
      return wholeNumbers.includes(schema.pattern ?? "") ? "whole number" : "text";
    case "integer":
      return "whole number";
    case undefined:
      return "any JSON";
    default:
      return schema.type;
  }
}

function objectShape({ properties, required = [], additionalProperties }: JsonSchema): string {
  const members = Object.entries(properties ?? {}).map(
    ([name, member]) => `${name}${required.includes(name) ? "" : "?"}: ${shape(member)}`,
  );
  if (typeof additionalProperties === "object") members.push(`[name]: ${shape(additionalProperties)}`);
  return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
}
