import {
  type Defs,
  commonTypes,
  conjunctionOf,
  listedValues,
  memberSchemas,
  requires,
} from "./conjunction.ts";
import { type Json, type JsonObject, isObject, setMember } from "./json.ts";
import type { Schema } from "./schema.ts";

/** A value that a schema describes, for who tests an endpoint without data of their own. */

/** How deep a sample goes: a schema that requires itself has none that ends. */
const depthMost = 16;

const texts: Readonly<Record<string, string>> = {
  "date-time": "2026-01-01T00:00:00Z",
  date: "2026-01-01",
  time: "00:00:00Z",
  email: "sample@example.com",
  uuid: "00000000-0000-4000-8000-000000000000",
  uri: "https://example.com/",
  hostname: "example.com",
  ipv4: "127.0.0.1",
};

/** As small as the schema allows: only what is required. Patterns are not looked at. */
export function sampleOf(schemas: readonly Schema[], defs: Defs, depth = 0): Json {
  const { parts: own, unions } = conjunctionOf(schemas, defs);
  // Of alternatives the first.
  const parts = [...own, ...unions.flatMap((union) => conjunctionOf(union.slice(0, 1), defs).parts)];
  const all = { parts, unions: [], chosen: [], never: false };
  const listed = listedValues(all);
  if (listed?.length) return listed[0] as Json;
  for (const part of parts) {
    const given =
      part.example ?? part.default ?? (Array.isArray(part.examples) ? part.examples[0] : undefined);
    if (given !== undefined) return given;
  }
  const types = commonTypes(all);
  const bound = (keyword: string) =>
    Math.max(0, ...parts.map((part) => part[keyword]).filter((value) => typeof value === "number"));
  if (types.has("object") && (types.size < 7 || parts.some((part) => part.properties))) {
    const names = new Set(
      parts.flatMap((part) => (isObject(part.properties) ? Object.keys(part.properties) : [])),
    );
    const value: JsonObject = {};
    for (const name of names) {
      if (requires(all, name) && depth < depthMost)
        setMember(value, name, sampleOf(memberSchemas(all, name), defs, depth + 1));
    }
    return value;
  }
  if (types.has("string")) {
    const format = parts.map((part) => texts[part.format as string]).find((text) => text !== undefined);
    return format ?? "sample".padEnd(Math.min(bound("minLength"), 4096), "-").slice(0, lengthMost(parts));
  }
  if (types.has("integer") || types.has("fraction")) {
    const least = parts.flatMap(({ minimum, exclusiveMinimum }) => [
      ...(typeof minimum === "number" ? [minimum] : []),
      ...(typeof exclusiveMinimum === "number" ? [exclusiveMinimum + 1] : []),
    ]);
    const most = parts.map(({ maximum }) => maximum).filter((value) => typeof value === "number");
    return Math.min(Math.max(1, ...least), ...most);
  }
  if (types.has("boolean")) return true;
  if (types.has("array")) {
    const items = parts.map((part) => part.items as Schema | undefined).filter((item) => item !== undefined);
    const count = depth < depthMost ? Math.min(bound("minItems"), 16) : 0;
    return Array.from({ length: count }, () => sampleOf(items, defs, depth + 1));
  }
  return null;
}

function lengthMost(parts: readonly JsonObject[]): number {
  return Math.min(4096, ...parts.map((part) => part.maxLength).filter((value) => typeof value === "number"));
}
