import { type Command, UsageError } from "./command.ts";
import { commands as table } from "./commands.generated.ts";
import { distanceBetween, nearest } from "./nearest.ts";
import { type OwnCommand, ownCommands } from "./own-commands.ts";

export const commands: readonly Command[] = table;

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
  throw new UsageError(
    `unknown command "${unknown}": did you mean "${guess(words)}"? koor-cli help names them all`,
  );
}

/** People leave out the group, and mistype one of the words. */
function guess(words: readonly string[]): string {
  const [first = "", second = ""] = words;
  const byVerb = commandNames.find((name) => name.endsWith(` ${first}`));
  if (byVerb) return byVerb;
  const one = nearest(first, commandNames) as string;
  const two = nearest(`${first} ${second}`, commandNames) as string;
  return distanceBetween(first, one) < distanceBetween(`${first} ${second}`, two) ? one : two;
}

/** @throws UsageError for a flag that the command does not take */
export function refuseUnknownFlags(given: Iterable<string>, known: readonly string[], name: string): void {
  for (const flag of given) {
    if (known.includes(flag)) continue;
    const near = nearest(flag, known);
    const advice = near === undefined ? "it takes none" : `did you mean --${near}?`;
    throw new UsageError(
      `${name}: unknown flag --${flag}: ${advice} (koor-cli ${name.split(" ")[0]} --help)`,
    );
  }
}
