import { KoorError } from "../contract/errors.ts";
import { endOf, enter, isNamed, kindOf, next, skipSpace } from "../contract/json-text.ts";

/** JSON pointers (RFC 6901), and what they lead to in a text. Texts are valid JSON here, and positions are in them. */

/**
 * A pointer's names.
 * @param path where in the request it stands, for the refusal
 * @throws KoorError `bad_request`
 */
export function parsePointer(pointer: string, path: string): string[] {
  if (pointer === "") return [];
  if (!pointer.startsWith("/") || /~(?![01])/.test(pointer)) {
    throw new KoorError("bad_request", `${path} is no JSON pointer, such as /a/b, or empty for the whole`, {
      path,
      hint: "In a name ~ is written ~0 and / is written ~1.",
    });
  }
  return pointer.slice(1).split("/").map(unescapeName);
}

function unescapeName(name: string): string {
  return name.replaceAll("~1", "/").replaceAll("~0", "~");
}

export function escapeName(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** Where a value is. */
export interface Span {
  start: number;
  end: number;
}

export function wholeOf(text: string): Span {
  const start = skipSpace(text, 0);
  return { start, end: endOf(text, start) };
}

/** What the names lead to, from the whole on. */
export function locate(text: string, names: readonly string[]): Span | undefined {
  let span: Span = wholeOf(text);
  for (const name of names) {
    const { part } = search(text, span.start, name);
    if (!part) return undefined;
    span = part;
  }
  return span;
}

/** A part, and where it begins with its name. */
export interface Place extends Span {
  from: number;
}

export interface Search {
  part: Place | undefined;
  /** What stands before the part, or last where there is none; it ends here. */
  before: Place | undefined;
  /** What stands behind the part. */
  after: Place | undefined;
  /** How many parts were passed: where there is none of that name, all. */
  count: number;
}

/** Looks for the member of a name, of several the last as in `JSON.parse`, or the item of an index. */
export function search(text: string, container: number, name: string): Search {
  const isArray = kindOf(text, container) === "array";
  const index = isArray && /^(0|[1-9]\d*)$/.test(name) ? Number(name) : -1;
  const found: Search = { part: undefined, before: undefined, after: undefined, count: 0 };
  // Only what is asked for becomes an object: this is the loop that all work on large values spends its time in.
  let [lastFrom, lastStart, lastEnd] = [-1, -1, -1];
  let isBehind = false;
  const part = enter(text, container);
  while (next(text, part)) {
    const { from, start, end } = part;
    if (isBehind) found.after = { from, start, end };
    if (isBehind && isArray) return found;
    isBehind = isArray ? found.count === index : isNamed(text, part, name);
    if (isBehind) {
      found.part = { from, start, end };
      found.before = placeOf(lastFrom, lastStart, lastEnd);
      found.after = undefined;
    }
    found.count++;
    [lastFrom, lastStart, lastEnd] = [from, start, end];
  }
  if (!found.part) found.before = placeOf(lastFrom, lastStart, lastEnd);
  return found;
}

function placeOf(from: number, start: number, end: number): Place | undefined {
  return from === -1 ? undefined : { from, start, end };
}
