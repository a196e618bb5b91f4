import { createScanner } from "jsonc-parser";

/** JSON as the text that came in, so that a number of twenty digits keeps them all. */
export class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * The top-level members of a JSON object as their own texts, white space between tokens removed: an event is one
 * line wherever it goes. Of members that repeat the last counts, as in `JSON.parse`.
 *
 * @param text valid JSON (it was parsed before); what is no object has no members
 */
export function rawMembers(text: string, names: readonly string[]): Map<string, RawJson> {
  const members = new Map<string, RawJson>();
  const scanner = createScanner(text, true);
  /** The next token, by its first character: `""` at the end. */
  const next = () => {
    scanner.scan();
    return text.charAt(scanner.getTokenOffset());
  };
  if (next() !== "{") return members;
  let token = next();
  while (token === '"') {
    const name = scanner.getTokenValue();
    next();
    const wanted = names.includes(name);
    const parts: string[] = [];
    let depth = 0;
    for (token = next(); token !== ""; token = next()) {
      if (depth === 0 && (token === "," || token === "}")) break;
      if (token === "{" || token === "[") depth++;
      if (token === "}" || token === "]") depth--;
      const start = scanner.getTokenOffset();
      if (wanted) parts.push(text.slice(start, start + scanner.getTokenLength()));
    }
    if (wanted) members.set(name, new RawJson(parts.join("")));
    if (token === ",") token = next();
  }
  return members;
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
