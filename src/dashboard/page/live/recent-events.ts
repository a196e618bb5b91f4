import { parseExact } from "../parts/exact-json.ts";
import type { EventFrame, Frame } from "../server.ts";

/** The newest events, as the page keeps and shows them: bounded in number and in size. Pure. */

/** Rows of the list. */
export const maxRows = 10_000;
/** What a row shows of its data, in characters. */
const lineChars = 300;
/** What a row keeps of its data, in characters: events can be 1 MiB each, and there are 10,000 rows. */
const keptChars = 2048;

/** An event, or events that the server had already trimmed when this page came to them. */
export type Row = EventRow | GapRow;

export interface EventRow {
  kind: "event";
  id: number;
  topic: string;
  source: string;
  createdAt: string;
  /** The data's JSON on one line; `""` without data. */
  line: string;
  /** The data's JSON with all its digits, cut when it is long. */
  data: string;
  cut: boolean;
}

export interface GapRow {
  kind: "gap";
  id: number;
  from: number;
}

export function toRow(frame: Frame): Row {
  if (frame.kind === "gap") return { kind: "gap", id: frame.to, from: frame.from };
  const { id, topic, source, created_at } = frame.event;
  const all = dataOf(frame);
  const cut = all.length > keptChars;
  const data = cut ? copied(all.slice(0, keptChars)) : all;
  const line = data.slice(0, lineChars);
  return { kind: "event", id, topic, source, createdAt: created_at, line, data, cut };
}

/** A slice keeps the whole text that it is of in memory; this does not. */
function copied(slice: string): string {
  return JSON.parse(JSON.stringify(slice)) as string;
}

/**
 * Puts rows on top, newest first. What is there already is left out, so that a row is never shown twice.
 *
 * @param added oldest first, as they came
 */
export function addRows(rows: readonly Row[], added: readonly Row[]): readonly Row[] {
  const newest = rows[0]?.id ?? 0;
  const fresh = added.filter(({ id }) => id > newest).reverse();
  return fresh.length === 0 ? rows : [...fresh, ...rows].slice(0, maxRows);
}

/** Puts older rows below. @param added oldest first */
export function addOlder(rows: readonly Row[], added: readonly Row[]): readonly Row[] {
  const oldest = rows.at(-1)?.id ?? Infinity;
  const older = added.filter(({ id }) => id < oldest).reverse();
  return [...rows, ...older].slice(0, maxRows);
}

/** The data of an event as JSON with all its digits; `""` without any. */
export function dataOf({ event, raw }: EventFrame): string {
  if (event.data === null) return "";
  try {
    return JSON.stringify((parseExact(raw) as { data: unknown }).data);
  } catch {
    // Too many levels to be written anew. No text within has a quote of its own, so these are the frame's own names.
    return raw.slice(raw.indexOf(',"data":') + 8, raw.lastIndexOf(',"source":'));
  }
}
