import { type SubscribeOptions, subscribe } from "../client/subscribe.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./command.ts";
import type { Env, Io } from "./io.ts";
import { prettyJson } from "./pretty.ts";
import { connection } from "./settings.ts";

/** What a shell says of a program that Ctrl-C ended. */
const interruptedExit = 130;

/**
 * `events subscribe`: each event as a line of JSON as it came, until Ctrl-C. Where retention was faster, a line
 * `{"gap":{"from":1,"to":9}}` stands for what is gone, as it does for those who listen on the WebSocket themselves.
 * A broken connection is told once on stderr, and followed up without loss.
 *
 * @throws ClientError for what trying again does not change
 */
export async function followEvents(
  pattern: string | undefined,
  { flags, pretty }: Arguments,
  env: Env,
  io: Io,
  extra: Partial<SubscribeOptions> = {},
): Promise<number> {
  const after = flags.get("after");
  if (after !== undefined && !/^\d{1,15}$/.test(after))
    throw new UsageError("--after must be the id of an event, or 0 for all");
  const signal = io.interrupted();
  let told = "";
  const frames = subscribe({
    ...connection(env, io.cwd),
    pattern,
    after: after === undefined ? undefined : Number(after),
    epoch: flags.get("epoch"),
    signal,
    onState(state) {
      if (state !== "live" || told !== "") void io.err(`koor-cli: ${stateTexts[state]}`);
      told = state;
    },
    ...extra,
  });
  for await (const frame of frames) await io.out(pretty ? await prettyJson(frame.raw) : `${frame.raw}\n`);
  return interruptedExit;
}

const stateTexts = {
  live: "connected again",
  polling: "WebSockets do not pass here: asking every second instead",
  waiting: "the connection broke: trying again",
};
