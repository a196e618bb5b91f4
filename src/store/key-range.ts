import type { KeyRange } from "./store.ts";

const lastCodePoint = 0x10ffff;

/**
 * The least text that is greater than every text beginning with `prefix`, in the order of UTF-8 bytes, which is
 * the order of code points. `undefined` when there is none (an empty prefix, or one of U+10FFFF only).
 */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  while (points.at(-1) === lastCodePoint) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  // The surrogates U+D800 to U+DFFF are no characters of UTF-8.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
}

/** A range of keys as conditions: at least `from`, above `after`, below `before`. */
export function bounds(range: KeyRange): {
  from: string;
  after: string | undefined;
  before: string | undefined;
} {
  const prefix = range.prefix ?? "";
  return { from: prefix, after: range.after, before: prefixEnd(prefix) };
}

/** Compares as SQLite and PostgreSQL's "C" collation do. JavaScript's own order goes by UTF-16 units. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
