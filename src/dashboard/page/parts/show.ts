/** Values as people read them. Pure. */

const units = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
] as const;

/** How long something takes or took: `12 s`, `3 min`, `now`. @param ms milliseconds; below zero when clocks disagree */
export function showAge(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  for (const [unit, length] of units) {
    if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
  }
  return "now";
}

/** How far the page's clock may be behind what has just been done, in milliseconds: it ticks once a second. */
const behindBy = 2000;

/** `12 s ago`, `in 3 min`, `now` */
export function showWhen(at: number, now: number): string {
  const ms = now - at;
  if (ms < 1000 && ms > -behindBy) return "now";
  return ms > 0 ? `${showAge(ms)} ago` : `in ${showAge(-ms)}`;
}

/** How long something took, of what the server tells as `1h6m33s`: as `showAge` tells it. */
export function showDuration(text: string): string {
  const lengths: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  const parts = [...text.matchAll(/([\d.]+)([a-z]+)/g)];
  return showAge(parts.reduce((sum, [, value, unit = ""]) => sum + Number(value) * (lengths[unit] ?? 0), 0));
}

/** A time of day, with the date when it was another day. */
export function showClock(at: Date, now: Date): string {
  const time = at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return at.toDateString() === now.toDateString() ? time : `${at.toLocaleDateString()} ${time}`;
}

const whole = new Intl.NumberFormat("en");

/** `12,345` */
export function showNumber(value: number): string {
  return whole.format(value);
}

const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** `12.3K`, for a headline; the exact one goes beside it. */
export function showShort(value: number): string {
  return short.format(value);
}

const cents = new Intl.NumberFormat("en", { style: "currency", currency: "USD" });
const wholeDollars = new Intl.NumberFormat("en", {
  style: "currency",
  currency: "USD",
  maximumFractionDigits: 0,
});
/** Down to the micro-dollars that costs are kept in. */
const fractions = new Intl.NumberFormat("en", {
  style: "currency",
  currency: "USD",
  maximumSignificantDigits: 2,
  maximumFractionDigits: 6,
});

/** `$1,234`, `$12.30`, `$0.0042` */
export function showUsd(value: number): string {
  if (value >= 1000) return wholeDollars.format(value);
  return value > 0 && value < 0.01 ? fractions.format(value) : cents.format(value);
}

/** `1 key`, `2 keys` */
export function count(value: number, one: string, many = `${one}s`): string {
  return `${showNumber(value)} ${value === 1 ? one : many}`;
}

/** `12.3 kB` */
export function showBytes(bytes: number): string {
  if (bytes < 1000) return count(bytes, "byte");
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/**
 * Where the API is, as whoever looks at this page reaches it.
 *
 * @param bind host and port that the server listens on: `0.0.0.0:9800` is no address to go to
 * @param pageHost the name that this page was called by
 */
export function apiAddress(bind: string, pageHost: string): string {
  return bind.replace(/^(0\.0\.0\.0|\[::\])(?=:)/, pageHost);
}

/** A command of koor-cli that works as it stands, also when the server is not where koor-cli looks first. */
export function showCommand(command: string, api: string): string {
  const home = api === "" || api === "localhost:9800" || api === "127.0.0.1:9800";
  return home ? command : `KOOR_SERVER=http://${api} ${command}`;
}
