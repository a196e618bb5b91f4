/**
 * The one glob dialect of Koor: topics, `applies_to`, leases' paths, key filters.
 *
 *     *        any run of characters, also none; dots and slashes are characters like any other
 *     ?        one character (a code point)
 *     [a-z]    one character of a class; `[!a-z]` and `[^a-z]` one that is not in it; `]` first and `-` first or last are themselves
 *     {a,b}    either; may nest, and an alternative may be empty
 *     \x       x itself, also inside a class
 *
 * All else stands for itself, and so do `]`, `}` and a comma outside of their brackets. A glob matches the whole text.
 *
 * Matching takes O(text x pattern) at worst: it keeps the set of positions that the pattern so far can end at,
 * each once, and never goes back. Measured (a loop of a million, topic of 24 characters): `api.*` 9 ns a test,
 * `api.*.changed` 17 ns, `{api,ui}.*.{created,changed}` 0.4 us; the worst that the bounds let through (`*` and then
 * 255 classes, on 4,096 characters that fit them all) 12 ms. A backtracking matcher does not live to see the end of `a*a*a*...b`.
 */

/** A compiled glob. */
export interface Glob {
  /** What it was compiled from. */
  readonly pattern: string;
  /** The literal text that every match begins with, so that a store can read a range of an index. Often empty. */
  readonly prefix: string;
  /** `exact` matches `prefix` alone, `prefix` all that begins with it, `all` everything. Only `glob` needs `test`. */
  readonly kind: "all" | "exact" | "prefix" | "glob";
  /** Whether the whole text matches. */
  test(text: string): boolean;
}

/** A glob's longest pattern in UTF-8 bytes, and that of a list of globs: that of a topic, so that each topic can be asked for literally. */
export const PATTERN_BYTES = 4096;

/**
 * The most states in a pattern: wildcards, ranges in classes, alternatives, and runs of literal text.
 * A list of 250 names in braces fits; and it bounds the worst match, since a subscriber's pattern is tried in the event loop.
 */
export const PATTERN_STATES = 256;

/** A malformed or oversized pattern. The message says what is wrong and where, and is meant for the caller. */
export class GlobError extends Error {
  override readonly name = "GlobError";
}

/**
 * Compiles one glob. A comma outside of braces is a comma, and the empty pattern matches the empty text.
 * @throws GlobError
 */
export function compileGlob(pattern: string): Glob {
  return build(pattern, parse(pattern, false)[0]!);
}

/** What matches this text alone, whatever is in it. */
export function exactGlob(text: string): Glob {
  return { pattern: text, prefix: text, kind: "exact", test: (other) => other === text };
}

/**
 * Compiles a list of globs with commas between, which matches what any of them matches.
 * Nothing (no list, an empty one, only commas) matches everything; else empty places in the list are passed over.
 * Spaces belong to the patterns, as a topic may have some.
 * @throws GlobError
 */
export function compileGlobs(list: string | undefined): Glob {
  const pattern = list || "*";
  const globs = parse(pattern, true)
    .filter((nodes) => nodes.length > 0)
    .map((nodes) => build(pattern, nodes));
  if (globs.length === 0) return build(pattern, [RUN]);
  return (
    globs.find((glob) => glob.kind === "all") ?? (globs.length === 1 ? globs[0]! : anyOf(pattern, globs))
  );
}

/** A class's ranges are pairs of the first and the last code point. */
type Node =
  | { kind: "text"; text: string }
  | { kind: "one" }
  | { kind: "class"; negated: boolean; ranges: readonly number[] }
  | { kind: "run" }
  | { kind: "either"; branches: Node[][] };

const ONE: Node = { kind: "one" };
const RUN: Node = { kind: "run" };

/** The alternatives of a list, or the one of a single pattern. */
function parse(pattern: string, isList: boolean): Node[][] {
  if (new TextEncoder().encode(pattern).length > PATTERN_BYTES) {
    throw new GlobError(`the pattern is longer than ${PATTERN_BYTES} bytes`);
  }
  // Half a surrogate pair would match in the middle of a character.
  if (!pattern.isWellFormed()) throw new GlobError("the pattern is not well-formed Unicode");
  const characters = Array.from(pattern);
  let at = 0;
  let states = 0;

  function count(): void {
    if (++states > PATTERN_STATES) {
      throw new GlobError(
        `the pattern has more than ${PATTERN_STATES} wildcards, alternatives and other parts`,
      );
    }
  }

  function escaped(): string {
    if (at === characters.length) throw new GlobError(`the \\ at character ${at} escapes nothing`);
    return characters[at++]!;
  }

  /** Reads up to the end, or up to the brace that closes the one at `opened`. */
  function branches(opened: number | undefined): Node[][] {
    const splits = isList || opened !== undefined;
    const found: Node[][] = [[]];
    while (at < characters.length) {
      const character = characters[at++]!;
      const nodes = found.at(-1)!;
      const ends = character === "}" && opened !== undefined;
      const splitsHere = character === "," && splits;
      if ((ends || splitsHere) && nodes.length === 0) count();
      if (ends) return found;
      if (splitsHere) {
        found.push([]);
      } else if (character === "{") {
        count();
        const inner = branches(at);
        append(
          nodes,
          inner.length === 1 && inner[0]!.length > 0 ? inner[0]! : [{ kind: "either", branches: inner }],
        );
      } else {
        const node = single(character);
        // A class has counted its ranges.
        if (node.kind === "text" ? nodes.at(-1)?.kind !== "text" : node.kind !== "class") count();
        append(nodes, [node]);
      }
    }
    if (opened !== undefined) throw new GlobError(`the { at character ${opened} is never closed`);
    return found;
  }

  function single(character: string): Node {
    if (character === "*") return RUN;
    if (character === "?") return ONE;
    if (character === "[") return characterClass(at);
    return { kind: "text", text: character === "\\" ? escaped() : character };
  }

  /** Reads the class whose bracket is at `opened`, counted from 1. */
  function characterClass(opened: number): Node {
    const negated = characters[at] === "!" || characters[at] === "^";
    if (negated) at++;
    const first = at;
    const ranges: number[] = [];
    while (at < characters.length) {
      const from = at;
      const character = characters[at++]!;
      if (character === "]" && from > first) return { kind: "class", negated, ranges };
      const low = (character === "\\" ? escaped() : character).codePointAt(0)!;
      const isRange = characters[at] === "-" && at + 1 < characters.length && characters[at + 1] !== "]";
      let high = low;
      if (isRange) {
        at++;
        const end = characters[at++]!;
        high = (end === "\\" ? escaped() : end).codePointAt(0)!;
      }
      if (high < low) {
        const range = characters.slice(from, at).join("");
        throw new GlobError(`the range ${range} at character ${from + 1} runs backwards`);
      }
      count();
      ranges.push(low, high);
    }
    throw new GlobError(`the [ at character ${opened} is never closed`);
  }

  return branches(undefined);
}

/** Appends, and brings into one shape what means the same: `**` is `*`, `*?` is `?*`, neighbouring texts are one. */
function append(nodes: Node[], more: readonly Node[]): void {
  for (const node of more) {
    const last = nodes.at(-1);
    if (node.kind === "text" && last?.kind === "text") {
      nodes[nodes.length - 1] = { kind: "text", text: last.text + node.text };
    } else if (last?.kind !== "run") nodes.push(node);
    else if (node.kind === "one") nodes.splice(-1, 0, node);
    else if (node.kind !== "run") nodes.push(node);
  }
}

/** Literal text at either end is compared first: it turns away most texts, and most patterns have little else. */
function build(pattern: string, nodes: readonly Node[]): Glob {
  const body = nodes.slice();
  const prefix = body[0]?.kind === "text" ? body[0].text : "";
  if (prefix) body.shift();
  const end = body.at(-1);
  const suffix = end?.kind === "text" ? end.text : "";
  if (suffix) body.pop();

  const isRun = body.length === 1 && body[0]!.kind === "run";
  if (body.length === 0 && !suffix) return { ...exactGlob(prefix), pattern };
  if (isRun && !suffix && !prefix) return { pattern, prefix, kind: "all", test: () => true };
  if (isRun && !suffix) return { pattern, prefix, kind: "prefix", test: (text) => text.startsWith(prefix) };

  const around = prefix.length + suffix.length;
  const hasEnds = (text: string) => text.length >= around && text.startsWith(prefix) && text.endsWith(suffix);
  if (isRun) return { pattern, prefix, kind: "glob", test: hasEnds };
  const test = (text: string) =>
    hasEnds(text) && matches(body, text.slice(prefix.length, text.length - suffix.length));
  return { pattern, prefix, kind: "glob", test };
}

function anyOf(pattern: string, globs: readonly Glob[]): Glob {
  let prefix = globs[0]!.prefix;
  for (const glob of globs) while (!glob.prefix.startsWith(prefix)) prefix = prefix.slice(0, -1);
  // Half a character is no text that a store could look for.
  if (!prefix.isWellFormed()) prefix = prefix.slice(0, -1);
  return { pattern, prefix, kind: "glob", test: (text) => globs.some((glob) => glob.test(text)) };
}

function matches(nodes: readonly Node[], text: string): boolean {
  return reach(nodes, text, [0]).at(-1) === text.length;
}

/**
 * Where the nodes can end when they begin at one of `starts`. Positions are indexes between the text's characters,
 * ascending and without repeats, so no node looks at a position twice.
 */
function reach(nodes: readonly Node[], text: string, starts: readonly number[]): readonly number[] {
  let at = starts;
  for (let index = 0; index < nodes.length && at.length > 0; index++) {
    const node = nodes[index]!;
    if (node.kind === "text")
      at = after(at, (from) => (text.startsWith(node.text, from) ? node.text.length : 0));
    else if (node.kind === "either")
      at = union(
        text,
        node.branches.map((branch) => reach(branch, text, at)),
      );
    else if (node.kind !== "run") at = after(at, (from) => width(node, text, from));
    else {
      const next = nodes[index + 1];
      if (next?.kind === "text") {
        // What follows from a later place also follows from the first when another run comes next.
        at = occurrences(text, next.text, at[0]!, nodes[index + 2]?.kind === "run");
        index++;
      } else at = boundaries(text, at[0]!);
    }
  }
  return at;
}

/** The positions that are left when each moves on by its width, 0 for none. */
function after(positions: readonly number[], widthAt: (from: number) => number): number[] {
  const moved: number[] = [];
  for (const from of positions) {
    const width = widthAt(from);
    if (width > 0) moved.push(from + width);
  }
  return moved;
}

/** How long the character at `from` is when the node takes it, else 0. */
function width(node: Node & { kind: "one" | "class" }, text: string, from: number): number {
  const point = text.codePointAt(from);
  if (point === undefined) return 0;
  if (node.kind === "class" && isWithin(node.ranges, point) === node.negated) return 0;
  return point > 0xffff ? 2 : 1;
}

function isWithin(ranges: readonly number[], point: number): boolean {
  for (let index = 0; index < ranges.length; index += 2) {
    if (ranges[index]! <= point && point <= ranges[index + 1]!) return true;
  }
  return false;
}

function occurrences(text: string, wanted: string, from: number, onlyFirst: boolean): number[] {
  const ends: number[] = [];
  for (let found = text.indexOf(wanted, from); found !== -1; found = text.indexOf(wanted, found + 1)) {
    ends.push(found + wanted.length);
    if (onlyFirst) break;
  }
  return ends;
}

/** All positions from one on, but those inside a character. */
function boundaries(text: string, from: number): number[] {
  const all: number[] = [];
  while (from <= text.length) {
    all.push(from);
    from += text.codePointAt(from)! > 0xffff ? 2 : 1;
  }
  return all;
}

function union(text: string, sets: readonly (readonly number[])[]): readonly number[] {
  const marks = new Uint8Array(text.length + 1);
  for (const set of sets) for (const position of set) marks[position] = 1;
  const all: number[] = [];
  for (let position = 0; position < marks.length; position++) if (marks[position]) all.push(position);
  return all;
}
