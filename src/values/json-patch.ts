import { KoorError } from "../contract/errors.ts";
import { decodeString, enter, kindOf, next, valueOf } from "../contract/json-text.ts";
import { limits } from "../contract/limits.ts";
import { type Place, type Search, type Span, locate, parsePointer, search, wholeOf } from "./pointer.ts";
import { isSameJson, membersOf } from "./same-json.ts";

export interface Patched {
  text: string;
  /** Whether the whole value was replaced, without a test of the whole. */
  replacesAll: boolean;
}

/**
 * A JSON patch (RFC 6902), as edits of the text: what an operation does not touch keeps every character.
 *
 * None of the libraries does the whole job (November 2026): fast-json-patch clones by way of `JSON.parse` and takes no
 * member named `__proto__`; rfc6902 drops that member, cannot replace the whole, and tests large arrays in quadratic time;
 * immutable-json-patch tells objects with another order of members apart, and removes what is not there. All of them
 * work on parsed numbers.
 *
 * @param text valid JSON
 * @param patch valid JSON
 * @throws KoorError `bad_request` for what is no patch; `conflict` where an operation does not fit the value, or its
 * test fails; `too_large` as soon as the text is: a patch can double it with each operation. Their `path` names the
 * operation by its index
 */
export function applyJsonPatch(text: string, patch: string): Patched {
  if (kindOf(patch, wholeOf(patch).start) !== "array") {
    throw new KoorError("bad_request", "body must be an array of operations", { path: "body" });
  }
  let patched = text;
  let index = 0;
  let replacesAll = false;
  let testsAll = false;
  for (const part = enter(patch, wholeOf(patch).start); next(patch, part);) {
    const operation = readOperation(valueOf(patch, part), index);
    patched = applyOne(patched, operation);
    if (operation.path.length === 0) {
      // Behind a change it tests what the patch itself has put there.
      if (operation.op !== "test") replacesAll = true;
      else if (patched === text) testsAll = true;
    }
    if (patched.length > limits.valueBytes) {
      throw new KoorError(
        "too_large",
        `operation ${index} makes the value larger than ${limits.valueBytes} bytes`,
        {
          path: `${index}`,
        },
      );
    }
    index++;
  }
  return { text: patched, replacesAll: replacesAll && !testsAll };
}

const names = ["add", "remove", "replace", "move", "copy", "test"] as const;

interface Operation {
  index: number;
  op: (typeof names)[number];
  path: string[];
  /** Where `move` and `copy` take it from. */
  from: string[];
  /** JSON text; of an operation without a value empty. */
  value: string;
}

function readOperation(text: string, index: number): Operation {
  const bad = (field: string, fault: string) =>
    new KoorError("bad_request", `${index}.${field} ${fault}`, { path: `${index}.${field}` });
  if (kindOf(text, 0) !== "object") {
    throw new KoorError("bad_request", `${index} must be an object`, { path: `${index}` });
  }
  const members = membersOf(text);
  const textOf = (field: string) => {
    const token = members.get(field);
    if (token === undefined) throw bad(field, "is required");
    if (!token.startsWith('"')) throw bad(field, "must be a text");
    return decodeString(token);
  };
  const op = names.find((name) => name === textOf("op"));
  if (!op) throw bad("op", `must be one of ${names.join(", ")}`);
  const moves = op === "move" || op === "copy";
  const needsValue = op === "add" || op === "replace" || op === "test";
  const value = needsValue ? members.get("value") : "";
  if (value === undefined) throw bad("value", "is required");
  const path = parsePointer(textOf("path"), `${index}.path`);
  const from = moves ? parsePointer(textOf("from"), `${index}.from`) : [];
  if (op === "move" && from.length < path.length && from.every((name, at) => name === path[at]))
    throw bad("from", "cannot be moved into a part of itself");
  if (op === "remove" && path.length === 0) throw bad("path", "is the whole value: delete it instead");
  return { index, op, path, from, value };
}

function applyOne(text: string, operation: Operation): string {
  const { op, path, from, value } = operation;
  const existing = (names: readonly string[], field: string): Span => {
    const span = locate(text, names);
    if (!span) throw conflict(operation, field, "leads to nothing");
    return span;
  };
  switch (op) {
    case "add":
      return insert(text, operation, value);
    case "remove":
      existing(path, "path");
      return remove(text, path);
    case "replace":
      return splice(text, existing(path, "path"), value);
    case "copy": {
      const { start, end } = existing(from, "from");
      return insert(text, operation, text.slice(start, end));
    }
    case "move": {
      const { start, end } = existing(from, "from");
      // The whole can only be moved to where it is.
      if (from.length === 0) return text;
      return insert(remove(text, from), operation, text.slice(start, end));
    }
    case "test": {
      const { start, end } = existing(path, "path");
      if (isSameJson(text.slice(start, end), value)) return text;
      throw conflict(operation, "value", "is not what is there");
    }
  }
}

function insert(text: string, operation: Operation, value: string): string {
  const name = operation.path.at(-1);
  if (name === undefined) return value;
  const parent = locate(text, operation.path.slice(0, -1));
  const kind = parent && kindOf(text, parent.start);
  if (!parent || kind === "other") throw conflict(operation, "path", "leads to nothing that holds parts");
  const { part, before, count } = search(text, parent.start, name);
  if (part && kind === "object") return splice(text, part, value);
  if (part) return splice(text, at(part.from), `${value},`);
  if (kind === "array" && name !== "-" && name !== `${count}`)
    throw conflict(operation, "path", `is no place in an array of ${count}`);
  const added = kind === "object" ? `${JSON.stringify(name)}:${value}` : value;
  return before ? splice(text, at(before.end), `,${added}`) : splice(text, at(parent.start + 1), added);
}

/** @param path leads to something, and not to the whole */
function remove(text: string, path: readonly string[]): string {
  const name = path.at(-1) as string;
  const parent = (locate(text, path.slice(0, -1)) as Span).start;
  const isObject = kindOf(text, parent) === "object";
  let left = text;
  // Of members that repeat all must go, else the one before shows.
  for (;;) {
    const found = search(left, parent, name);
    if (!found.part) return left;
    left = splice(left, withComma(found.part, found), "");
    if (!isObject) return left;
  }
}

/** A part with the comma on one side of it. */
function withComma(part: Place, { before, after }: Search): Span {
  if (before) return { start: before.end, end: part.end };
  return { start: part.from, end: after ? after.from : part.end };
}

function at(position: number): Span {
  return { start: position, end: position };
}

function splice(text: string, { start, end }: Span, middle: string): string {
  return text.slice(0, start) + middle + text.slice(end);
}

function conflict({ index, op }: Operation, field: string, fault: string): KoorError {
  return new KoorError("conflict", `operation ${index} (${op}): its ${field} ${fault}`, {
    path: `${index}.${field}`,
    hint: "Nothing was changed. Read the value again, and make a patch for what it is now.",
  });
}
