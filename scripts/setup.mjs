// Brings a fresh clone to where Bun runs: the npm packages, Bun's binary, and for the tests a Chromium.
// Plain Node 20 without packages, since nothing is installed yet when this runs.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pgbouncer } from "./pooler.mjs";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Ends the set-up with one line that says what to do; `run.mjs` and `test.mjs` print it. */
export class SetupError extends Error {}

/** What is run by hand, so that nobody waits in silence. @param {string} text */
const say = (text) => console.error(`koor: ${text}`);

/**
 * Runs a program with the terminal passed on.
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string | undefined>} [env] on top of our own
 * @returns {boolean} whether it exited with 0
 */
export function succeeds(command, args, env = {}) {
  return (
    spawnSync(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } }).status === 0
  );
}

/** @param {string} file @returns {any} undefined if it cannot be read */
function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/**
 * Whether node_modules holds what package-lock.json asks for. npm writes what it installed to a hidden
 * lock file at the end of an installation, so an interrupted one does not count either.
 */
function packagesMatch() {
  const wanted = readJson(join(root, "package-lock.json"))?.packages ?? {};
  const installed = readJson(join(root, "node_modules/.package-lock.json"))?.packages;
  if (!installed) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional, devOptional }]) => {
    if (path === "") return true;
    const have = installed[path];
    // Optional ones are the binaries of other platforms; if ours is missing, bunPath() says so.
    if (!have) return optional || devOptional;
    return have.version === version && have.integrity === integrity && existsSync(join(root, path));
  });
}

function installPackages() {
  say("installing packages (npm install)");
  // npm itself when it started us: on Windows `npm` is a script that spawn cannot run.
  const npm = process.env.npm_execpath;
  // All of them, whatever NODE_ENV or npm's settings leave out: the build needs the optional ones, the tests the rest.
  // Not `npm ci`: it refuses a lock file without the binaries of other platforms, and npm writes such a lock file where
  // the registry is a mirror that lacks them. With --no-save the lock file is followed and left as it is.
  const args = ["install", "--no-save", "--include=dev", "--include=optional", "--no-audit", "--no-fund"];
  args.push("--loglevel=error");
  const done = npm ? succeeds(process.execPath, [npm, ...args]) : succeeds("npm", args);
  if (!done)
    throw new SetupError("npm install failed: see its message above, then run the same command again");
}

/**
 * The binary itself instead of node_modules/.bin/bun: the same file, and no wrapper script between us and it on Windows.
 * @returns {string | undefined} undefined unless it runs and is the pinned version
 */
function workingBun() {
  const { version, bin } = readJson(join(root, "node_modules/bun/package.json")) ?? {};
  if (!bin?.bun) return undefined;
  const path = join(root, "node_modules/bun", bin.bun);
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  return stdout?.trim() === version ? path : undefined;
}

/** Installs what is missing and answers with the path of Bun's binary. */
export function setUp() {
  if (!packagesMatch()) installPackages();
  const bun = workingBun();
  if (bun) return bun;
  // npm can be told not to run install scripts; the package then holds a stub instead of the binary.
  say("putting Bun's binary in place");
  succeeds(process.execPath, [join(root, "node_modules/bun/install.js")]);
  const placed = workingBun();
  if (placed) return placed;
  throw new SetupError(
    "Bun does not run here: remove node_modules and run this again; Bun needs glibc 2.17+ or musl on x64 or arm64",
  );
}

/** @param {string} name @returns {string | undefined} */
function onPath(name) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (folder) return file;
    } catch {
      // not here
    }
  }
  return undefined;
}

/** @returns {string | undefined} the first Chromium that starts */
function findChromium() {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const found = [process.env.KOOR_CHROMIUM, ...names.map(onPath)];
  // On Ubuntu chromium-browser can be a stub that only says "use snap".
  return found.find((file) => file && spawnSync(file, ["--version"], { stdio: "ignore" }).status === 0);
}

/**
 * Installs a Debian package where apt-get and root make that possible.
 * @param {string} name @param {string} purpose
 * @returns {boolean} whether it was tried
 */
function aptInstall(name, purpose) {
  if (process.getuid?.() !== 0 || !onPath("apt-get")) return false;
  say(`installing ${name} for ${purpose} (apt-get install ${name})`);
  const quiet = { DEBIAN_FRONTEND: "noninteractive" };
  const options = ["-qq", "-o", "Dpkg::Use-Pty=0"];
  succeeds("apt-get", ["update", ...options], quiet);
  succeeds("apt-get", ["install", "-y", ...options, name], quiet);
  return true;
}

/** strace, by which the power cuts are recorded; without it that proof is skipped, and says so. */
export function strace() {
  if (!onPath("strace")) aptInstall("strace", "the power cuts");
}

/** PgBouncer, by which Koor is tried behind a pooler; without it those tests are skipped. */
export function pooler() {
  if (!pgbouncer()) aptInstall("pgbouncer", "the tests behind a pooler");
}

/**
 * The browser for the browser tests, installed where apt-get and root make that possible.
 * @returns {string} the path of a Chromium that starts
 */
export function chromium() {
  const here = findChromium();
  if (here) return here;
  if (aptInstall("chromium", "the browser tests")) {
    const installed = findChromium();
    if (installed) return installed;
  }
  throw new SetupError(
    "no Chromium for the browser tests: install it (Debian: apt-get install chromium) or set KOOR_CHROMIUM to one",
  );
}
