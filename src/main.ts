import { helpText } from "./config-help.ts";
import { ConfigError, readConfig } from "./config.ts";
import { configureLog } from "./log.ts";
import { maintenanceCommand } from "./maintenance.ts";
import { openServer } from "./server.ts";
import { version } from "./version.ts";

/** How long a server that is stopped while it opens may take until it has, in milliseconds. */
const openingMs = 5000;

/** The server's program: a command on its files, or the server, which is closed when asked to. */
async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h") || args[0] === "help") {
    process.stdout.write(helpText());
    return;
  }
  if (args.includes("--version")) {
    process.stdout.write(`${version}\n`);
    return;
  }
  // Nobody else on this machine reads what the agents share.
  process.umask(0o077);
  const command = maintenanceCommand(args);
  if (command) {
    const { text, exit } = await command(args.slice(1), process.env);
    process.stdout.write(text);
    process.exitCode = exit;
    return;
  }
  const config = readConfig(args, process.env);
  await configureLog(config.logLevel);
  const opening = openServer(config);
  let stopping = false;
  const stop = () => {
    // A second signal means now; what was acknowledged is on disk.
    if (stopping) process.exit(1);
    stopping = true;
    // It may still be opening. Then nothing was acknowledged, and what it waits for may never come.
    const impatience = setTimeout(() => process.exit(1), openingMs);
    opening
      .then((server) => {
        clearTimeout(impatience);
        return server.close();
      })
      .then(
        () => process.exit(0),
        (error: unknown) => fail(error),
      );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  await opening;
}

function fail(error: unknown): never {
  const text = error instanceof ConfigError ? error.message : startFault(error);
  process.stderr.write(`koor-server: ${text}\n`);
  process.exit(1);
}

/** What most often keeps a server from starting, by the error's code, with what to do. */
const faults: readonly { codes: readonly string[]; advice: string }[] = [
  {
    codes: ["EADDRINUSE"],
    // Not to stop what runs there: it may well be the Koor that other agents use.
    advice:
      "If it is a Koor server, use that one (koor-cli status); else choose another address with --bind HOST:PORT and " +
      "--dashboard-bind HOST:PORT.",
  },
  {
    codes: ["EADDRNOTAVAIL", "EINVAL", "ENOTFOUND"],
    advice: "The address is none of this machine: see --bind HOST:PORT and --dashboard-bind HOST:PORT.",
  },
  {
    codes: ["EACCES", "EPERM", "EROFS", "ENOENT", "EEXIST", "ENOTDIR", "SQLITE_CANTOPEN", "SQLITE_READONLY"],
    advice:
      "The data directory must be one that can be written to: choose another with --data-dir DIRECTORY.",
  },
  {
    codes: ["SQLITE_NOTADB", "SQLITE_CORRUPT"],
    advice:
      "data.db in the data directory is damaged, or not Koor's. Move it away, or choose another --data-dir.",
  },
  { codes: ["SQLITE_FULL", "ENOSPC"], advice: "Free some space on the disk of the data directory." },
];

function startFault(error: unknown): string {
  const { code = "", message } = error as Error & { code?: string };
  const known = faults.find(({ codes }) => codes.some((start) => code.startsWith(start)));
  const what = message.replace(/^Failed to start server\. Is (port \d+) in use\?$/, "$1 is in use");
  return known ? `${what}. ${known.advice}` : message;
}

main(process.argv.slice(2)).catch(fail);
