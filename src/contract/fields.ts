import { z } from "zod";
import { limits } from "./limits.ts";
import { durationOf, durationPattern } from "./duration.ts";

/**
 * The fields that operations share. Messages are completed with the field's name in front
 * (`topic` + ` is required`), so they begin where the name ends.
 */

const encoder = new TextEncoder();

/** Any UTF-8 but U+0000: SQLite and PostgreSQL end or refuse texts there, and lone surrogates are no UTF-8. */
function storable(value: string): boolean {
  return !value.includes("\0") && value.isWellFormed();
}

/** A text that may be empty, of at most `maxBytes` bytes of UTF-8. */
export function text(maxBytes: number) {
  return z
    .string({ error: (issue) => (issue.input === undefined ? "is required" : "must be a text") })
    .refine(storable, "holds U+0000 or is not valid UTF-8")
    .refine((value) => value.length * 3 <= maxBytes || encoder.encode(value).length <= maxBytes, {
      error: `is longer than ${maxBytes} bytes`,
    });
}

/** A text that must be there. */
export function requiredText(maxBytes: number) {
  return text(maxBytes).min(1, "is required");
}

/** A text that is empty unless given; `null` counts as not given, since clients in other languages send it. */
export function optionalText(maxBytes: number) {
  return text(maxBytes)
    .nullish()
    .transform((value) => value ?? "");
}

/** Whether a path can carry it: `.` and `..` are rewritten on the way, U+FFFD stands there for bytes that are no UTF-8. */
export function fitsPath(name: string): boolean {
  return name !== "." && name !== ".." && !name.includes("\u{FFFD}");
}

/** What names something that a path names later, wherever it stands itself: what no path can name must not come to be. */
export function pathName<T extends z.ZodType<string>>(schema: T): T {
  return schema.refine(fitsPath, 'must not be "." or ".." or hold U+FFFD: no URL could name it');
}

export const key = pathName(requiredText(limits.keyBytes)).meta({
  description: "1 to 512 bytes, any UTF-8 but U+0000 and U+FFFD; not `.` or `..`.",
});
export const topic = requiredText(limits.topicBytes).meta({ description: "1 to 4096 bytes." });

/** A whole number in a query: texts of digits only, `least` or more. */
export function wholeNumber(least: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= least, `must be ${least} or more`);
}

/** How many rows to return: below 1 is refused, above the page's bound is cut. */
export const limit = wholeNumber(1)
  .transform((value) => Math.min(value, limits.pageRows))
  .optional()
  .meta({ description: "At least 1; above 1000 is cut to 1000." });

/** Whether a time's day is one, and its hour: `Date.parse` takes 30 February for 2 March, and 24:00 for the next day. */
function isDate(value: string): boolean {
  const day = Date.parse(`${value.slice(0, 10)}T00:00:00Z`);
  return !Number.isNaN(day) && showTime(day).startsWith(value.slice(0, 10)) && value.slice(11, 13) !== "24";
}

/** RFC 3339 with any offset, as milliseconds since 1970. */
export const time = z
  .string()
  .regex(
    /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/,
    "must be a time as RFC 3339 has it",
  )
  .refine(isDate, "must be a time as RFC 3339 has it")
  .transform((value) => Date.parse(value.replace(" ", "T")))
  .refine((value) => !Number.isNaN(value), "must be a time as RFC 3339 has it")
  .optional()
  .meta({ description: "RFC 3339, any offset: 2026-11-01T12:00:00Z" });

/** A duration such as `30s`, `500ms`, `1m`, or a plain number of seconds, as milliseconds. */
export const duration = z
  .string()
  .regex(durationPattern, "must be a duration such as 30s, 500ms or 1m")
  .transform((value) => durationOf(value) as number);

/** How long to wait for what is not there yet, as milliseconds. */
export const waitingTime = duration
  .transform((value) => Math.min(value, limits.waitMs))
  .optional()
  .meta({
    description: "How long to wait: `30s`, `500ms`, `1m`; over a minute is cut. Unless said, not at all.",
  });

/** Of reads that can wait for a record's next version. */
export const versionWait = {
  after_version: wholeNumber(0).optional().meta({
    description:
      "Answer as soon as the version is above this one, or 304 when the time is up; 0 waits until it exists.",
  }),
  wait: waitingTime,
};

/** The name of the log that a position is of. */
export const epoch = text(limits.nameBytes)
  .optional()
  .meta({ description: "The epoch that the position is of, as `Koor-Epoch` had it; of another: 410." });

/** A query's text; an empty one filters nothing. */
export const filter = text(limits.topicBytes).optional();

/** In answers: RFC 3339 UTC with milliseconds. */
export const timestamp = z.string().meta({ format: "date-time" });

/** Milliseconds since 1970 as the wire shows them. */
export function showTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** A version asked for: any whole number, since one that names no version is 404 and not 400. */
export const versionNumber = z
  .string()
  .regex(/^-?\d+$/, "must be a whole number")
  .meta({ examples: ["3"] })
  .transform(asVersion);

/** Two of them with a comma between. */
export const versionPair = z
  .string()
  .regex(/^-?\d+,-?\d+$/, "must be two versions with a comma between, as in 3,5")
  .meta({ examples: ["3,5"] })
  .transform((text) => text.split(",").map(asVersion) as [number, number]);

/** No version is beyond what a number holds exactly, and none is 0. */
function asVersion(digits: string): number {
  return Number.isSafeInteger(Number(digits)) ? Number(digits) : 0;
}

export const version = z.int().meta({ description: "Rises by one with every write of the key." });
export const hash = z.string().meta({ description: "SHA-256 of the value, in hex." });
