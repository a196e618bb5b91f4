/** Durations as the wire and flags have them: `30s`, `500ms`, `1m`, `2h`; a plain number is seconds. */
export const durationPattern = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/;

/** Milliseconds in one of each unit. */
const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, "": 1000 };

/** @returns milliseconds; undefined for what is none */
export function durationOf(text: string): number | undefined {
  const [, number, unit = ""] = durationPattern.exec(text) ?? [];
  return number === undefined ? undefined : Math.round(Number(number) * (units[unit] as number));
}
