import { createReadStream, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { ClientError } from "../client/client-error.ts";
import { type Client, createClient } from "../client/client.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./command.ts";
import { filesBelow } from "./files.ts";
import type { Env, Io } from "./io.ts";
import { type LoggedCall, type LoggedLine, readSessionLog } from "./session-logs.ts";
import { connection } from "./settings.ts";

/** Calls in one request: `limits.usageRecords`. */
const batchCalls = 500;
/** How long after its last line a session may still be in the middle of an answer, in milliseconds. */
const settledAfter = 5 * 60 * 1000;

/**
 * `llm import`: what models used, out of session logs of Claude Code and Codex. Prints how many calls there were, how many of
 * them were new, how many of those have no price, which are left out unless `--unpriced` is said, and how many the server
 * refused, whose lines it names.
 *
 * @returns 1 when calls without a price were left out, else 0
 *
 * @throws UsageError for a file that cannot be read, and where there is nothing to import; ClientError
 */
export async function importUsage(
  paths: readonly string[],
  { flags }: Arguments,
  env: Env,
  io: Io,
): Promise<number> {
  const client = createClient(connection(env, io.cwd));
  const files = paths.flatMap((path) => logsAt(resolve(io.cwd, path)));
  const sum = { files: files.length, calls: 0, recorded: 0, known: 0, skipped: 0, unpriced: 0 };
  const unpricedModels = new Set<string>();
  let left = 0;
  const unpriced = flags.has("unpriced");
  const given = {
    ...(flags.has("project") && { project: flags.get("project") }),
    instance_id: flags.get("instance-id") ?? "",
  };
  for (const file of files) {
    const { calls, streaming } = await read(file);
    left += streaming;
    sum.calls += calls.length;
    for (let at = 0; at < calls.length; at += batchCalls) {
      const { answer, refused } = await send(client, calls.slice(at, at + batchCalls), given, unpriced);
      for (const { line, fault } of refused.toSorted((a, b) => a.line - b.line))
        await io.err(`koor-cli: ${file}:${line}: ${fault}: skipped`);
      sum.skipped += refused.length;
      sum.recorded += answer.recorded;
      sum.known += answer.known;
      sum.unpriced += answer.unpriced;
      for (const model of answer.unpriced_models) unpricedModels.add(model);
    }
  }
  if (sum.calls + left === 0)
    throw new UsageError(
      "no usage of models in it: llm import reads session logs of Claude Code and Codex, *.jsonl",
    );
  await io.out(`${JSON.stringify(sum)}\n`);
  if (unpriced || sum.unpriced === 0) return 0;
  const models = [...unpricedModels].map((model) => JSON.stringify(model)).join(", ");
  await io.err(
    `koor-cli: ${sum.unpriced} of ${sum.calls} calls were left out, since the server knows no price of ${models}: start koor-server with --llm-prices FILE that names them, and import again; or with --unpriced, for their tokens alone: then they cost nothing for good`,
  );
  return 1;
}

/**
 * Sends calls without those that the server refuses: a bad line stays in its log for ever, and is no reason to leave out
 * all others.
 *
 * @param given fields of every call, which the log does not say
 * @throws ClientError also when what is given is refused
 */
async function send(
  client: Client,
  calls: readonly LoggedLine[],
  given: { project?: string | undefined; instance_id: string },
  unpriced: boolean,
) {
  const refused: { line: number; fault: string }[] = [];
  for (let rest = calls; ;) {
    try {
      const records = rest.map(({ call }) => ({ ...call, ...given }));
      return { answer: await client.call("llm.import", { body: { records, unpriced } }), refused };
    } catch (error) {
      const { path = "", message } = error as ClientError;
      const [, at, field] = /^records\.(\d+)\.(\w+)$/.exec(path) ?? [];
      const valueOf = ({ call }: LoggedLine) => call[field as keyof LoggedCall];
      const bad = rest[Number(at)];
      if (!(error instanceof ClientError) || error.status !== 400 || !bad || !field || field in given)
        throw error;
      // What one line says all of its session say: not a request for each.
      const isBad = (one: LoggedLine) => valueOf(one) === valueOf(bad);
      const fault = message.replace(`records.${at}.`, "");
      refused.push(...rest.filter(isBad).map(({ line }) => ({ line, fault })));
      rest = rest.filter((one) => !isBad(one));
    }
  }
}

/** A file, or the logs below a directory. */
function logsAt(path: string): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new UsageError(`cannot read ${path}: there is no such file`);
  if (!stat.isDirectory()) return [path];
  const { names } = filesBelow(path);
  return names.filter((name) => name.endsWith(".jsonl")).map((name) => join(path, name));
}

async function read(file: string) {
  try {
    const lines = createInterface({ input: createReadStream(file, "utf8"), crlfDelay: Infinity });
    const growing = Date.now() - statSync(file).mtimeMs < settledAfter;
    const since = growing ? Date.now() - settledAfter : Infinity;
    return await readSessionLog(lines, basename(file, ".jsonl"), since);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
}
