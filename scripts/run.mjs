// node scripts/run.mjs [--build] <file> [arguments]: sets up what is missing, then runs the file with Bun.
// `npm start`, `npm run build`, `demo`, `bench` and `generate` are this with different files.
import { spawn } from "node:child_process";
import { SetupError, root, setUp, succeeds } from "./setup.mjs";

const args = process.argv.slice(2);
const build = args[0] === "--build" && args.shift() !== undefined;

try {
  const bun = setUp();
  if (build && !succeeds(bun, ["scripts/build.ts"])) throw new SetupError("the build failed");
  run(bun);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`koor: ${error.message}`);
  process.exitCode = 1;
}

/**
 * Runs Bun as if it stood in our place: signals go in, the exit code comes out.
 * One Ctrl-C reaches us twice (from the terminal and from npm, which passes it on) and would reach the server
 * a third time. So Bun gets a process group of its own, and of equal signals within half a second only the first.
 * --no-orphans: were this process killed outright, the server would stay behind and hold its port and data.
 * --no-env-file: configuration comes from flags, KOOR_* and settings.json, as in the compiled server.
 * @param {string} bun
 */
function run(bun) {
  const child = spawn(bun, ["--no-orphans", "--no-env-file", ...args], {
    cwd: root,
    stdio: "inherit",
    detached: process.platform !== "win32",
  });
  let last = { signal: "", at: 0 };
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])) {
    process.on(signal, () => {
      const repeated = signal === last.signal && Date.now() - last.at < 500;
      last = { signal, at: Date.now() };
      if (!repeated) child.kill(signal);
    });
  }
  child.on("error", (error) => {
    console.error(`koor: Bun did not start: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    if (!signal) return process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
