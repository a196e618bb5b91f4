import { commands, version } from "./commands.generated.ts";
import { ownCommands } from "./own-commands.ts";
import { type StandardFlags, globalFlags, standardFlags } from "./standard-flags.ts";
import { brief } from "./usage.ts";

interface Entry {
  name: string;
  usage: string;
  summary: string;
  flags: StandardFlags;
}

function entries(): Entry[] {
  const made = commands.map((command) => ({
    name: command.name,
    usage: brief(command),
    summary: command.summary,
    flags: { ...command.flags, ...standardFlags(command) },
  }));
  return [...made, ...ownCommands].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Every command; with their flags those of a group that the first word names, or the one that two words name. */
export function helpText(words: readonly string[]): string {
  const [word] = words;
  const group = entries().filter(({ name }) => name.split(" ")[0] === word);
  const one = group.filter(({ name }) => name === words.slice(0, 2).join(" "));
  if (words.length > 1 && one.length > 0) return groupHelp(one);
  return group.length > 0 ? groupHelp(group) : fullHelp();
}

function fullHelp(): string {
  const all = entries();
  const width =
    Math.max(...all.filter(({ usage }) => usage.length < 40).map(({ usage }) => usage.length)) + 2;
  return [
    `koor-cli ${version}: what agents share, from the command line`,
    "",
    "Usage: koor-cli COMMAND [flags]",
    "",
    ...all.map(({ usage, summary }) => `  ${column(usage, width)}${summary}`),
    "",
    ...flagLines(globalFlags),
    "",
    "Flags of a group's commands, or of one: koor-cli state --help, koor-cli state get --help",
    "Server: KOOR_SERVER, else ./settings.json (koor-cli config set server URL), else http://localhost:9800.",
    "Tokens: KOOR_TOKEN or ./settings.json for the server's; KOOR_INSTANCE_TOKEN for your own, from koor-cli register.",
    "Lease: KOOR_FENCE=LEASE_ID:FENCE, which koor-cli lease run sets: what is written is refused once that lease is lost.",
    "Exit codes: 0 done, 3 not found, 4 conflict or a wait whose time is up, 5 unauthorized, 1 all else.",
    "",
  ].join("\n");
}

function groupHelp(group: readonly Entry[]): string {
  const blocks = group.map(({ usage, summary, flags }) =>
    [`koor-cli ${usage}`, `  ${summary}.`, ...flagLines(flags)].join("\n"),
  );
  return `${blocks.join("\n\n")}\n`;
}

function flagLines(flags: StandardFlags): string[] {
  return Object.entries(flags).map(([name, { value, summary }]) => {
    const flag = `--${name}${value ? ` ${value}` : ""}`;
    return `  ${summary === "" ? flag : column(flag, 24)}${summary}`;
  });
}

/** A text and at least two spaces; longer ones push what follows to the right. */
function column(text: string, width: number): string {
  return text.length + 2 > width ? `${text}  ` : text.padEnd(width);
}
