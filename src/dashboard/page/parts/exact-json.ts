/** JSON with every digit as it came, and not deeper than can be drawn. Pure. */

/** Levels of a value that is drawn as a tree, or written anew: each level costs several calls of the browser's stack. */
const maxLevels = 100;

/** Not in TypeScript's library yet; browsers have it since 2023 (Chromium), 2025 (Firefox, Safari). */
const { rawJSON } = JSON as unknown as { rawJSON?: (text: string) => unknown };

/**
 * JSON.parse, but a number that JavaScript would round (twenty digits, 1.0) goes out again as it came in.
 *
 * @throws SyntaxError for what is no JSON, or has more than a hundred levels: a value may be half a million of them
 */
export function parseExact(text: string): unknown {
  if (!isFlat(text)) throw new SyntaxError(`it has more than ${maxLevels} levels`);
  if (!rawJSON) return JSON.parse(text);
  return JSON.parse(text, (_key: string, value: unknown, context?: { source?: string }) => {
    const source = context?.source;
    return typeof value === "number" && source !== undefined && String(value) !== source
      ? rawJSON(source)
      : value;
  });
}

/** Whether JSON has so few levels that it can be a tree. */
function isFlat(text: string): boolean {
  // Most texts are too short for it.
  if (text.length <= 2 * maxLevels) return true;
  let level = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x22) quoted = !quoted;
    else if (quoted) at += char === 0x5c ? 1 : 0;
    else if (char === 0x5b || char === 0x7b) {
      level += 1;
      if (level > maxLevels) return false;
    } else if (char === 0x5d || char === 0x7d) level -= 1;
  }
  return true;
}
