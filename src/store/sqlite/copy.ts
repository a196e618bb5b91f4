import { Database } from "bun:sqlite";
import { randomUUID } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { openDatabase } from "./database.ts";

/**
 * Copies a database into one file, out of one snapshot, while a server may write to it. The copy has an epoch of its own:
 * what goes on from it is another history, and positions of the old one mean nothing there.
 *
 * @throws Error when the output is there already: it may be the database of a server that runs
 */
export function copySqlite(file: string, output: string): void {
  refuseToReplace(output);
  // Its own: another copy to the same place may be under way.
  const part = `${output}.${randomUUID()}.part`;
  try {
    const source = openDatabase(file, "read");
    try {
      source.query("vacuum into ?").run(part);
    } finally {
      source.close();
    }
    const copy = new Database(part, { readwrite: true, create: false });
    copy.query("update heads set epoch = ? where id = 1").run(randomUUID());
    copy.close(true);
    const descriptor = openSync(part, "r+");
    fsyncSync(descriptor);
    closeSync(descriptor);
    refuseToReplace(output);
    renameSync(part, output);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

function refuseToReplace(output: string): void {
  if (existsSync(output)) throw new Error(`${output} is there already: choose another name`);
}
