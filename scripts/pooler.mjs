// A PgBouncer of our own in front of a PostgreSQL of our own, in transaction mode: for the tests of Koor behind a pooler.
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @returns {string | undefined} */
export function pgbouncer() {
  const folders = ["/usr/sbin", ...(process.env.PATH ?? "").split(":")];
  return folders.map((folder) => join(folder, "pgbouncer")).find((file) => existsSync(file));
}

/**
 * @param {string} database the URL of what is behind it
 * @param {number} port
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function startPooler(database, port) {
  const program = pgbouncer();
  if (!program) throw new Error("no PgBouncer: install it (Debian: apt-get install pgbouncer)");
  const behind = new URL(database);
  const folder = mkdtempSync(join(tmpdir(), "koor-pooler-"));
  chmodSync(folder, 0o755);
  const settings = [
    "[databases]",
    `* = host=${behind.hostname} port=${behind.port} user=${behind.username}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = any",
    "pool_mode = transaction",
    "default_pool_size = 6",
  ];
  writeFileSync(join(folder, "pgbouncer.ini"), `${settings.join("\n")}\n`, { mode: 0o644 });
  // It refuses to run as root, as PostgreSQL does.
  const number = (/** @type {string} */ flag) =>
    Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout);
  const owner = process.getuid?.() === 0 ? { uid: number("-u"), gid: number("-g") } : {};
  const child = spawn(program, ["-q", join(folder, "pgbouncer.ini")], {
    cwd: folder,
    stdio: "ignore",
    ...owner,
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error("pgbouncer does not start");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  behind.port = String(port);
  return {
    url: behind.href,
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** @param {number} port @returns {Promise<boolean>} */
function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
