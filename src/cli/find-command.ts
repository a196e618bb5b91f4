import type { Arguments } from "./arguments.ts";
import { type Command, UsageError } from "./command.ts";
import { commands } from "./commands.generated.ts";
import { distanceBetween, nearest } from "./nearest.ts";
import { globalFlags } from "./standard-flags.ts";
import { type OwnCommand, ownCommands } from "./own-commands.ts";

export const commandNames: readonly string[] = [...commands, ...ownCommands].map(({ name }) => name);

export type Found =
  | { command: Command; own?: never; rest: string[] }
  | { own: OwnCommand; command?: never; rest: string[] };

/**
 * The command that the first words name; two words count before one.
 *
 * @throws UsageError naming the nearest command
 */
export function findCommand(words: readonly string[]): Found {
  if (words.length === 0) throw new UsageError("no command given: koor-cli help names them all");
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(" ");
    const rest = words.slice(length);
    const own = ownCommands.find((candidate) => candidate.name === name);
    if (own) return { own, rest };
    const command = commands.find((candidate) => candidate.name === name);
    if (command) return { command, rest };
  }
  const [group = ""] = words;
  const members = commandNames.filter((name) => name.startsWith(`${group} `));
  if (members.length > 0 && words.length === 1) {
    throw new UsageError(
      `${group} needs to know what to do: ${members.join(", ")} (koor-cli ${group} --help)`,
    );
  }
  const unknown = words.slice(0, members.length > 0 ? 2 : 1).join(" ");
  const meant = guess(words);
  const advice = meant === undefined ? "" : `did you mean "${meant}"? `;
  throw new UsageError(`unknown command "${unknown}": ${advice}koor-cli help names them all`);
}

/** What other tools call what is called otherwise here. */
const synonyms: Readonly<Record<string, string>> = {
  put: "set",
  write: "set",
  read: "get",
  cat: "get",
  show: "get",
  ls: "list",
  rm: "delete",
  remove: "delete",
  version: "--version",
};

/** People leave out the group, use another tool's word, and mistype one of the words. */
function guess(words: readonly string[]): string | undefined {
  const [first = "", second = ""] = words;
  const renamed = words.length === 1 ? synonyms[first] : `${first} ${synonyms[second]}`;
  if (renamed === "--version" || commandNames.includes(renamed ?? "")) return renamed;
  const byVerb = commandNames.find((name) => name.endsWith(` ${first}`));
  if (byVerb) return byVerb;
  const one = nearest(first, commandNames);
  const two = nearest(`${first} ${second}`, commandNames);
  if (one === undefined || two === undefined) return one ?? two;
  return distanceBetween(first, one) < distanceBetween(`${first} ${second}`, two) ? one : two;
}

/** @throws UsageError for a flag that the command does not take, or one without its value */
export function checkFlags({ flags, valueless }: Arguments, known: readonly string[], name: string): void {
  const unknown = [...flags.keys()].find((flag) => !known.includes(flag));
  const help = `(koor-cli ${name} --help)`;
  if (unknown !== undefined) {
    const shown = unknown.length === 1 ? `-${unknown}` : `--${unknown}`;
    throw new UsageError(`${name}: unknown flag ${shown}: ${adviceOn(unknown, known)} ${help}`);
  }
  if (valueless !== undefined) throw new UsageError(`${name}: --${valueless} needs a value ${help}`);
}

function adviceOn(flag: string, known: readonly string[]): string {
  if (flag.length === 1) return "if it is no flag, put -- before it";
  if (flag === "server" || flag === "token") return `set KOOR_${flag.toUpperCase()}`;
  const near = nearest(flag.toLowerCase(), [...known, ...Object.keys(globalFlags)]);
  if (near !== undefined) return `did you mean --${near}?`;
  return known.length === 0 ? "it takes none" : `it takes --${known.join(", --")}`;
}
