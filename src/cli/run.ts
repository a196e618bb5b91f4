import { createClient } from "../client/client.ts";
import { deliver } from "./answer.ts";
import { type Arguments, parseArguments } from "./arguments.ts";
import { type Command, UsageError } from "./command.ts";
import { version } from "./commands.generated.ts";
import { report } from "./failure.ts";
import { checkFlags, findCommand } from "./find-command.ts";
import type { Env, Io } from "./io.ts";
import type { OwnCommand } from "./own-commands.ts";
import { toRequest } from "./request.ts";
import { connection } from "./settings.ts";
import { standardFlags } from "./standard-flags.ts";

/**
 * One run of koor-cli, from the command line to the exit code. What it needs for every command is imported at the top;
 * what only some need (help, pretty, subscribing, settings that are written), when it is needed.
 *
 * Measured with hyperfine (200 runs each, 2 cores, compiled with bytecode, against one small server): `koor-cli status`
 * takes 1.3 to 1.6 times as long as `curl -s http://localhost:PORT/health`, and 1.2 times as long as `koor-cli --version`. So
 * most of it is the runtime's own start; CommonJS and ESM are equal.
 *
 * @param argv what stands after the program's name
 */
export async function run(argv: readonly string[], env: Env, io: Io): Promise<number> {
  try {
    return await dispatch(parseArguments(argv), env, io);
  } catch (error) {
    // `koor-cli state get K | head`: who read has seen enough.
    if ((error as NodeJS.ErrnoException).code === "EPIPE") return 0;
    const { line, exit } = report(error);
    await io.err(line);
    return exit;
  }
}

async function dispatch(args: Arguments, env: Env, io: Io): Promise<number> {
  const [first, ...others] = args.positionals;
  if (args.version) {
    await io.out(`koor-cli ${version}\n`);
    return 0;
  }
  if (args.help || first === "help") {
    const { helpText } = await import("./help.ts");
    await io.out(helpText(first === "help" ? others : args.positionals));
    return 0;
  }
  const { command, own, rest } = findCommand(args.positionals);
  if (own) return runOwn(own, rest, args, env, io);
  await runCommand(command, rest, args, env, io);
  return 0;
}

async function runOwn(
  own: OwnCommand,
  words: readonly string[],
  args: Arguments,
  env: Env,
  io: Io,
): Promise<number> {
  checkFlags(args, Object.keys(own.flags), own.name);
  if (words.length < own.words.least || words.length > own.words.most)
    throw new UsageError(`the command is: koor-cli ${own.usage}`);
  return own.run(words, args, env, io);
}

/** A command that is one request: asks, and hands the answer over. */
async function runCommand(
  command: Command,
  words: readonly string[],
  args: Arguments,
  env: Env,
  io: Io,
): Promise<void> {
  const known = [...Object.keys(command.flags), ...Object.keys(standardFlags(command))];
  checkFlags(args, known, command.name);
  const request = await toRequest(command, words, args, io);
  const client = createClient(connection(env, io.cwd));
  const response = await client.send(command.operation, request);
  const { params } = request;
  await deliver(
    command,
    response,
    client.server,
    { output: args.flags.get("output"), pretty: args.pretty, params },
    io,
  );
}
