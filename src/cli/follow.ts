import type { LogName, Position } from "../client/poll.ts";
import { subscribe } from "../client/subscribe.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./command.ts";
import type { Env, Io } from "./io.ts";
import { jsonLine } from "./pretty.ts";
import { connection } from "./settings.ts";

/** What a shell says of a program that Ctrl-C ended. */
export const interruptedExit = 130;

/** Where to begin, as the flags say it. */
export function positionOf({ flags }: Pick<Arguments, "flags">): Position {
  const after = flags.get("after");
  if (after !== undefined && !/^\d{1,15}$/.test(after))
    throw new UsageError("--after must be a whole number, 0 for all that is kept");
  return { after: after === undefined ? undefined : Number(after), epoch: flags.get("epoch") };
}

/**
 * `events subscribe`, `changes subscribe`: each entry as a line of JSON as it came, until Ctrl-C. Where retention was faster, a line
 * `{"gap":{"from":1,"to":9}}` stands for what is gone, as it does for those who listen on the WebSocket themselves.
 * A broken connection is told once on stderr, and followed up without loss.
 *
 * @throws ClientError for what trying again does not change
 */
export async function followLog(
  log: LogName,
  pattern: string | undefined,
  args: Pick<Arguments, "flags" | "pretty">,
  env: Env,
  io: Io,
): Promise<number> {
  const position = positionOf(args);
  const signal = io.interrupted();
  let told = "";
  const frames = subscribe({
    ...connection(env, io.cwd),
    ...position,
    log,
    pattern,
    signal,
    onState(state) {
      if (state !== "live" || told !== "") void io.err(`koor-cli: ${stateTexts[state]}`);
      told = state;
    },
  });
  for await (const frame of frames) await io.out(await jsonLine(frame.raw, args.pretty));
  return interruptedExit;
}

const stateTexts = {
  live: "connected again",
  polling: "WebSockets do not pass here: asking again and again instead",
  waiting: "the connection broke: trying again",
};
