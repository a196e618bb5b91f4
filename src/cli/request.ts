import type { Sendable } from "../client/client.ts";
import type { Condition } from "../contract/operation.ts";
import type { Arguments } from "./arguments.ts";
import { readBody } from "./body.ts";
import { type Command, type FieldTarget, type Positional, UsageError } from "./command.ts";
import type { Io } from "./io.ts";
import { brief } from "./usage.ts";

/**
 * From a command line to the request that it means.
 *
 * @param words what stands after the command's name
 * @throws UsageError for too few or too many words, and values that have no form on the wire
 */
export async function toRequest(
  command: Command,
  words: readonly string[],
  { flags }: Pick<Arguments, "flags">,
  io: Io,
): Promise<Sendable & { params: Record<string, string> }> {
  const { body } = command;
  const dash = body !== undefined && words.length > command.positionals.length && words.includes("-");
  const values = dash ? words.filter((_, at) => at !== words.lastIndexOf("-")) : words;
  const fields = {
    params: {} as Record<string, string>,
    query: {} as Record<string, string>,
    body: [] as string[],
  };
  const put = ([place, name, kind]: FieldTarget, text: string, shown: string) => {
    if (place === "body") fields.body.push(`${JSON.stringify(name)}:${toJson(text, kind, shown)}`);
    // Several flags of one field are its parts: `--v1 3 --v2 5` is `diff=3,5`.
    else fields[place][name] = name in fields[place] ? `${fields[place][name]},${text}` : text;
  };

  for (const [at, positional] of command.positionals.entries()) {
    if (positional.optional && values[at] === undefined) continue;
    const parts = split(positional, values[at], command.name);
    for (const [index, target] of positional.fields.entries())
      put(target, parts[index] as string, positional.name);
  }
  const surplus = values[command.positionals.length];
  if (surplus !== undefined) {
    throw new UsageError(
      `${command.name}: what is ${JSON.stringify(surplus)}? The command is: koor-cli ${brief(command)}`,
    );
  }
  for (const [name, { target, value, required }] of Object.entries(command.flags)) {
    const text = flags.get(name);
    if (text !== undefined) put(target, text, `--${name}`);
    // Not left to the server: without it the same path may be another operation, such as reading the whole value.
    else if (required)
      throw new UsageError(`${command.name} needs --${name} ${value}: koor-cli ${command.name} --help`);
  }

  const condition = readCondition(flags);
  const headers = onceHeader(flags);
  const request = {
    params: fields.params,
    query: fields.query,
    ...(condition && { condition }),
    ...(headers && { headers }),
  };
  if (!body) return { ...request, rawBody: `{${fields.body.join(",")}}` };
  const { bytes, contentType } = await readBody({ ...command, body }, flags, dash, io);
  return { ...request, rawBody: bytes, contentType };
}

/** `PROJECT/NAME` is split at its first slash: names may hold slashes, projects are written without. */
function split(positional: Positional, value: string | undefined, command: string): string[] {
  const { name, fields } = positional;
  if (value === undefined) throw new UsageError(`${command} needs ${name}: koor-cli ${command} --help`);
  if (value === "") throw new UsageError(`${command}: ${name} must not be empty`);
  if (fields.length === 1) return [value];
  const slash = value.indexOf("/");
  if (slash < 1 || slash === value.length - 1) {
    throw new UsageError(
      `${command}: ${JSON.stringify(value)} is not ${name}: write the two with a slash between`,
    );
  }
  return [value.slice(0, slash), value.slice(slash + 1)];
}

/** A list's entries. Commas inside braces belong to a glob: `{a,b}.x`. */
function entriesOf(list: string): string[] {
  const entries = [""];
  let depth = 0;
  for (const character of list) {
    if (character === "{") depth += 1;
    if (character === "}" && depth > 0) depth -= 1;
    if (character === "," && depth === 0) entries.push("");
    else entries.push(`${entries.pop()}${character}`);
  }
  return entries;
}

/** A text as the JSON that the body's field wants. */
function toJson(text: string, kind: FieldTarget[2], shown: string): string {
  switch (kind) {
    case "text":
      return JSON.stringify(text);
    case "list":
      return JSON.stringify(
        entriesOf(text)
          .map((entry) => entry.trim())
          .filter((entry) => entry !== ""),
      );
    case "number":
      if (/^-?\d+(\.\d+)?$/.test(text)) return text;
      throw new UsageError(`${shown} must be a number`);
    case "json":
      try {
        JSON.parse(text);
        // Not what was parsed: a number of twenty digits keeps them all.
        return text;
      } catch {
        throw new UsageError(`${shown} is not JSON: a text needs its quotes, as in '"text"'`);
      }
  }
}

/** What makes a request take effect once. */
export function onceHeader(flags: Arguments["flags"]): { "Idempotency-Key": string } | undefined {
  const key = flags.get("idempotency-key");
  return key === undefined ? undefined : { "Idempotency-Key": key };
}

function readCondition(flags: ReadonlyMap<string, string>): Condition | undefined {
  const match = flags.get("if-match");
  const noneMatch = flags.get("if-none-match");
  const version = flags.get("if-version");
  const absent = flags.has("if-absent");
  if (version !== undefined && !/^\d{1,15}$/.test(version))
    throw new UsageError("--if-version must be a whole number");
  const condition: Condition = {
    ...(match !== undefined && { match: entityTag(match) }),
    ...(noneMatch !== undefined && { noneMatch: entityTag(noneMatch) }),
    ...(absent && { noneMatch: "*" as const }),
    ...(version !== undefined && { version: Number(version) }),
  };
  return Object.keys(condition).length > 0 ? condition : undefined;
}

/** Shells eat the quotes that entity tags wear. */
function entityTag(text: string): readonly string[] | "*" {
  if (text === "*") return "*";
  return [/^(W\/)?"/.test(text) ? text : `"${text}"`];
}
