import { ConfigError, helpText, readConfig } from "./config.ts";
import { configureLog } from "./log.ts";
import { openServer } from "./server.ts";
import { version } from "./version.ts";

/** The server's program: reads the configuration, opens the server, closes it when asked to. */
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
  const config = readConfig(args, process.env);
  await configureLog(config.logLevel);
  const server = await openServer(config);
  let stopping = false;
  const stop = () => {
    // A second signal means now; what was acknowledged is on disk.
    if (stopping) process.exit(1);
    stopping = true;
    server.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

function fail(error: unknown): never {
  const text = error instanceof ConfigError ? error.message : startFault(error);
  process.stderr.write(`koor-server: ${text}\n`);
  process.exit(1);
}

/** What most often keeps a server from starting, with what to do. */
function startFault(error: unknown): string {
  const { code, message, stack } = error as Error & { code?: string };
  if (code === "EADDRINUSE") {
    return "the address is in use. Stop the other server, or choose another with --bind HOST:PORT and --dashboard-bind HOST:PORT.";
  }
  if (code === "EACCES" || code === "SQLITE_CANTOPEN" || code === "EROFS") {
    return `the data directory cannot be written to (${message}). Choose another with --data-dir DIRECTORY.`;
  }
  return process.env["KOOR_LOG_LEVEL"] === "debug" ? (stack ?? message) : message;
}

main(process.argv.slice(2)).catch(fail);
