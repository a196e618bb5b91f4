import { type Client, createClient } from "../client/client.ts";
import type { Arguments } from "./arguments.ts";
import { readBody } from "./body.ts";
import { UsageError } from "./command.ts";
import { oneLine } from "./failure.ts";
import type { Env, Io } from "./io.ts";
import { connection } from "./settings.ts";

/** The commands of contracts whose answer is a verdict: exit code 0 when all is well, 1 when it is not. */

interface Violation {
  path: string;
  message: string;
}

interface Change {
  rule: string;
  path: string;
  message: string;
}

/** What passes between the words of the command line and the server. */
interface Run {
  client: Client;
  params: { project: string; name: string };
  flags: Arguments["flags"];
  io: Io;
}

type Verdict = (words: readonly string[], args: Arguments, env: Env, io: Io) => Promise<number>;

function verdict(name: string, judge: (run: Run) => Promise<boolean>): Verdict {
  return async ([word = ""], { flags }, env, io) => {
    const slash = word.indexOf("/");
    if (slash < 1 || slash === word.length - 1)
      throw new UsageError(
        `${name}: ${JSON.stringify(word)} is not PROJECT/NAME: write the two with a slash between`,
      );
    const params = { project: word.slice(0, slash), name: word.slice(slash + 1) };
    const isGood = await judge({ client: createClient(connection(env, io.cwd)), params, flags, io });
    return isGood ? 0 : 1;
  };
}

/** A line for each of the given; what comes from a server or a service is kept from steering the terminal. */
async function say(io: Io, lines: readonly string[]): Promise<void> {
  await io.out(lines.map((line) => `${/^ */.exec(line)?.[0] ?? ""}${oneLine(line.trimStart())}\n`).join(""));
}

const indented = ({ path, message }: Violation) => `  ${path}: ${message}`;

export const validateContract = verdict("contract validate", async ({ client, params, flags, io }) => {
  const payload = jsonFlag(flags, "payload");
  if (payload === undefined) throw new UsageError("contract validate needs --payload JSON");
  const endpoint = flags.get("endpoint") ?? "";
  const fields = { endpoint, direction: flags.get("direction") };
  const rawBody = `${JSON.stringify(fields).slice(0, -1)},"payload":${payload}}`;
  const { valid, violations } = await client.call("contracts.validate", { params, rawBody });
  const head = [valid ? "PASS" : "FAIL", endpoint].filter((part) => part !== "").join(" ");
  await say(io, [head, ...violations.map(indented)]);
  return valid;
});

export const testContract = verdict("contract test", async ({ client, params, flags, io }) => {
  const base_url = flags.get("target");
  if (base_url === undefined)
    throw new UsageError("contract test needs --target URL, such as http://localhost:3000");
  const only = flags.get("endpoint");
  const data = jsonFlag(flags, "data");
  if (data !== undefined && only === undefined)
    throw new UsageError("contract test: --data is for one endpoint: name it by --endpoint");
  const endpoints = only === undefined ? (await client.call("contracts.show", { params })).endpoints : [only];
  let passed = 0;
  for (const endpoint of endpoints) {
    const fields = JSON.stringify({ endpoint, base_url }).slice(0, -1);
    const rawBody = data === undefined ? `${fields}}` : `${fields},"test_data":${data}}`;
    const result = await client.call("contracts.test", { params, rawBody });
    const faults = [
      ...result.request_violations,
      ...result.response_violations,
      ...(result.error === "" ? [] : [{ path: "error", message: result.error }]),
    ];
    if (result.valid) passed += 1;
    const status = result.status_code === 0 ? "" : ` (${result.status_code})`;
    const why = faults.map(({ path, message }) => `${path}: ${message}`).join("; ");
    await say(io, [`${result.valid ? "PASS" : "FAIL"} ${endpoint}${status}${why === "" ? "" : ` ${why}`}`]);
  }
  await say(io, [`${passed}/${endpoints.length}`]);
  // A contract that promises nothing is not kept.
  return passed === endpoints.length && passed > 0;
});

export const diffContract = verdict("contract diff", async ({ client, params, flags, io }) => {
  const [v1, v2] = ["v1", "v2"].map((name) => flags.get(name));
  if (v1 === undefined || v2 === undefined) throw new UsageError("contract diff needs --v1 N and --v2 N");
  return sayChanges(io, await client.call("contracts.diff", { params, query: { v1, v2 } }));
});

export const checkContract = verdict("contract check", async ({ client, params, flags, io }) => {
  const body = { kind: "bytes" as const, maxBytes: 10 * 1024 * 1024 };
  const { bytes } = await readBody({ name: "contract check", body }, flags, false, io);
  return sayChanges(io, await client.call("contracts.check", { params, body: bytes }));
});

async function sayChanges(
  io: Io,
  {
    mode,
    compatible,
    breaking,
    safe,
  }: { mode: string; compatible: boolean; breaking: Change[]; safe: Change[] },
): Promise<boolean> {
  const line = (word: string) => (change: Change) =>
    `${word} ${change.rule} ${change.path || "/"}: ${change.message}`;
  await say(io, [
    ...breaking.map(line("breaking")),
    ...safe.map(line("safe")),
    `${breaking.length} breaking, ${safe.length} safe (${mode})`,
  ]);
  return compatible;
}

/** A flag's JSON as it was written, so that a number of twenty digits keeps them all. */
function jsonFlag(flags: Arguments["flags"], name: string): string | undefined {
  const text = flags.get(name);
  if (text === undefined) return undefined;
  try {
    JSON.parse(text);
    return text;
  } catch {
    throw new UsageError(`--${name} is not JSON: a text needs its quotes, as in '"text"'`);
  }
}
