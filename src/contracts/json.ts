/** JSON as `JSON.parse` gives it, and what the contract engine asks of it. Every member is looked up as an own one. */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

export type JsonType = "null" | "boolean" | "number" | "string" | "array" | "object";

export function typeOf(value: unknown): JsonType {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value as JsonType;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member, unless it is only inherited: `constructor` is a name like any other. */
export function member(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Sets a member of any name: `__proto__` is one, too. */
export function setMember(object: JsonObject, name: string, value: Json): void {
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
  } else object[name] = value;
}

/** Whether two values are the same JSON. Recurses as deep as the shallower of the two. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => same(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]))
  );
}

/** A segment of a JSON pointer (RFC 6901) behind another pointer. */
export function pointerTo(parent: string, name: string | number): string {
  return `${parent}/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** What a JSON pointer names; nothing where it names nothing. */
export function atPointer(document: Json, pointer: string): Json | undefined {
  let value: Json | undefined = document;
  for (const segment of pointer.split("/").slice(1)) {
    const name = segment.replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(value)) value = /^(0|[1-9]\d*)$/.test(name) ? value[Number(name)] : undefined;
    else value = isObject(value) ? member(value, name) : undefined;
    if (value === undefined) return undefined;
  }
  return value;
}

/** How much of a path is told, in UTF-16 units. */
const pathLength = 256;

/**
 * The dotted path of what is nested more than `most` levels deep. Walks without recursion, since it stands before all
 * that recurses.
 */
export function tooDeepAt(value: unknown, most: number): string | undefined {
  interface Visit {
    value: unknown;
    depth: number;
    name: string;
    parent: Visit | undefined;
  }
  const waiting: Visit[] = [{ value, depth: 0, name: "", parent: undefined }];
  for (let visit = waiting.pop(); visit; visit = waiting.pop()) {
    if (typeof visit.value !== "object" || visit.value === null) continue;
    if (visit.depth === most) {
      const names: string[] = [];
      for (let at: Visit | undefined = visit; at?.parent; at = at.parent) names.unshift(at.name);
      return names.join(".").slice(0, pathLength);
    }
    for (const [name, inner] of Object.entries(visit.value)) {
      waiting.push({ value: inner, depth: visit.depth + 1, name, parent: visit });
    }
  }
  return undefined;
}
