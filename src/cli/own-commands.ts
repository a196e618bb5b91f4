import type { Arguments } from "./arguments.ts";
import type { Env, Io } from "./io.ts";
import { type StandardFlags, onceFlag } from "./standard-flags.ts";

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

const followFlags: StandardFlags = {
  after: { value: "ID", summary: "First what came after this one; unless said, only what is new" },
  epoch: { value: "EPOCH", summary: "The log that --after is of; refused when it is another one now" },
};

const timeoutFlag: StandardFlags = {
  timeout: { value: "TIME", summary: "How long to wait: 90s, 5m; 60s unless said. Then exit 4" },
};

const versionFlag: StandardFlags = {
  after: {
    value: "N",
    summary: "Until its version is above this one, 0 until it exists; unless said, the version now",
  },
};

const leaseFlags: StandardFlags = {
  mode: { value: "MODE", summary: "exclusive, or shared: beside other shared ones; exclusive unless said" },
  ttl: { value: "TTL", summary: "How long it lasts unless renewed: 1s to 24h" },
  wait: { value: "TIME", summary: "How long to wait in line for it, at most 60s" },
  note: { value: "TEXT", summary: "Why: others who want it are told" },
};

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
      "validate PROJECT (FILE | DIR | -)... [--stack S] [--format text|json|sarif|github] [--filename PATH] [--proposed]",
    summary: "Check files against a project's rules; exit 1 where one of severity error is broken",
    flags: {
      stack: { value: "S", summary: "Only rules of this stack, and those of every stack" },
      format: { value: "FORMAT", summary: "text: file:line: severity: message [rule]; json, sarif, github" },
      filename: { value: "PATH", summary: "What standard input is: the rules for such files are asked" },
      proposed: { summary: "Try proposed rules too; what breaks them says so, and is no reason to exit 1" },
    },
    words: { least: 2, most: Number.POSITIVE_INFINITY },
    async run(words, args, env, io) {
      const { validateFiles } = await import("./validate.ts");
      return validateFiles(words[0] as string, words.slice(1), args, env, io);
    },
  },
  {
    name: "contract validate",
    usage: "contract validate PROJECT/NAME [--endpoint 'POST /x'] --payload JSON [--direction D]",
    summary: "Check a payload against a contract: prints PASS or FAIL with what is wrong, exits 1 on FAIL",
    flags: {
      endpoint: {
        value: "ENDPOINT",
        summary: "Method and path as the contract has them; a JSON Schema has none",
      },
      payload: { value: "JSON", summary: "What is checked" },
      direction: { value: "D", summary: "request (unless said), response, query or error" },
    },
    words: { least: 1, most: 1 },
    async run(...all) {
      const { validateContract } = await import("./contract-commands.ts");
      return validateContract(...all);
    },
  },
  {
    name: "contract test",
    usage: "contract test PROJECT/NAME --target URL [--endpoint 'POST /x'] [--data JSON]",
    summary:
      "Call a running service and check its answers: a line for each endpoint, then k/n; exits 1 unless all pass",
    flags: {
      target: {
        value: "URL",
        summary: "Where the service is; the server must allow it (--contract-targets)",
      },
      endpoint: { value: "ENDPOINT", summary: "Only this one" },
      data: {
        value: "JSON",
        summary: "What goes into its path, query and body; else it is made up from the contract",
      },
    },
    words: { least: 1, most: 1 },
    async run(...all) {
      const { testContract } = await import("./contract-commands.ts");
      return testContract(...all);
    },
  },
  {
    name: "contract diff",
    usage: "contract diff PROJECT/NAME --v1 A --v2 B",
    summary: "Tell breaking from safe changes between two versions; exits 1 when something breaks",
    flags: {
      v1: { value: "A", summary: "The older version" },
      v2: { value: "B", summary: "The newer version" },
    },
    words: { least: 1, most: 1 },
    async run(...all) {
      const { diffContract } = await import("./contract-commands.ts");
      return diffContract(...all);
    },
  },
  {
    name: "contract check",
    usage: "contract check PROJECT/NAME (--file PATH | --data TEXT)",
    summary: "Tell what would break if this became the contract's next version; exits 1 when something would",
    flags: {
      file: { value: "PATH", summary: "Take it from a file; `-` is standard input" },
      data: { value: "TEXT", summary: "Take this text" },
    },
    words: { least: 1, most: 1 },
    async run(...all) {
      const { checkContract } = await import("./contract-commands.ts");
      return checkContract(...all);
    },
  },
  {
    name: "templates create",
    usage:
      "templates create --id ID --name NAME [--kind rules|contracts|bundle] [--file PATH | --data JSON] [--tags A,B] [--description TEXT] [--if-version N] [--idempotency-key KEY]",
    summary: "Keep rules or contracts as a template; of a file that `templates get` wrote --file alone",
    flags: {
      id: { value: "ID", summary: "Names the template" },
      name: { value: "NAME", summary: "Names the spec that a contract or a bundle becomes" },
      kind: { value: "KIND", summary: "rules (unless said), contracts or bundle" },
      file: { value: "PATH", summary: "Its data from a file; `-` is standard input" },
      data: { value: "JSON", summary: "Its data as this text" },
      tags: { value: "A,B", summary: "By which it is found" },
      description: { value: "TEXT", summary: "What it is for" },
      "if-version": { value: "N", summary: "Replace the one that is there, at this version; else exit 4" },
      ...onceFlag,
    },
    words: { least: 0, most: 0 },
    async run(_words, args, env, io) {
      const { createTemplate } = await import("./templates-create.ts");
      return createTemplate(args, env, io);
    },
  },
  {
    name: "metrics agents",
    usage: "metrics agents [ID] [--instance-id ID] [--period PERIOD]",
    summary: "What agents did: each of them, or one by the hour; counted by the server",
    flags: {
      "instance-id": { value: "ID", summary: "Only this one, by the hour" },
      period: { value: "PERIOD", summary: "Only hours whose name begins with it: 2026-11, 2026-11-24T09" },
    },
    words: { least: 0, most: 1 },
    async run(...all) {
      const { showAgents } = await import("./metrics-agents.ts");
      return showAgents(...all);
    },
  },
  {
    name: "llm import",
    usage: "llm import FILE... [--project P] [--instance-id ID] [--unpriced]",
    summary:
      "Record what models used, out of session logs of Claude Code and Codex; what was imported before is left as it is",
    flags: {
      project: { value: "P", summary: "Instead of the name of the directory that the agent worked in" },
      "instance-id": { value: "ID", summary: "The instance that it is put down to" },
      unpriced: {
        summary: "Record also calls that have no price: they cost nothing, whatever prices there are later",
      },
    },
    words: { least: 1, most: Number.POSITIVE_INFINITY },
    async run(words, args, env, io) {
      const { importUsage } = await import("./llm-import.ts");
      return importUsage(words, args, env, io);
    },
  },
  {
    name: "events subscribe",
    usage: "events subscribe [PATTERN] [--after ID]",
    summary: "Follow events, a line of JSON each, across breaks of the connection",
    flags: followFlags,
    words: { least: 0, most: 1 },
    async run(words, args, env, io) {
      const { followLog } = await import("./follow.ts");
      return followLog("events", words[0], args, env, io);
    },
  },
  {
    name: "events wait",
    usage: "events wait [PATTERN] [--after ID] [--timeout TIME]",
    summary: "Wait for the next event that matches, and print it; exit 4 when the time is up",
    flags: { ...followFlags, ...timeoutFlag },
    words: { least: 0, most: 1 },
    async run(words, args, env, io) {
      const { waitForEvent } = await import("./wait.ts");
      return waitForEvent(words[0], args, env, io);
    },
  },
  {
    name: "changes subscribe",
    usage: "changes subscribe [PATTERN] [--after ID]",
    summary:
      "Follow changes of state.KEY, specs.PROJECT/NAME and the like, as events subscribe follows events",
    flags: followFlags,
    words: { least: 0, most: 1 },
    async run(words, args, env, io) {
      const { followLog } = await import("./follow.ts");
      return followLog("changes", words[0], args, env, io);
    },
  },
  ...(["state", "specs"] as const).map((noun): OwnCommand => {
    const name = noun === "state" ? "KEY" : "PROJECT/NAME";
    return {
      name: `${noun} wait`,
      usage: `${noun} wait ${name} [--after N] [--timeout TIME]`,
      summary: "Wait for the next version, and print it; exit 4 when the time is up, 3 when it was deleted",
      flags: { ...versionFlag, ...timeoutFlag },
      words: { least: 1, most: 1 },
      async run(words, args, env, io) {
        const { waitForValue } = await import("./wait.ts");
        return waitForValue(`${noun} get`, words, args, env, io);
      },
    };
  }),
  {
    name: "lease acquire",
    usage:
      "lease acquire PATH... [--mode MODE] [--ttl TTL] [--wait TIME] [--note TEXT] [--idempotency-key KEY]",
    summary: "Lease paths, in quotes where they are globs; for 10m, without waiting, unless said",
    flags: { ...leaseFlags, ...onceFlag },
    words: { least: 1, most: Infinity },
    async run(words, args, env, io) {
      const { acquireLease } = await import("./lease-acquire.ts");
      return acquireLease(words, args, env, io);
    },
  },
  {
    name: "lease run",
    usage: "lease run PATH... [--mode MODE] [--ttl TTL] [--wait TIME] [--note TEXT] -- COMMAND [ARGUMENT...]",
    summary: "Run a command under a lease of 1m that is renewed, after waiting for it for 60s, unless said",
    flags: leaseFlags,
    words: { least: 2, most: Infinity },
    async run(words, args, env, io) {
      const { runUnderLease } = await import("./lease-run.ts");
      return runUnderLease(words, args, env, io);
    },
  },
];
