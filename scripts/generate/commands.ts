import { type Body, type Operation, takesTerms } from "../../src/contract/operation.ts";
import type { Command, FieldTarget, Flag, Positional } from "../../src/cli/command.ts";
import { globalFlags, standardFlags } from "../../src/cli/standard-flags.ts";
import { type Field, fieldsOf } from "./schema.ts";

/** From an operation's usage line to a command of koor-cli, as data. */

/**
 * @param id the operation, such as `state.get`
 * @throws Error when the line names what the operation does not have, or leaves out what it cannot do without
 */
export function commandOf(id: string, operation: Operation & { cli: string }): Command {
  const fail = (fault: string): never => {
    throw new Error(`operation ${id}, cli "${operation.cli}": ${fault}`);
  };
  const { words, places, flags, takesBody } = readUsage(operation.cli, fail);
  const fields = fieldsOf(operation);
  const find = (word: string): Field => {
    const name = word.toLowerCase().replaceAll("-", "_");
    return (
      fields.find((field) => field.name === name) ??
      fail(`no parameter, query or body field is named ${name}`)
    );
  };
  const target = (field: Field): FieldTarget => [field.place, field.name, kindOf(field, operation, fail)];

  const positionals: Positional[] = places.map(({ word, optional }) => ({
    name: word,
    fields: word.split("/").map((part) => target(find(part))),
    ...(optional && { optional }),
  }));
  const command: Command = {
    name: words.join(" "),
    operation: id as Command["operation"],
    summary: operation.summary,
    positionals,
    flags: Object.fromEntries(
      flags.map(([flag, value]): [string, Flag] => {
        const [, other, shown = value] = /^([a-z_]+)=(\w+)$/.exec(value) ?? [];
        const field = find(other ?? flag);
        // What is said of the whole field would mislead about one of its parts.
        const isPart = flags.filter(([, part]) => other && part.startsWith(`${other}=`)).length > 1;
        const summary = isPart ? "" : (field.schema.description ?? "");
        const required = field.required && { required: true as const };
        return [flag, { target: target(field), value: shown, summary, ...required }];
      }),
    ),
    ...(takesBody && operation.body && { body: commandBody(operation.body, fail) }),
    ...(operation.conditional && { conditional: true as const }),
    ...(takesTerms(operation) && { once: true as const }),
    ...(operation.method === "GET" && {
      reads: operation.response === "bytes" ? ("bytes" as const) : ("json" as const),
    }),
  };
  refuseGaps(command, operation, fields, fail);
  return command;
}

function commandBody(body: Body, fail: (fault: string) => never): NonNullable<Command["body"]> {
  const { kind, maxBytes } = body;
  if (kind === "ndjson") return fail("a body of any length has a command of its own");
  const types = kind === "bytes" ? body.types : undefined;
  return { kind, maxBytes, ...(types && { types }) };
}

interface Usage {
  words: string[];
  places: { word: string; optional?: true }[];
  flags: [name: string, value: string][];
  takesBody: boolean;
}

function readUsage(usage: string, fail: (fault: string) => never): Usage {
  const tokens = usage.split(" ");
  const result: Usage = { words: [], places: [], flags: [], takesBody: false };
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as string;
    if (token === "@body") result.takesBody = true;
    else if (token.startsWith("--")) {
      at += 1;
      result.flags.push([
        token.slice(2).replaceAll("_", "-"),
        tokens[at] ?? fail(`${token} has no name for its value`),
      ]);
    } else if (result.places.at(-1)?.optional) fail(`${token} cannot follow what may be left out`);
    else if (/^[A-Z][A-Z_]*(\/[A-Z_]+)*$/.test(token)) result.places.push({ word: token });
    else if (/^\[[A-Z][A-Z_]*\]$/.test(token))
      result.places.push({ word: token.slice(1, -1), optional: true });
    else if (/^[a-z][a-z-]*$/.test(token) && result.places.length === 0) result.words.push(token);
    else fail(`what is ${token}?`);
  }
  if (result.words.length === 0 || result.words.length > 2) fail("a command is one or two words");
  return result;
}

/** What a text on the command line becomes: parameters and queries are texts, a body's field has its own type. */
function kindOf(field: Field, operation: Operation, fail: (fault: string) => never): FieldTarget[2] {
  if (field.place !== "body") return "text";
  if (operation.body?.kind === "json" && operation.body.raw.includes(field.name)) return "json";
  const variants = field.schema.anyOf ?? [field.schema];
  const types = variants.flatMap(({ type }) => type ?? []).filter((type) => type !== "null");
  switch (types[0]) {
    case "string":
      return "text";
    case "array":
      return "list";
    case "integer":
    case "number":
      return "number";
    case "object":
      return "json";
    default:
      return fail(
        `a ${types.join(" or ") || "field of any type"} (${field.name}) has no form on a command line`,
      );
  }
}

function refuseGaps(
  command: Command,
  operation: Operation,
  fields: Field[],
  fail: (fault: string) => never,
): void {
  const taken = new Set(
    [
      ...command.positionals.flatMap((place) => place.fields),
      ...Object.values(command.flags).map((flag) => flag.target),
    ].map(([place, name]) => `${place}.${name}`),
  );
  for (const { place, name, required } of fields) {
    if (place === "body" && command.body) continue;
    if (required && !taken.has(`${place}.${name}`))
      fail(`the ${place} field ${name} is required, but not in the line`);
  }
  if (command.body && !operation.body) fail("@body, but the operation takes none");
  if (operation.body?.kind === "bytes" && !command.body)
    fail("the operation takes bytes, but there is no @body");
  const reserved = new Set([...Object.keys(globalFlags), ...Object.keys(standardFlags(command))]);
  const clash = Object.keys(command.flags).find((flag) => reserved.has(flag));
  if (clash) fail(`--${clash} means something else on every such command`);
}

/** @throws Error when two operations claim one name */
export function refuseTwins(commands: readonly { name: string }[]): void {
  const names = commands.map(({ name }) => name);
  const twin = names.find((name, at) => names.indexOf(name) !== at);
  if (twin) throw new Error(`two operations are the command "${twin}"`);
}
