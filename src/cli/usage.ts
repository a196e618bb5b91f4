import type { Command } from "./command.ts";

/** A command without its flags: `state get KEY`. */
export function brief({ name, positionals, body }: Command): string {
  return [
    name,
    ...positionals.map((positional) => (positional.optional ? `[${positional.name}]` : positional.name)),
    ...(body ? ["(--file PATH | --data TEXT | -)"] : []),
  ].join(" ");
}

/** A command with its own flags, as the docs show it. */
export function usageOf(command: Command): string {
  const flags = Object.entries(command.flags).map(([name, { value }]) => `[--${name} ${value}]`);
  return [brief(command), ...flags].join(" ");
}
