import { KoorError } from "../contract/errors.ts";
import { kindOf } from "../contract/json-text.ts";
import { escapeName } from "./pointer.ts";
import { isSameJson, membersOf } from "./same-json.ts";

/** Differences in one answer: as many as anyone reads, and it bounds what a million small members would come to. */
export const diffRows = 10_000;

export interface Diff {
  /** A JSON array; values in it are as they were written. */
  text: string;
  /** There are more than `diffRows`. */
  truncated: boolean;
}

/**
 * What has changed between two objects: members are looked into where both are objects, an array is one value. Libraries
 * (jsondiffpatch, microdiff, rfc6902) look into arrays, and at parsed numbers.
 *
 * @param a valid JSON without white space around it, as is `b`
 * @throws KoorError `bad_request` where one is no object
 */
export function diffJson(a: string, b: string): Diff {
  if (kindOf(a, 0) !== "object" || kindOf(b, 0) !== "object") {
    throw new KoorError("bad_request", "only JSON objects can be compared", { path: "diff" });
  }
  const rows: string[] = [];
  for (const row of changes(a, b, "")) {
    if (rows.length === diffRows) return { text: `[${rows.join(",")}]`, truncated: true };
    rows.push(row);
  }
  return { text: `[${rows.join(",")}]`, truncated: false };
}

/** First what the first object has, in its order, then what is new. */
function* changes(a: string, b: string, path: string): Generator<string> {
  const [old, fresh] = [membersOf(a), membersOf(b)];
  for (const [name, value] of old) {
    const place = `${path}/${escapeName(name)}`;
    const other = fresh.get(name);
    if (other === undefined) yield row("remove", place, value, undefined);
    else if (kindOf(value, 0) === "object" && kindOf(other, 0) === "object") {
      if (value !== other) yield* changes(value, other, place);
    } else if (!isSameJson(value, other)) yield row("replace", place, value, other);
  }
  for (const [name, value] of fresh) {
    if (!old.has(name)) yield row("add", `${path}/${escapeName(name)}`, undefined, value);
  }
}

function row(operation: string, path: string, old: string | undefined, fresh: string | undefined): string {
  return (
    `{"operation":"${operation}","path":${JSON.stringify(path)}` +
    (old === undefined ? "" : `,"old_value":${old}`) +
    (fresh === undefined ? "}" : `,"new_value":${fresh}}`)
  );
}
