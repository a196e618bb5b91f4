import type { Conjunction, ValueType } from "./conjunction.ts";
import { type Json, isObject } from "./json.ts";
import type { SchemaObject } from "./schema.ts";

/** Bounds of numbers, lengths and counts: whether what one side writes stays within those of the other. */

interface Bound {
  keyword: string;
  /** Of which values it says anything. */
  types: readonly ValueType[];
  /** Whether a writer's bound, or no bound, is at least as narrow as the reader's. */
  keeps: (parts: readonly SchemaObject[], limit: number) => boolean;
  /** Whether a listed value keeps it. */
  holds: (value: Json, limit: number) => boolean;
}

const numbersOf = (parts: readonly SchemaObject[], keyword: string) =>
  parts.map((part) => part[keyword]).filter((value) => typeof value === "number");

const characters = (value: Json) => Array.from(value as string).length;
const sizeOf = (value: Json) =>
  Array.isArray(value) ? value.length : isObject(value) ? Object.keys(value).length : characters(value);

const least = (keyword: string, type: ValueType): Bound => ({
  keyword,
  types: [type],
  keeps: (parts, limit) => limit === 0 || numbersOf(parts, keyword).some((own) => own >= limit),
  holds: (value, limit) => sizeOf(value) >= limit,
});

const most = (keyword: string, type: ValueType): Bound => ({
  keyword,
  types: [type],
  keeps: (parts, limit) => numbersOf(parts, keyword).some((own) => own <= limit),
  holds: (value, limit) => sizeOf(value) <= limit,
});

const numeric: readonly ValueType[] = ["integer", "fraction"];

const bounds: readonly Bound[] = [
  least("minLength", "string"),
  most("maxLength", "string"),
  least("minItems", "array"),
  most("maxItems", "array"),
  least("minProperties", "object"),
  most("maxProperties", "object"),
  {
    keyword: "minimum",
    types: numeric,
    keeps: (parts, limit) =>
      [...numbersOf(parts, "minimum"), ...numbersOf(parts, "exclusiveMinimum")].some((own) => own >= limit),
    holds: (value, limit) => (value as number) >= limit,
  },
  {
    keyword: "exclusiveMinimum",
    types: numeric,
    keeps: (parts, limit) =>
      numbersOf(parts, "minimum").some((own) => own > limit) ||
      numbersOf(parts, "exclusiveMinimum").some((own) => own >= limit),
    holds: (value, limit) => (value as number) > limit,
  },
  {
    keyword: "maximum",
    types: numeric,
    keeps: (parts, limit) =>
      [...numbersOf(parts, "maximum"), ...numbersOf(parts, "exclusiveMaximum")].some((own) => own <= limit),
    holds: (value, limit) => (value as number) <= limit,
  },
  {
    keyword: "exclusiveMaximum",
    types: numeric,
    keeps: (parts, limit) =>
      numbersOf(parts, "maximum").some((own) => own < limit) ||
      numbersOf(parts, "exclusiveMaximum").some((own) => own <= limit),
    holds: (value, limit) => (value as number) < limit,
  },
  {
    keyword: "multipleOf",
    types: numeric,
    keeps: (parts, limit) => numbersOf(parts, "multipleOf").some((own) => own % limit === 0),
    holds: (value, limit) => (value as number) % limit === 0,
  },
];

export interface BoundNotKept {
  rule: "bound";
  /** What the writer has, and what the reader. */
  message: readonly [writer: string, reader: string];
}

/**
 * @param types of the values that are written
 * @param values all of them, where they are listed
 */
export function boundsNotKept(
  w: Conjunction,
  reader: SchemaObject,
  types: ReadonlySet<ValueType>,
  values: readonly Json[] | undefined,
): BoundNotKept[] {
  const found: BoundNotKept[] = [];
  for (const { keyword, types: concerned, keeps, holds } of bounds) {
    const limit = reader[keyword];
    const written = concerned.filter((type) => types.has(type));
    if (typeof limit !== "number" || written.length === 0) continue;
    const onlyIntegers = keyword === "multipleOf" && limit === 1 && !types.has("fraction");
    const kept =
      onlyIntegers ||
      keeps(w.parts, limit) ||
      values?.every((value) => !isConcerned(value, concerned) || holds(value, limit));
    if (kept) continue;
    const own = numbersOf(w.parts, keyword)[0];
    found.push({
      rule: "bound",
      message: [own === undefined ? `no ${keyword}` : `${keyword} ${own}`, `${keyword} ${limit}`],
    });
  }
  if (reader.uniqueItems === true && types.has("array") && !w.parts.some((part) => part.uniqueItems === true))
    found.push({ rule: "bound", message: ["with repeated items", "with unique items"] });
  return found;
}

function isConcerned(value: Json, types: readonly ValueType[]): boolean {
  if (typeof value === "string") return types.includes("string");
  if (typeof value === "number") return types.includes("integer");
  if (Array.isArray(value)) return types.includes("array");
  return value !== null && typeof value === "object" && types.includes("object");
}
