import type { Command } from "../../src/cli/command.ts";
import { ownCommands } from "../../src/cli/own-commands.ts";
import { globalFlags, standardFlags } from "../../src/cli/standard-flags.ts";
import { usageOf } from "../../src/cli/usage.ts";
import { reasons } from "../../src/contract/errors.ts";
import { cell, notice, table } from "./markdown.ts";

/** docs/cli.md: every command of koor-cli. */
export function cliDocs(commands: readonly Command[]): string {
  const all = [
    ...commands.map((command) => ({ name: command.name, text: commandDocs(command) })),
    ...ownCommands.map((command) => ({ name: command.name, text: ownDocs(command) })),
  ].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return [
    "# koor-cli",
    notice,
    intro,
    "## Exit codes",
    exitCodes(),
    "## Flags that are taken anywhere",
    flagTable(Object.entries(globalFlags)),
    "## Commands",
    ...all.map(({ text }) => text),
  ].join("\n\n");
}

const intro = [
  "An answer goes to stdout as it came, an error to stderr in one line that says what to do.",
  "",
  "- The server is `KOOR_SERVER`, else `server` in `./settings.json`, else `http://localhost:9800`; its token is `KOOR_TOKEN`, else `token` in `./settings.json`.",
  "- `KOOR_INSTANCE_TOKEN` is the token that `koor-cli register` answered: what is written then carries that instance's name.",
  "- `KOOR_FENCE` is `LEASE_ID:FENCE`, which `koor-cli lease run` sets for its command: what is written is refused once that lease is lost.",
  "- `--output PATH` (`-o PATH`) keeps what is read out of a model's context: the answer goes to the file, and stdout gets one line of JSON with its size, version, hash and entity tag.",
  "- After `--` nothing is a flag: `koor-cli state get -- -key-with-a-dash`.",
].join("\n");

function exitCodes(): string {
  const byCode = new Map<number, string[]>([[0, ["done"]]]);
  for (const [reason, { exit }] of Object.entries(reasons))
    byCode.set(exit, [...(byCode.get(exit) ?? []), `\`${reason}\``]);
  byCode.get(1)?.unshift("wrong usage, no server");
  byCode.get(4)?.push("a `wait` whose time is up");
  return table(
    ["Exit code", "When"],
    [...byCode].toSorted(([a], [b]) => a - b).map(([code, when]) => [code, when.join(", ")]),
  );
}

function commandDocs(command: Command): string {
  const flags = [...Object.entries(command.flags), ...Object.entries(standardFlags(command))];
  return section(usageOf(command), command.summary, flags);
}

function ownDocs(command: (typeof ownCommands)[number]): string {
  return section(command.usage, command.summary, Object.entries(command.flags));
}

type FlagRow = [name: string, flag: { value?: string; summary: string }];

function section(usage: string, summary: string, flags: FlagRow[]): string {
  const lines = [`### \`koor-cli ${usage}\``, `${summary}.`];
  if (flags.length > 0) lines.push(flagTable(flags));
  return lines.join("\n\n");
}

function flagTable(flags: FlagRow[]): string {
  return table(
    ["Flag", ""],
    flags.map(([name, { value, summary }]) => [`\`--${name}${value ? ` ${value}` : ""}\``, cell(summary)]),
  );
}
