import type { Command } from "./command.ts";

/** A command with what it cannot do without: `state diff KEY --v1 A --v2 B`. */
export function brief({ name, positionals, flags, body }: Command): string {
  return [
    name,
    ...positionals.map((positional) => (positional.optional ? `[${positional.name}]` : positional.name)),
    ...Object.entries(flags).flatMap(([flag, { value, required }]) =>
      required ? [`--${flag} ${value}`] : [],
    ),
    ...(body ? ["(--file PATH | --data TEXT | -)"] : []),
  ].join(" ");
}

/** A command with its own flags, as the docs show it. */
export function usageOf(command: Command): string {
  const flags = Object.entries(command.flags).flatMap(([name, { value, required }]) =>
    required ? [] : [`[--${name} ${value}]`],
  );
  return [brief(command), ...flags].join(" ");
}
