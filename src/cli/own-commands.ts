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
    name: "specs push",
    usage: "specs push PROJECT DIR",
    summary: "Make every file below a directory a spec, named by its path there, unless it is one already",
    flags: {},
    words: { least: 2, most: 2 },
    async run(words, _args, env, io) {
      const { pushSpecs } = await import("./specs-push.ts");
      return pushSpecs(words[0] as string, words[1] as string, env, io);
    },
  },
  {
    name: "validate",
    usage:
      "validate PROJECT (FILE | DIR | -)... [--stack S] [--format text|json|sarif|github] [--filename PATH]",
    summary: "Check files against a project's rules; exit 1 where one of severity error is broken",
    flags: {
      stack: { value: "S", summary: "Only rules of this stack, and those of every stack" },
      format: { value: "FORMAT", summary: "text: file:line: severity: message [rule]; json, sarif, github" },
      filename: { value: "PATH", summary: "What standard input is: the rules for such files are asked" },
    },
    words: { least: 2, most: Number.POSITIVE_INFINITY },
    async run(words, args, env, io) {
      const { validateFiles } = await import("./validate.ts");
      return validateFiles(words[0] as string, words.slice(1), args, env, io);
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
