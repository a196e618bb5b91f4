import { setTimeout } from "node:timers/promises";
import { type Client, createClient, durationOf, storedHead } from "../client/client.ts";
import { ClientError } from "../client/client-error.ts";
import { nextFrames } from "../client/poll.ts";
import { deliver } from "./answer.ts";
import type { Arguments } from "./arguments.ts";
import { type Command, UsageError } from "./command.ts";
import { commands } from "./commands.generated.ts";
import { interruptedExit, positionOf } from "./follow.ts";
import type { Env, Io } from "./io.ts";
import { jsonLine } from "./pretty.ts";
import { toRequest } from "./request.ts";
import { connection } from "./settings.ts";

/** `events wait`, `state wait`, `specs wait`: one thing that is waited for, over as many requests as it takes. */

/** The time is up: the exit code of conditions that do not hold, since 1 is for what went wrong. */
const timeUpExit = 4;
/** Unless said: as long as one request may wait, and less than most callers' own limit for a command. */
const usualTimeout = "60s";
/** What one request asks for at most, in milliseconds; the server cuts to a minute, and proxies are less patient. */
const requestMs = 30_000;
/** How long an answer may take beyond that, in milliseconds. */
const patienceMs = 5_000;
/** After an answer that came before its time and says nothing, and after a break, in milliseconds. */
const pauseMs = 1_000;

/** @returns the exit code */
export async function waitForEvent(
  pattern: string | undefined,
  args: Arguments,
  env: Env,
  io: Io,
): Promise<number> {
  const position = positionOf(args);
  const client = createClient({ ...connection(env, io.cwd), patienceMs });
  return waitUntil(
    args,
    io,
    `no event${pattern === undefined ? "" : " that matches"}`,
    async (waitMs, signal) => {
      // The first without a position finds out where the log stands.
      const first = position.after === undefined;
      const options = { log: "events" as const, pattern, waitMs: first ? 0 : waitMs, limit: 1, signal };
      const [frame] = await nextFrames(client, position, options);
      if (frame?.kind === "gap") {
        await io.err(`koor-cli: events ${frame.from} to ${frame.to} are gone: going on after them`);
        return "again";
      }
      if (!frame) return first ? "again" : "not yet";
      await io.out(await jsonLine(frame.raw, args.pretty));
      return "done";
    },
  );
}

/**
 * @param name of the command that reads the value: `state get`
 * @returns the exit code
 * @throws ClientError `not_found` when it was deleted meanwhile
 */
export async function waitForValue(
  name: string,
  words: readonly string[],
  args: Arguments,
  env: Env,
  io: Io,
): Promise<number> {
  const command = commands.find((candidate) => candidate.name === name) as Command;
  const { params } = await toRequest(command, words, { flags: new Map() }, io);
  let { after } = positionOf(args);
  const client = createClient({ ...connection(env, io.cwd), patienceMs });
  return waitUntil(args, io, "no new version", async (waitMs, signal) => {
    if (after === undefined) {
      after = await versionNow(client, command, params, signal);
      return "again";
    }
    const query = { after_version: after, wait: `${waitMs}ms` };
    const response = await client.send(command.operation, { params, query, signal });
    if (response.status === 304) return "not yet";
    await deliver(command, response, client.server, { output: undefined, pretty: args.pretty, params }, io);
    return "done";
  });
}

/** No version is above this: what answers says the version now, 0 for none, and sends no value. */
const aboveAll = 999_999_999_999_999;

async function versionNow(
  client: Client,
  { operation }: Command,
  params: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  return storedHead(await client.send(operation, { params, query: { after_version: aboveAll }, signal }))
    .version;
}

/** `again`: with another request at once; `not yet`: when its time was up. */
type Round = (waitMs: number, signal: AbortSignal) => Promise<"done" | "again" | "not yet">;

/**
 * Asks round after round until it is done or the time is up, across breaks and restarts, once somebody was there.
 *
 * @throws ClientError also for what passes, where it has not by the time
 */
async function waitUntil(args: Arguments, io: Io, what: string, round: Round): Promise<number> {
  const timeout = args.flags.get("timeout") ?? usualTimeout;
  const timeoutMs = durationOf(timeout);
  if (timeoutMs === undefined) throw new UsageError("--timeout must be a duration such as 90s, 500ms or 5m");
  const deadline = Date.now() + timeoutMs;
  const signal = io.interrupted();
  let reached = false;
  for (;;) {
    const waitMs = Math.max(0, Math.min(requestMs, deadline - Date.now()));
    const began = Date.now();
    let result: Awaited<ReturnType<Round>> | undefined;
    let failure: unknown;
    try {
      result = await round(waitMs, signal);
      if (result === "done") return 0;
      reached = true;
    } catch (error) {
      if (signal.aborted) return interruptedExit;
      failure = error;
      const isAway = failure instanceof ClientError && failure.reason === "no_server";
      if (!isPassing(failure) || (isAway && !reached)) throw failure;
      reached ||= !isAway;
    }
    if (result === "again") continue;
    const left = deadline - Date.now();
    if (left <= 0) {
      if (failure) throw failure;
      await io.err(`koor-cli: ${what} within ${timeout}`);
      return timeUpExit;
    }
    const early = waitMs - (Date.now() - began);
    if (early > 0) await pause(Math.min(pauseMs, early, left), signal);
    if (signal.aborted) return interruptedExit;
  }
}

/** What may be otherwise in a moment: the server is being started again, or has too much to do. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ClientError)) return false;
  const { reason, status } = error;
  return reason === "no_server" || reason === "no_answer" || status === 429 || status >= 500;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => {});
}
