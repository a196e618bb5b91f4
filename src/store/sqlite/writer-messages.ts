import { type ErrorDetails, KoorError, type Reason } from "../../contract/errors.ts";
import type { Commit, Op, Outcome } from "../../core/commit.ts";
import type { BatchFigures, Newest } from "../store.ts";

/**
 * What the event loop and the writer's worker say to each other: what is plain as one JSON text, the bytes moved
 * beside it. Against a structured clone of the same commit, from posting to having it: 2 KB 8.5 and 10 us, 10 MiB 130
 * and 290 ms on a busy machine, of which 250 ms in the event loop. Values as texts of one byte a character were
 * quicker for small ones (7.5 us), ten times slower for large ones.
 *
 * Nothing here names a field but `ops` and `value`: what a commit or an outcome gets in time passes through by
 * itself, as far as JSON has it.
 */

/** A commit on its way. Members that are `undefined` are left out, which means the same in a commit. */
export interface PackedCommit {
  /** JSON of the commit; where an operation has bytes, it has their number here. */
  text: string;
  /** All bytes, in the order of the operations. */
  bytes: Uint8Array;
}

/** The commit's bytes are copied, unless their memory is shared anyway: its owner keeps them, and leaves them as they are. */
export function packCommit(commit: Commit): PackedCommit {
  const values: Uint8Array[] = [];
  const ops = commit.ops.map((op) => {
    if (!hasBytes(op)) return op;
    values.push(op.value);
    return { ...op, value: op.value.length };
  });
  return { text: JSON.stringify({ ...commit, ops }), bytes: join(values) };
}

export function unpackCommit({ text, bytes }: PackedCommit): Commit {
  const commit = JSON.parse(text) as { ops: { value?: unknown }[] };
  let at = 0;
  for (const op of commit.ops) {
    if (typeof op.value === "number") op.value = bytes.subarray(at, (at += op.value));
  }
  return commit as unknown as Commit;
}

function hasBytes(op: Op): op is Extract<Op, { value: Uint8Array }> {
  return "value" in op;
}

/** What is moved with the message rather than seen by both sides. */
export function movedWith({ bytes }: PackedCommit): ArrayBuffer[] {
  return bytes.buffer instanceof ArrayBuffer ? [bytes.buffer] : [];
}

function join(values: readonly Uint8Array[]): Uint8Array {
  const [first] = values;
  if (first && values.length === 1) return first.buffer instanceof SharedArrayBuffer ? first : first.slice();
  const bytes = new Uint8Array(values.reduce((sum, value) => sum + value.length, 0));
  let at = 0;
  for (const value of values) {
    bytes.set(value, at);
    at += value.length;
  }
  return bytes;
}

/** Why something was not done. With a reason it is a `KoorError`, else a fault of the program. */
export interface Fault {
  message: string;
  reason?: Reason;
  details?: ErrorDetails;
}

export function packError(error: unknown): Fault {
  if (error instanceof KoorError) {
    return { message: error.message, reason: error.reason, details: error.details };
  }
  return { message: error instanceof Error ? error.message : String(error) };
}

export function unpackError({ message, reason, details }: Fault): Error {
  return reason === undefined ? new Error(message) : new KoorError(reason, message, details);
}

/** What became of a commit. */
export type Answer = { outcome: Outcome } | { fault: Fault };

/** What the worker says, as JSON text: to the oldest commits that wait, or to the oldest question. */
export type WriterReply =
  | {
      answers: Answer[];
      /** Where the logs end, unless nothing was written. */ newest?: Newest;
      batches?: BatchFigures[];
    }
  | { result: unknown }
  | { fault: Fault };
