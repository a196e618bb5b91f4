import { diffLines } from "diff";

/** Two texts beside each other, line by line. Pure. */

/** A line of each side; undefined: that side has none here. */
export interface Pair {
  left: Side | undefined;
  right: Side | undefined;
  same: boolean;
}

export interface Side {
  number: number;
  text: string;
}

/** Lines that are the same on both sides, and so far from a change that they are folded away. */
export interface Fold {
  count: number;
  pairs: readonly Pair[];
}

/** How long comparing may take, in milliseconds: two texts without a common line cost the square of their lengths. */
const compareMs = 1500;
/** Characters of either side up to which lines are compared. */
export const comparedChars = 400_000;
/** Lines that are shown around a change. */
const around = 3;

/** @returns undefined when the texts are too large, or too different */
export function pairsOf(left: string, right: string): Pair[] | undefined {
  if (Math.max(left.length, right.length) > comparedChars) return undefined;
  const parts = diffLines(left, right, { timeout: compareMs });
  if (!parts) return undefined;
  const pairs: Pair[] = [];
  let lefts = 0;
  let rights = 0;
  let removed: string[] = [];
  let added: string[] = [];
  const flush = () => {
    for (let at = 0; at < Math.max(removed.length, added.length); at++) {
      const [gone, come] = [removed[at], added[at]];
      pairs.push({
        left: gone === undefined ? undefined : { number: ++lefts, text: gone },
        right: come === undefined ? undefined : { number: ++rights, text: come },
        same: false,
      });
    }
    removed = [];
    added = [];
  };
  for (const part of parts) {
    const lines = part.value.replace(/\n$/, "").split("\n");
    if (part.removed) removed.push(...lines);
    else if (part.added) added.push(...lines);
    else {
      flush();
      for (const text of lines)
        pairs.push({ left: { number: ++lefts, text }, right: { number: ++rights, text }, same: true });
    }
  }
  flush();
  return pairs;
}

/** Folds away what is far from every change. */
export function folded(pairs: readonly Pair[]): (Pair | Fold)[] {
  const near = new Set<number>();
  for (const [index, { same }] of pairs.entries()) {
    if (same) continue;
    for (let at = index - around; at <= index + around; at++) near.add(at);
  }
  const rows: (Pair | Fold)[] = [];
  for (let at = 0; at < pairs.length;) {
    let end = at;
    while (end < pairs.length && !near.has(end)) end += 1;
    // Where folding saves a line or two it only hides.
    if (end - at > around) rows.push({ count: end - at, pairs: pairs.slice(at, end) });
    else rows.push(...pairs.slice(at, end));
    if (end < pairs.length) rows.push(pairs[end] as Pair);
    at = end + 1;
  }
  return rows;
}
