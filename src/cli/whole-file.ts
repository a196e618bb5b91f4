import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";

/**
 * Writes a file whole or not at all: beside it, into a file of our own, which then takes its name. Several at once do not
 * get into each other's way, and whoever reads it sees the old one or a new one. What fails, or is ended by a signal, leaves
 * nothing but the old one.
 */
export async function writeWhole<Result>(
  path: string,
  mode: number,
  write: (file: FileHandle) => Promise<Result>,
): Promise<Result> {
  const part = `${path}.${randomBytes(4).toString("hex")}.part`;
  const file = await open(part, "wx", mode);
  const forget = removeOnSignal(part);
  try {
    const result = await closing(file, write);
    await rename(part, path);
    return result;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    forget();
  }
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
