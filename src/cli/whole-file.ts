import { randomBytes } from "node:crypto";
import {
  type Stats,
  accessSync,
  constants,
  lstatSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** Names of what is open already: it may be a regular file, and others go on writing to it. */
const openAlready = /^\/(dev\/(fd\/|std)|proc\/)/;

/** Whether a path is that of a file, or of none yet: a pipe can be written to, but nothing may take its name. */
export function isReplaceable(path: string): boolean {
  return !openAlready.test(path) && (statSync(path, { throwIfNoEntry: false })?.isFile() ?? true);
}

/**
 * Writes a file whole or not at all: beside it, into a file of our own, which then takes its name. Several at once do not
 * get into each other's way, and whoever reads it sees the old one or a new one. What fails, or is ended by a signal, leaves
 * nothing but the old one. A link stays one: what it points to is replaced. A file with several names, or of another owner, is
 * written to as it is.
 *
 * @param path one that is replaceable
 * @param mode the file's mode; unless said, that of the old one
 */
export async function writeWhole<Result>(
  path: string,
  mode: number | undefined,
  write: (file: FileHandle) => Promise<Result>,
): Promise<Result> {
  const target = followLinks(path);
  const before = statSync(target, { throwIfNoEntry: false });
  const exactly = mode ?? modeOf(target, before);
  if (before && isTied(before)) return closing(await open(target, "w"), write);
  const part = `${target}.${randomBytes(4).toString("hex")}.part`;
  const file = await open(part, "wx", exactly);
  const forget = removeOnSignal(part);
  try {
    const result = await closing(file, async () => {
      // The mode above is cut by the umask, never widened; this says what it is.
      if (exactly !== undefined) await file.chmod(exactly);
      return write(file);
    });
    await rename(part, target);
    return result;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    forget();
  }
}

/** Whether a file of our own in its place would be another one to others: with several names, or of somebody else. */
function isTied({ nlink, uid }: Stats): boolean {
  return nlink > 1 || (process.getuid !== undefined && uid !== process.getuid());
}

/** Where links lead, be there a file or not. */
function followLinks(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isSymbolicLink()) return followLinks(resolve(realpathSync(dirname(path)), readlinkSync(path)));
  return path;
}

/** @throws Error where the file may not be written to: that its directory may be is not enough to replace it */
function modeOf(path: string, before: Stats | undefined): number | undefined {
  if (before) accessSync(path, constants.W_OK);
  return before && before.mode & 0o777;
}

async function closing<Result>(
  file: FileHandle,
  write: (file: FileHandle) => Promise<Result>,
): Promise<Result> {
  try {
    return await write(file);
  } finally {
    await file.close();
  }
}

/** Then the signal does what it would have done. */
function removeOnSignal(path: string): () => void {
  const handle = (signal: NodeJS.Signals) => {
    rmSync(path, { force: true });
    forget();
    process.kill(process.pid, signal);
  };
  const forget = () => signals.forEach((signal) => process.off(signal, handle));
  for (const signal of signals) process.on(signal, handle);
  return forget;
}

const signals = ["SIGINT", "SIGTERM"] as const;
