import { type FileHandle, open, rm } from "node:fs/promises";
import { KoorError } from "../contract/errors.ts";

/** Bytes read from the file in one go. */
const readBytes = 256 * 1024;

/** A body that was put on disk, since it must be looked at whole before it is acted on and does not fit into memory. */
export interface Spool {
  /** From its beginning, as often as it is asked for. */
  read(): AsyncIterable<Uint8Array>;
  remove(): Promise<void>;
}

/**
 * Writes a body to a file that only this user reads; one that is there, left by a server that was killed, is replaced.
 *
 * @throws KoorError `out_of_space`; whatever `chunks` throws. Then nothing is left
 */
export async function spool(chunks: AsyncIterable<Uint8Array>, path: string): Promise<Spool> {
  const remove = () => rm(path, { force: true });
  await remove();
  let file: FileHandle | undefined;
  try {
    file = await open(path, "w", 0o600);
    for await (const chunk of chunks) await writeAll(file, chunk);
    await file.close();
  } catch (error) {
    await file?.close();
    await remove();
    throw isFull(error) ? full() : error;
  }
  return { read: () => readFile(path), remove };
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten;
}

async function* readFile(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, "r");
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(readBytes), 0, readBytes);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function isFull(error: unknown): boolean {
  return /^(ENOSPC|EDQUOT)$/.test((error as { code?: string }).code ?? "");
}

function full(): KoorError {
  return new KoorError("out_of_space", "the disk is full: nothing was changed", {
    hint: "A restore needs room for the backup beside the data, and again for the data. Free some space, then try again.",
  });
}
