import { Database } from "bun:sqlite";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Held locks, referenced from here as long as the process lives: Bun collected an unreferenced handle, which
 * let a second server in.
 */
const held = new Set<Database>();

/**
 * Makes this process the only owner of a data directory. The lock is SQLite's own on a file of its own, so the
 * system frees it however the process ends; a PID file would outlive `kill -9`, and PIDs mean little in containers.
 *
 * @param owner what the next server that tries is told: who holds the directory
 * @throws Error naming the holder when the directory is taken
 */
export function lockDirectory(directory: string, owner: string): () => void {
  const ownerFile = join(directory, "lock.owner");
  const db = new Database(join(directory, "lock.db"), { readwrite: true, create: true });
  try {
    db.run("pragma busy_timeout = 0");
    db.run("begin exclusive");
  } catch (error) {
    db.close();
    if (!(error as { code?: string }).code?.startsWith("SQLITE_BUSY")) throw error;
    throw new Error(
      `the data directory ${directory} is in use by ${readOwner(ownerFile)}. ` +
        "Use that server, or give this one a directory of its own with --data-dir.",
      { cause: error },
    );
  }
  held.add(db);
  writeFileSync(ownerFile, owner, { mode: 0o600 });
  return () => {
    held.delete(db);
    db.close();
  };
}

function readOwner(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "another server";
  }
}
