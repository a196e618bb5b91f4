import type { Defs } from "./conjunction.ts";
import type { Schema } from "./schema.ts";

/** What a comparison of two contracts is about, and what it finds. */

export interface Finding {
  /** A stable word: `field-removed`. */
  rule: string;
  /** JSON pointer: in the new document, or in the old one for what is not in the new one. */
  pointer: string;
  message: string;
  /** A change that is told and breaks nothing. */
  safe?: true;
}

/** The schemas of one document. */
export interface Side {
  defs: Defs;
  origins: WeakMap<object, string>;
}

export interface Comparison {
  writer: Side;
  reader: Side;
  /** Whether the writer is of the old contract, and the reader of the new one. */
  writerIsOld: boolean;
  /** Answers are read by clients, which ignore fields that they do not know; a service must know what it is sent. */
  isAnswer: boolean;
  /** What was found of each pair; `open` while it is looked at. */
  found: Map<string, Finding[] | "open">;
  /** Pairs that were met while they were open. */
  met: Set<string>;
  ids: WeakMap<object, number>;
  nextId: number;
}

/** @param writerIsOld whether the writer is of the old contract */
export function openComparison(
  writer: Side,
  reader: Side,
  { writerIsOld, isAnswer }: Pick<Comparison, "writerIsOld" | "isAnswer">,
): Comparison {
  return {
    writer,
    reader,
    writerIsOld,
    isAnswer,
    found: new Map(),
    met: new Set(),
    ids: new WeakMap(),
    nextId: 0,
  };
}

/** A name for a schema within one comparison. */
export function idOf(comparison: Comparison, schema: Schema): string {
  if (typeof schema === "boolean") return String(schema);
  let id = comparison.ids.get(schema);
  if (id === undefined) {
    id = comparison.nextId++;
    comparison.ids.set(schema, id);
  }
  return String(id);
}

/** Where a change is to be looked for: in the new document where it is in that one. */
export function placeOf(
  comparison: Comparison,
  writer: object | undefined,
  reader: Schema,
  at: string,
): string {
  const { origins } = comparison.writerIsOld ? comparison.reader : comparison.writer;
  const schema = comparison.writerIsOld ? reader : writer;
  return (typeof schema === "object" ? origins.get(schema) : undefined) ?? at;
}

/** `was X, is Y`, in the order of time. */
export function wasIs(comparison: Comparison, writer: string, reader: string): string {
  return comparison.writerIsOld ? `was ${writer}, is ${reader}` : `was ${reader}, is ${writer}`;
}
