import { decodeString, enter, kindOf, nameOf, next, valueOf } from "../contract/json-text.ts";

/**
 * Whether two texts mean the same JSON: white space, the order of members and the way a text or a number is written
 * do not count, and digits beyond a double's do.
 *
 * @param a valid JSON without white space around it, as is `b`
 */
export function isSameJson(a: string, b: string): boolean {
  if (a === b) return true;
  const kind = kindOf(a, 0);
  if (kind !== kindOf(b, 0)) return false;
  if (kind === "array") return haveSameItems(a, b);
  if (kind === "other") return isSameScalar(a, b);
  const [members, others] = [membersOf(a), membersOf(b)];
  if (members.size !== others.size) return false;
  for (const [name, member] of members) {
    const other = others.get(name);
    if (other === undefined || !isSameJson(member, other)) return false;
  }
  return true;
}

/** An object's members as their own texts; of several with one name the last counts. */
export function membersOf(text: string): Map<string, string> {
  const members = new Map<string, string>();
  for (const part = enter(text, 0); next(text, part);) members.set(nameOf(text, part), valueOf(text, part));
  return members;
}

function haveSameItems(a: string, b: string): boolean {
  const [item, other] = [enter(a, 0), enter(b, 0)];
  while (next(a, item)) {
    if (!next(b, other) || !isSameJson(valueOf(a, item), valueOf(b, other))) return false;
  }
  return !next(b, other);
}

function isSameScalar(a: string, b: string): boolean {
  if (a.startsWith('"') && b.startsWith('"')) return decodeString(a) === decodeString(b);
  const [number, other] = [decimalOf(a), decimalOf(b)];
  return number !== undefined && number === other;
}

/** A number in the one form that each has: its digits without zeros at the ends, and the power of ten behind them. */
function decimalOf(token: string): string | undefined {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token) ?? [];
  if (whole === "") return undefined;
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const significant = withoutTrailingZeros(digits);
  if (significant === "") return "0";
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${sign}${significant}e${power}`;
}

/** By hand: `/0+$/` takes quadratic time on zeros that something else follows. */
function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (digits.charAt(end - 1) === "0") end--;
  return digits.slice(0, end);
}
