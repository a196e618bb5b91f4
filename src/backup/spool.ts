import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
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
 * Writes a body to a file that only this user reads. It loses its name as soon as it is open: so however the server
 * ends, nothing is left, and another server on the same directory has a file of its own.
 *
 * @param path a name for the moment, in a directory that is made when it is missing
 * @throws KoorError `out_of_space`; whatever `chunks` throws. Then nothing is left
 */
export async function spool(chunks: AsyncIterable<Uint8Array>, path: string): Promise<Spool> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rm(path, { force: true });
  let file: FileHandle | undefined;
  try {
    file = await open(path, "wx+", 0o600);
    await rm(path);
    for await (const chunk of chunks) await writeAll(file, chunk);
  } catch (error) {
    await file?.close();
    throw isFull(error) ? full() : error;
  }
  const spooled = file;
  return { read: () => readAll(spooled), remove: () => spooled.close() };
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten;
}

async function* readAll(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (let at = 0; ;) {
    const { bytesRead, buffer } = await file.read(new Uint8Array(readBytes), 0, readBytes, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
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
