import { Database } from "bun:sqlite";
import { randomUUID } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { inShell } from "../in-shell.ts";
import { openDatabase } from "./database.ts";

/**
 * Copies a database into one file, out of one snapshot, while a server may write to it. The copy has an epoch of its own:
 * what goes on from it is another history, and positions of the old one mean nothing there.
 *
 * @throws Error when the output is there already: it may be the database of a server that runs. When it cannot be written
 */
export function copySqlite(file: string, output: string): void {
  refuseToReplace(output);
  const part = beginPart(output);
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
    const isFull = /^(SQLITE_FULL|ENOSPC|EDQUOT)/.test((error as { code?: string }).code ?? "");
    throw isFull ? new Error(`the disk of ${output} is full: free some space on it, or name another`) : error;
  }
}

/** An empty file of our own: another copy to the same place may be under way. */
function beginPart(output: string): string {
  const part = `${output}.${randomUUID()}.part`;
  try {
    closeSync(openSync(part, "wx", 0o600));
    return part;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const directory = dirname(output);
    const fault =
      code === "ENOENT"
        ? `there is no directory ${directory}. Make it: mkdir -p ${inShell(directory)}`
        : message;
    throw new Error(`cannot write ${output}: ${fault}`, { cause: error });
  }
}

function refuseToReplace(output: string): void {
  if (existsSync(output)) throw new Error(`${output} is there already: choose another name`);
}
