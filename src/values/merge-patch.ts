import { enter, kindOf, nameOf, next, valueOf } from "../contract/json-text.ts";
import { membersOf } from "./same-json.ts";

/**
 * A JSON merge patch (RFC 7386). Written out rather than taken from npm: `json-merge-patch` assigns members, so that one
 * named `__proto__` becomes a prototype, and works on parsed numbers, so that digits are lost.
 *
 * @param text valid JSON without white space around it, as is `patch`
 * @returns the text with the patch's members in it; what it does not name keeps every character
 */
export function mergePatch(text: string, patch: string): string {
  if (kindOf(patch, 0) !== "object") return patch;
  const object = kindOf(text, 0) === "object" ? text : "{}";
  const changes = membersOf(patch);
  const added = new Set(changes.keys());
  const pieces: string[] = [];
  /** Where members begin that the patch does not name, and so stay as they are, with all between them. */
  let kept = -1;
  let keptEnd = -1;
  const part = enter(object, 0);
  while (next(object, part)) {
    const name = nameOf(object, part);
    const change = changes.get(name);
    if (change === undefined) {
      if (kept === -1) kept = part.from;
      keptEnd = part.end;
      continue;
    }
    if (kept !== -1) pieces.push(object.slice(kept, keptEnd));
    kept = -1;
    added.delete(name);
    if (change !== "null")
      pieces.push(object.slice(part.from, part.start) + mergePatch(valueOf(object, part), change));
  }
  if (kept !== -1) pieces.push(object.slice(kept, keptEnd));
  for (const name of added) {
    const change = changes.get(name) as string;
    if (change !== "null") pieces.push(`${JSON.stringify(name)}:${mergePatch("null", change)}`);
  }
  return `{${pieces.join(",")}}`;
}
