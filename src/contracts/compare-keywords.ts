import { type Comparison, type Finding, idOf, wasIs } from "./comparison.ts";
import { type Conjunction, valuesOf } from "./conjunction.ts";
import { type Json, isObject, same } from "./json.ts";
import { type SchemaObject, followed } from "./schema.ts";

/** Listed values, and the keywords that are not looked into. */

/** Whether the reader takes the values that are written, where it lists what it takes. */
export function listed(
  comparison: Comparison,
  values: readonly Json[] | undefined,
  types: ReadonlySet<string>,
  reader: SchemaObject,
  at: string,
): Finding[] {
  const allowed = valuesOf(reader);
  if (!allowed) return [];
  const few = [...types].every((type) => type === "null" || type === "boolean");
  const written =
    values ??
    (few ? [null, false, true].filter((value) => types.has(value === null ? "null" : "boolean")) : undefined);
  const shown = (list: readonly Json[]) => JSON.stringify(list).slice(0, 128);
  if (!written)
    return [
      { rule: "enum", pointer: at, message: wasIs(comparison, "any value", `one of ${shown(allowed)}`) },
    ];
  const missing = written.filter((value) => !allowed.some((other) => same(other, value)));
  if (missing.length === 0) return [];
  const message = `${shown(missing)} ${comparison.writerIsOld ? "is no longer allowed" : "was added"}`;
  return [{ rule: "enum", pointer: at, message }];
}

/** What a comparison does not look into, by the rule's name. */
const opaque: Readonly<Record<string, readonly string[]>> = {
  pattern: ["pattern", "patternProperties", "propertyNames"],
  format: ["format"],
  constraint: [
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependentRequired",
    "contains",
    "minContains",
  ],
  closed: ["maxContains", "unevaluatedItems", "unevaluatedProperties"],
};

export function unjudged(
  comparison: Comparison,
  w: Conjunction,
  reader: SchemaObject,
  at: string,
): Finding[] {
  return Object.entries(opaque).flatMap(([rule, names]) =>
    names
      .filter(
        (name) =>
          reader[name] !== undefined &&
          !w.parts.some((part) => sameSchema(comparison, part[name], reader[name])),
      )
      .map((name) => ({
        rule,
        pointer: at,
        message: `${name} differs, and what it allows cannot be compared`,
      })),
  );
}

/** Equal, with references followed on both sides. */
function sameSchema(
  comparison: Comparison,
  a: Json | undefined,
  b: Json | undefined,
  open = new Set<string>(),
): boolean {
  if (isObject(a) && isObject(b) && (typeof a.$ref === "string" || typeof b.$ref === "string")) {
    const pair = `${idOf(comparison, a)}=${idOf(comparison, b)}`;
    if (open.has(pair)) return true;
    const next = new Set([...open, pair]);
    return sameSchema(
      comparison,
      followed(a, comparison.writer.defs),
      followed(b, comparison.reader.defs),
      next,
    );
  }
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => sameSchema(comparison, item, b[index], open));
  if (!isObject(a) || !isObject(b)) return same(a, b);
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && sameSchema(comparison, a[name], b[name], open))
  );
}
