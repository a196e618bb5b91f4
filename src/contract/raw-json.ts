import { enter, nameOf, next, skipSpace, valueOf } from "./json-text.ts";

/** JSON as the text that came in, so that a number of twenty digits keeps them all. */
export class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Puts the texts that came in where their values stand in what was made of them.
 *
 * @param value what the text was parsed to and checked as; changed in place
 * @param text valid JSON
 * @param paths members by name, dotted, `*` for each item or member: `data`, `do.*.put.value`. Of members that repeat
 * the last counts, as in `JSON.parse`
 */
export function keepRaw(value: unknown, text: string, paths: readonly string[]): void {
  for (const path of paths) keepAt(value, text, skipSpace(text, 0), path.split("."));
}

function keepAt(value: unknown, text: string, at: number, [step, ...rest]: readonly string[]): void {
  if (typeof value !== "object" || value === null) return;
  const isArray = Array.isArray(value);
  let index = 0;
  for (const part = enter(text, at); next(text, part); index++) {
    const name = isArray ? String(index) : nameOf(text, part);
    if ((step !== "*" && step !== name) || !Object.hasOwn(value, name)) continue;
    const holder = value as Record<string, unknown>;
    if (rest.length === 0) holder[name] = new RawJson(valueOf(text, part));
    else keepAt(holder[name], text, part.start, rest);
  }
}

/**
 * `JSON.stringify`, with `RawJson` put in as it is. JavaScript's own `JSON.rawJSON` takes only primitives, so the
 * few places where raw texts can stand are spelled out: a value, or a member of it, or of an array's items.
 */
export function stringify(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value) && value.some(holdsRaw)) return `[${value.map(stringify).join(",")}]`;
  if (holdsRaw(value)) {
    const members = Object.entries(value as Record<string, unknown>)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => `${JSON.stringify(name)}:${stringify(member)}`);
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value);
}

function holdsRaw(value: unknown): boolean {
  if (value instanceof RawJson) return true;
  return (
    typeof value === "object" &&
    value !== null &&
    Object.values(value).some((member) => member instanceof RawJson)
  );
}
