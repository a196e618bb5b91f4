import { createClient } from "../client/client.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./command.ts";
import type { Env, Io } from "./io.ts";
import { jsonLine } from "./pretty.ts";
import { connection } from "./settings.ts";

/** `metrics agents`: sums of all instances, or the hours of one. @throws ClientError */
export async function showAgents(
  words: readonly string[],
  { flags, pretty }: Arguments,
  env: Env,
  io: Io,
): Promise<number> {
  const named = flags.get("instance-id");
  if (named !== undefined && words.length > 0)
    throw new UsageError("metrics agents: say the instance once, as ID or as --instance-id");
  const id = words[0] ?? named;
  const query = { period: flags.get("period") };
  const client = createClient(connection(env, io.cwd));
  const answer =
    id === undefined
      ? await client.call("metrics.agents", { query })
      : await client.call("metrics.agent", { params: { id }, query });
  const text = JSON.stringify(answer);
  await io.out(await jsonLine(text, pretty));
  return 0;
}
