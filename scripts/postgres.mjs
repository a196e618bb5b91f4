// A PostgreSQL of our own for tests and benches: installed where that is possible, run as an unprivileged user in a
// temporary directory on a free port, gone when it is stopped. `node scripts/postgres.mjs PORT` is one to try Koor on: it
// prints its URL when it is ready, and is stopped and removed by Ctrl-C.
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** How long the database may take to answer after its start, in milliseconds. */
const startLimit = 30_000;

/** @typedef {{ url: string, pid: () => number, kill: (signal: NodeJS.Signals) => void, start: () => Promise<void>, stop: () => Promise<void> }} Postgres */

/** @returns {string | undefined} the folder of initdb and postgres */
function findBinaries() {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(debian, version, "bin")),
    ...(process.env.PATH ?? "").split(":"),
  ];
  return folders.find(
    (folder) => folder && existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")),
  );
}

/**
 * The folder of PostgreSQL's programs, installed by apt-get where we may.
 * @returns {string}
 * @throws Error with one line that says what is missing
 */
export function postgresBinaries() {
  const here = findBinaries();
  if (here) return here;
  if (process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    console.error("koor: installing PostgreSQL for the tests (apt-get install postgresql)");
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    spawnSync("apt-get", ["update", "-qq"], { stdio: "inherit", env });
    spawnSync("apt-get", ["install", "-y", "-qq", "-o", "Dpkg::Use-Pty=0", "postgresql"], {
      stdio: "inherit",
      env,
    });
    const installed = findBinaries();
    if (installed) return installed;
  }
  throw new Error("no PostgreSQL for the tests: install it (Debian: apt-get install postgresql)");
}

/** @returns {{ uid: number, gid: number } | undefined} PostgreSQL refuses to run as root: then Debian's user for it */
function owner() {
  if (process.getuid?.() !== 0) return undefined;
  const id = (/** @type {string} */ flag) =>
    Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout);
  return { uid: id("-u"), gid: id("-g") };
}

/** @returns {Promise<number>} a port that was free a moment ago */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/**
 * Starts a new, empty cluster.
 * @param {Record<string, string>} [settings] on top of PostgreSQL's own
 * @param {string} [parent] where its directory is made
 * @returns {Promise<Postgres>}
 */
export async function startPostgres(settings = {}, parent = tmpdir()) {
  const binaries = postgresBinaries();
  const user = owner();
  const directory = mkdtempSync(join(parent, "koor-postgres-"));
  chmodSync(directory, 0o700);
  if (user) chownSync(directory, user.uid, user.gid);
  const data = join(directory, "data");
  const options = { cwd: directory, env: { PATH: process.env.PATH ?? "", LC_ALL: "C.UTF-8" }, ...user };
  const made = spawnSync(
    join(binaries, "initdb"),
    ["-D", data, "-U", "koor", "--auth=trust", "--encoding=UTF8", "--no-sync"],
    { ...options, encoding: "utf8" },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const all = {
    listen_addresses: "127.0.0.1",
    port: String(await freePort()),
    unix_socket_directories: "",
    max_connections: "200",
    ...settings,
  };
  const args = ["-D", data, ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
  /** @type {import("node:child_process").ChildProcess} */
  let child;
  /** @type {Promise<unknown>} */
  let ended;

  async function start() {
    // A file and no pipe: whoever started it may be busy, and a pipe that nobody reads would stop the database.
    const log = join(directory, "log");
    const output = openSync(log, "w");
    child = spawn(join(binaries, "postgres"), args, { ...options, stdio: ["ignore", output, output] });
    closeSync(output);
    ended = new Promise((resolve) => child.once("exit", resolve));
    for (
      const end = Date.now() + startLimit;
      !/ready to accept connections/.test(readFileSync(log, "utf8"));
    ) {
      if (child.exitCode !== null || Date.now() > end)
        throw new Error(`postgres does not start: ${readFileSync(log, "utf8").slice(-1000)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  await start();
  return {
    url: `postgres://koor@127.0.0.1:${all.port}/postgres`,
    pid: () => /** @type {number} */ (child.pid),
    kill: (signal) => void child.kill(signal),
    start: async () => {
      await ended;
      await start();
    },
    stop: async () => {
      child.kill("SIGINT");
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const port = process.argv[2];
  const cluster = await startPostgres(port === undefined ? {} : { port });
  const timer = setInterval(() => {}, 60_000);
  for (const signal of ["SIGINT", "SIGTERM"])
    process.once(signal, () => void cluster.stop().then(() => clearInterval(timer)));
  console.log(cluster.url);
}
