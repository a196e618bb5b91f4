import type { OperationName } from "../client/operations.ts";

/** What the table of commands says of each; `scripts/generate.ts` makes it from the contract's usage lines. */

/**
 * Where a text from the command line goes. `list`: split at commas; `json`: put in as it is; `number`: the digits as
 * they are.
 */
export type FieldTarget = readonly [
  place: "params" | "query" | "body",
  name: string,
  kind: "text" | "list" | "json" | "number",
];

export interface Positional {
  /** `PROJECT/NAME` is one word that is split at its first slash. */
  readonly name: string;
  readonly fields: readonly FieldTarget[];
  /** May be left out; only the last one. */
  readonly optional?: true;
}

export interface Flag {
  readonly target: FieldTarget;
  /** What stands for the value in the help: `N`. */
  readonly value: string;
  readonly summary: string;
  /** The operation cannot do without it, or without it would be another one. */
  readonly required?: true;
}

export interface Command {
  /** One or two words: `state get`. */
  readonly name: string;
  readonly operation: OperationName;
  readonly summary: string;
  readonly positionals: readonly Positional[];
  readonly flags: Readonly<Record<string, Flag>>;
  /** The body comes from `--file`, `--data` or standard input. */
  readonly body?: {
    readonly kind: "json" | "bytes";
    readonly maxBytes: number;
    /** The only content types that are taken, all of them JSON. */
    readonly types?: readonly string[];
  };
  /** Takes conditions on the version that it changes. */
  readonly conditional?: true;
  /** Takes an idempotency key. */
  readonly once?: true;
  /** Changes nothing, and answers with this; its answer can go to a file. */
  readonly reads?: "json" | "bytes";
}

/** A fault of the command line: one line that says what to do, exit code 1. */
export class UsageError extends Error {}
