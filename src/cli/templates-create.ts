import { createClient } from "../client/client.ts";
import type { Condition } from "../contract/operation.ts";
import type { Arguments } from "./arguments.ts";
import { readBody } from "./body.ts";
import { UsageError } from "./command.ts";
import type { Env, Io } from "./io.ts";
import { onceHeader } from "./request.ts";
import { connection } from "./settings.ts";

/** What a file with a template's data may hold; as much as the server takes of a request. */
const dataBytes = 1024 * 1024;

/**
 * Makes a template out of a file with its data; without `--id` and `--name` the file is one that `templates get` wrote,
 * with the template's name and all.
 */
export async function createTemplate(args: Arguments, env: Env, io: Io): Promise<number> {
  const { flags } = args;
  const whole = !flags.has("id") && !flags.has("name");
  const hasData = flags.has("file") || flags.has("data");
  const lost = ["kind", "tags", "description"].find((flag) => whole && flags.has(flag));
  if (lost !== undefined)
    throw new UsageError(
      `templates create: --${lost} is of a template that has its --id and --name beside it`,
    );
  if (!hasData && (whole || !flags.has("name") || !flags.has("id")))
    throw new UsageError("templates create needs --id and --name, or the --file of a whole template");
  const body = { kind: "bytes" as const, maxBytes: dataBytes };
  const bytes = hasData
    ? (await readBody({ name: "templates create", body }, flags, false, io)).bytes
    : undefined;
  const text = bytes && readJson(bytes);
  const rawBody = whole && text !== undefined ? text : templateOf(flags, text);
  const version = flags.get("if-version");
  if (version !== undefined && !/^\d{1,15}$/.test(version))
    throw new UsageError("--if-version must be a whole number");
  const condition: Condition | undefined = version === undefined ? undefined : { version: Number(version) };
  const client = createClient(connection(env, io.cwd));
  const headers = onceHeader(flags);
  const made = await client.call("templates.create", { rawBody, headers, ...(condition && { condition }) });
  await io.out(`${JSON.stringify(made)}\n`);
  return 0;
}

/** The template that the flags speak of. Its data stays the text that it is. */
function templateOf(flags: Arguments["flags"], data: string | undefined): string {
  const tags = flags
    .get("tags")
    ?.split(",")
    .map((tag) => tag.trim())
    .filter((tag) => tag !== "");
  const [id, name, kind, description] = ["id", "name", "kind", "description"].map((flag) => flags.get(flag));
  const fields = JSON.stringify({ id, name, kind, description, tags }).slice(0, -1);
  return data === undefined ? `${fields}}` : `${fields}${fields === "{" ? "" : ","}"data":${data}}`;
}

function readJson(bytes: Uint8Array): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    JSON.parse(text);
    return text;
  } catch {
    throw new UsageError("templates create: what it was given is not JSON");
  }
}
