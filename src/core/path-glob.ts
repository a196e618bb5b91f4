/**
 * The globs of leases, and whether two of them have a path in common.
 *
 *     *        any run of characters within a name; a whole name when it stands alone
 *     ?        one character of a name (a code point)
 *     **       as a whole name: any number of directories, also none (`src/**` is `src` and all below it);
 *              within a name: any run of characters, slashes too
 *
 * All else stands for itself, `[id]` and `{a}` too: such names are common, and a lease that misread one would guard
 * another file. Unlike topics (`glob.ts`), paths are never matched against a text here, but against each other.
 *
 * Paths are relative to the project's root, and have one spelling each: see `parsePathGlob`.
 */

/** A path in its one spelling, as what it names. */
export interface PathGlob {
  /** As it is shown and stored. */
  readonly path: string;
  /** The path and a last slash, a character each; the four below stand for wildcards. */
  readonly tokens: string;
  /** The literal text that all that it names begins with, and ends with, counting a last slash. */
  readonly prefix: string;
  readonly suffix: string;
}

/** Wildcards within `tokens`. No path holds control characters, so that these are free. */
const ONE = "\u0001";
const RUN = "\u0002";
const ANY = "\u0003";
/** `**` as a whole name, with the slash behind it: nothing, or names that end in a slash. */
const DIRS = "\u0004";
// oxlint-disable-next-line no-control-regex
const wildcards = /[\u0001-\u0004]/;
// oxlint-disable-next-line no-control-regex
const control = /[\u0000-\u001f\u007f]/;

/** A path that is none. The message goes on from the field's name: `must not hold ..`. */
export class PathError extends Error {
  override readonly name = "PathError";
}

/**
 * Brings a glob into its one spelling: `./` and doubled slashes are dropped, characters composed (NFC, since macOS
 * gives them decomposed), `** / **` is `**`. What would name a file of another spelling is refused.
 * @throws PathError
 */
export function parsePathGlob(text: string): PathGlob {
  const names = namesOf(text)
    .map(oneStar)
    .filter((name, at, all) => name !== "**" || all[at - 1] !== "**");
  return glob(names.join("/"), names.map(tokensOf).join(""));
}

/** Three stars and more are two. */
function oneStar(name: string): string {
  return name.includes("***") ? name.replaceAll(/\*{3,}/g, "**") : name;
}

function tokensOf(name: string): string {
  if (name === "**") return DIRS;
  if (!name.includes("*") && !name.includes("?")) return `${name}/`;
  return `${name.replaceAll("**", ANY).replaceAll("*", RUN).replaceAll("?", ONE)}/`;
}

/** A path without wildcards: `*` is a star. @throws PathError */
export function literalPath(text: string): PathGlob {
  const path = namesOf(text).join("/");
  return glob(path, `${path}/`);
}

function namesOf(text: string): string[] {
  if (control.test(text)) throw new PathError("must not hold control characters");
  if (!text.isWellFormed()) throw new PathError("must be well-formed Unicode");
  if (text.includes("\\")) throw new PathError("must not hold backslashes: write / between directories");
  if (text.startsWith("/")) throw new PathError("must be relative to the project's root: no / at its start");
  if (text.endsWith("/")) throw new PathError("must not end in /: a directory and all in it is DIRECTORY/**");
  const names = text
    .normalize("NFC")
    .split("/")
    .filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) throw new PathError("must not hold ..: write it as seen from the project's root");
  if (names.length === 0) throw new PathError("must name something: the whole project is **");
  return names;
}

function glob(path: string, tokens: string): PathGlob {
  const first = tokens.search(wildcards);
  if (first === -1) return { path, tokens, prefix: tokens, suffix: tokens };
  let last = tokens.length - 1;
  while (tokens.charAt(last) > DIRS) last--;
  return { path, tokens, prefix: tokens.slice(0, first), suffix: tokens.slice(last + 1) };
}

/** Compares one glob with many. */
export interface Overlap {
  /** Whether their literal beginnings or ends alone tell that they have none in common. */
  differs(other: PathGlob): boolean;
  /** Whether the two have a path in common, exactly. */
  with(other: PathGlob): boolean;
  /** What that costs at most, in steps of a few nanoseconds. */
  cost(other: PathGlob): number;
}

/** What a token costs beside its words. */
const stepWords = 3;

/**
 * Prepares a glob for being compared with many others.
 *
 * A glob is an automaton of about as many states as it has characters. Two globs overlap when one text walks both to
 * their ends. The other glob is walked token by token, while we keep the set of states that this one can be in, 32 of
 * them in a word: at most 257 tokens times 9 words for paths of 256 bytes. Most pairs need no walk: they differ before.
 */
export function overlapOf(glob: PathGlob): Overlap {
  let automaton: Automaton | undefined;
  const words = wordsFor(statesOf(glob.tokens).length);
  return {
    differs: ({ prefix, suffix }) =>
      !(glob.prefix.startsWith(prefix) || prefix.startsWith(glob.prefix)) ||
      !(glob.suffix.endsWith(suffix) || suffix.endsWith(glob.suffix)),
    with: ({ tokens }) => walk((automaton ??= compile(glob.tokens)), tokens),
    cost: ({ tokens }) => (words + stepWords) * tokens.length,
  };
}

type Bits = Uint32Array;

/** Sets of states, a bit each. From a state a character leads to the next one, or leaves it where it is. */
interface Automaton {
  end: number;
  /** States that a name's character takes on: this one, one that stands in no pattern, some one; and where it stays. */
  onBy: ReadonlyMap<string, Bits>;
  on: Bits;
  onAny: Bits;
  stay: Bits;
  /** The same for a slash. */
  slashOn: Bits;
  slashStay: Bits;
  /** States that can be passed over without a character, by one and by two. */
  skip: Bits;
  skipTwo: Bits;
  /** States that are left by names' characters, or by none; and those within a directory's name, which are not. */
  flow: Bits;
  inside: Bits;
  /** Room to work in, so that a comparison makes no garbage. */
  at: Bits;
  scratch: Bits;
}

const INSIDE = "\u0005";

/** `**` as a whole name is two states: before a directory's name, and within it. */
function statesOf(tokens: string): string[] {
  return Array.from(tokens.replaceAll(DIRS, DIRS + INSIDE));
}

/** One state more: the end. */
function wordsFor(states: number): number {
  return (states + 32) >>> 5;
}

function compile(tokens: string): Automaton {
  const states = statesOf(tokens);
  const words = wordsFor(states.length);
  const where = (test: (token: string) => boolean): Bits => {
    const bits = new Uint32Array(words);
    for (const [at, token] of states.entries()) if (test(token)) bits[at >>> 5]! |= 1 << (at & 31);
    return bits;
  };
  const isAnyName = (token: string) => token === ONE || token === DIRS;
  const literals = new Set(states.filter((token) => token !== "/" && token > INSIDE));
  return {
    end: states.length,
    onBy: new Map(
      Array.from(literals, (literal) => [literal, where((token) => token === literal || isAnyName(token))]),
    ),
    on: where(isAnyName),
    onAny: where((token) => isAnyName(token) || literals.has(token)),
    stay: where((token) => token === RUN || token === ANY || token === INSIDE),
    slashOn: where((token) => token === "/" || token === INSIDE),
    slashStay: where((token) => token === ANY || token === INSIDE),
    skip: where((token) => token === RUN || token === ANY),
    skipTwo: where((token) => token === DIRS),
    flow: where((token) => token !== "/"),
    inside: where((token) => token === INSIDE),
    at: new Uint32Array(words),
    scratch: new Uint32Array(words),
  };
}

/** Whether one text leads through the tokens and through the automaton. */
function walk(automaton: Automaton, tokens: string): boolean {
  const { on, onBy, onAny, stay, slashOn, slashStay, end, scratch } = automaton;
  const { at } = automaton;
  for (let word = 0; word < at.length; word++) at[word] = Number(word === 0);
  skipOn(at, automaton);
  for (const token of tokens) {
    if (token === RUN) flood(at, automaton);
    else if (token === ANY) fill(at);
    else if (token === DIRS) {
      for (let word = 0; word < at.length; word++) scratch[word] = at[word]!;
      move(scratch, onAny, stay, automaton);
      fill(scratch);
      move(scratch, slashOn, slashStay, automaton);
      for (let word = 0; word < at.length; word++) at[word]! |= scratch[word]!;
    } else if (token === "/") move(at, slashOn, slashStay, automaton);
    else move(at, token === ONE ? onAny : (onBy.get(token) ?? on), stay, automaton);
    if (isEmpty(at)) return false;
  }
  return (at[end >>> 5]! & (1 << (end & 31))) !== 0;
}

function isEmpty(bits: Bits): boolean {
  for (let word = 0; word < bits.length; word++) if (bits[word] !== 0) return false;
  return true;
}

/** One character: of the states in `on` to the next ones, while those in `stay` stay; then whatever can be skipped. */
function move(at: Bits, on: Bits, stay: Bits, automaton: Automaton): void {
  let carried = 0;
  for (let word = 0; word < at.length; word++) {
    const before = at[word]!;
    const moving = before & on[word]!;
    at[word] = (moving << 1) | carried | (before & stay[word]!);
    carried = moving >>> 31;
  }
  skipOn(at, automaton);
}

/** `**`, then a run: no others can follow each other without a character between, so that once through is enough. */
function skipOn(at: Bits, { skip, skipTwo }: Automaton): void {
  let carried = 0;
  let carriedTwo = 0;
  for (let word = 0; word < at.length; word++) {
    const two = at[word]! & skipTwo[word]!;
    at[word]! |= (two << 2) | carriedTwo;
    carriedTwo = two >>> 30;
    const one = at[word]! & skip[word]!;
    at[word]! |= (one << 1) | carried;
    carried = one >>> 31;
  }
}

/**
 * Any number of names' characters: from each state on to the next slash. Adding a set to the runs of states it may flow
 * through carries it to their ends at once (Hyyro's bit-parallel trick), where stepping would take a round a state.
 */
function flood(at: Bits, { flow, inside }: Automaton): void {
  let carried = 0;
  for (let word = 0; word < at.length; word++) {
    const through = flow[word]!;
    const from = (at[word]! & ~inside[word]!) >>> 0;
    const sum = ((from & through) >>> 0) + through + carried;
    carried = sum > 0xffffffff ? 1 : 0;
    at[word]! |= (sum ^ through) | from;
  }
}

/** Any characters: every state from the first on can be reached. */
function fill(at: Bits): void {
  let first = 0;
  while (at[first] === 0) first++;
  if (first === at.length) return;
  const lowest = at[first]! & -at[first]!;
  at[first] = -lowest;
  for (let word = first + 1; word < at.length; word++) at[word] = -1;
}
