import type { Command } from "./command.ts";

/** Flags that follow from what a command is, rather than from its operation's fields. */
export interface StandardFlag {
  /** What stands for its value in the help; a switch has none. */
  readonly value?: string;
  readonly summary: string;
}

export type StandardFlags = Readonly<Record<string, StandardFlag>>;

export const globalFlags: StandardFlags = {
  pretty: { summary: "Indent JSON; digits stay as they are" },
  help: { summary: "Name the commands, or those of a group, or the flags of one: koor-cli state get --help" },
};

const bodyFlags: StandardFlags = {
  file: { value: "PATH", summary: "Take the body from a file; `-` is standard input" },
  data: { value: "TEXT", summary: "Take this text as the body" },
};

const typeFlag: StandardFlags = {
  type: {
    value: "TYPE",
    summary: "The content type; else by the file's ending, else JSON where it parses as JSON, else text",
  },
};

const outputFlag: StandardFlags = {
  output: { value: "PATH", summary: "Write the answer to a file and print a one-line receipt (short: -o)" },
};

const noneMatchFlag: StandardFlags = {
  "if-none-match": {
    value: "ETAG",
    summary: "Only if it is not this state any more; else print nothing, exit 0",
  },
};

const conditionFlags: StandardFlags = {
  "if-match": { value: "ETAG", summary: "Only if it is still this state; else exit 4" },
  "if-version": { value: "N", summary: "Only if this is its version, 0 for none; else exit 4" },
};

const absentFlag: StandardFlags = {
  "if-absent": { summary: "Only if it does not exist; else exit 4" },
};

export const onceFlag: StandardFlags = {
  "idempotency-key": {
    value: "KEY",
    summary:
      "Done once, however often it is sent under this key within 24 hours: safe to repeat without an answer",
  },
};

/** Everything beside a command's own flags that it takes. */
export function standardFlags(
  command: Pick<Command, "body" | "conditional" | "once" | "reads">,
): StandardFlags {
  return {
    ...(command.body && bodyFlags),
    ...(command.body?.kind === "bytes" && typeFlag),
    ...(command.reads && outputFlag),
    ...(command.reads === "bytes" && noneMatchFlag),
    ...(command.conditional && conditionFlags),
    // Nothing to delete under this condition.
    ...(command.conditional && command.body && absentFlag),
    ...(command.once && onceFlag),
  };
}
