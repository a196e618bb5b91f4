import type { Arguments } from "./arguments.ts";
import type { Env, Io } from "./io.ts";
import type { StandardFlags } from "./standard-flags.ts";

/** A command that is not one request to the server. */
export interface OwnCommand {
  name: string;
  usage: string;
  summary: string;
  flags: StandardFlags;
  /** How many words may follow its name. */
  words: { least: number; most: number };
  /** @returns the exit code */
  run(words: readonly string[], args: Arguments, env: Env, io: Io): Promise<number>;
}

/** Loaded when they are asked for: every command pays for what stands at the top. */
export const ownCommands: readonly OwnCommand[] = [
  {
    name: "backup",
    usage: "backup --output FILE",
    summary: "Write everything the server stores to a file, while it goes on",
    flags: {
      output: {
        value: "FILE",
        summary: "Where to put it; replaced only once all of it is there (short: -o)",
      },
    },
    words: { least: 0, most: 0 },
    async run(_words, args, env, io) {
      const { writeBackup } = await import("./backup.ts");
      return writeBackup(args, env, io);
    },
  },
  {
    name: "restore",
    usage: "restore --file FILE",
    summary: "Replace everything the server stores by a backup; what it holds now is gone",
    flags: { file: { value: "FILE", summary: "The backup; it is looked at whole before anything changes" } },
    words: { least: 0, most: 0 },
    async run(_words, args, env, io) {
      const { sendBackup } = await import("./backup.ts");
      return sendBackup(args, env, io);
    },
  },
  {
    name: "config set",
    usage: "config set server|token VALUE",
    summary: "Remember the server, or its token, in ./settings.json",
    flags: {},
    words: { least: 2, most: 2 },
    async run(words, _args, _env, io) {
      const { setSetting } = await import("./config-set.ts");
      return setSetting(words[0] as string, words[1] as string, io);
    },
  },
  {
    name: "events subscribe",
    usage: "events subscribe [PATTERN] [--after ID]",
    summary: "Follow events, a line of JSON each, across breaks of the connection",
    flags: {
      after: { value: "ID", summary: "First what came after this event; unless said, only what is new" },
      epoch: { value: "EPOCH", summary: "The log that --after is of; refused when it is another one now" },
    },
    words: { least: 0, most: 1 },
    async run(words, args, env, io) {
      const { followEvents } = await import("./events-subscribe.ts");
      return followEvents(words[0], args, env, io);
    },
  },
];
