import { UsageError } from "./command.ts";

/** A command line, taken apart. */
export interface Arguments {
  positionals: string[];
  /** How many of them stand before `--`, where there is one. */
  beforeDashes?: number;
  /** By their names with hyphens; of a switch the value is empty. */
  flags: Map<string, string>;
  /** The first flag at whose end the value is missing. Whether there is such a flag only its command knows. */
  valueless?: string;
  help: boolean;
  pretty: boolean;
  /** Asked for by `--version` alone: after a command it is a flag with a value, as in `state rollback K --version 3`. */
  version: boolean;
}

/** Flags without a value. */
const switches = new Set(["pretty", "help", "if-absent", "proposed", "unpriced"]);

/** Short names, and what people type for them. */
const short: Readonly<Record<string, string>> = { h: "help", o: "output", v: "version" };

/**
 * Takes a command line apart without knowing the command: flags may stand anywhere, `--name value` or `--name=value`,
 * hyphens or underscores. After `--` everything is positional.
 *
 * @throws UsageError for a flag that is given twice, or a switch with a value
 */
export function parseArguments(argv: readonly string[]): Arguments {
  const result: Arguments = { positionals: [], flags: new Map(), help: false, pretty: false, version: false };
  if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-v")) return { ...result, version: true };
  for (let at = 0; at < argv.length; at++) {
    const token = argv[at] as string;
    if (token === "--") {
      result.beforeDashes = result.positionals.length;
      result.positionals.push(...argv.slice(at + 1));
      break;
    }
    const [, long, letter, inline] = /^(?:--([A-Za-z][\w-]*)|-([A-Za-z]))(?:=([\s\S]*))?$/.exec(token) ?? [];
    const name = (letter === undefined ? long : (short[letter] ?? letter))?.replaceAll("_", "-");
    if (name === undefined) {
      if (token.startsWith("-") && token !== "-")
        throw new UsageError(`what is ${token}? If it is no flag, put -- before it`);
      result.positionals.push(token);
    } else if (switches.has(name)) {
      if (inline !== undefined) throw new UsageError(`--${name} takes no value`);
      if (name === "help") result.help = true;
      else if (name === "pretty") result.pretty = true;
      else result.flags.set(name, "");
    } else {
      const value = inline ?? valueAfter(argv, at, name);
      if (inline === undefined && value !== undefined) at += 1;
      if (result.flags.has(name)) throw new UsageError(`--${name} is given twice`);
      if (value === undefined) result.valueless ??= name;
      result.flags.set(name, value ?? "");
    }
  }
  return result;
}

/** Another flag is no value, but for `--data`, whose text can be anything. */
function valueAfter(argv: readonly string[], at: number, name: string): string | undefined {
  const next = argv[at + 1];
  if (next === undefined || name === "data") return next;
  return next.startsWith("--") || next === "-h" ? undefined : next;
}
