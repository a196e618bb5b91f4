import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "./random.ts";
import type { SystemCall } from "./strace-log.ts";

/**
 * What a disk may hold after a power cut. A file's bytes are certain once the file was synced, its name (or that it has
 * gone) once its directory was. All else is up to the disk: it may have written any of it, in any order, and a
 * write by parts of a sector's size, which are never torn themselves (SQLite asks that of a disk too).
 */
export interface Disk {
  files: Map<string, FileOnDisk>;
}

interface FileOnDisk {
  /** What is certain of its bytes. */
  synced: Buffer;
  /** What was asked since. */
  pending: Change[];
  /** Whether its name is certainly there, certainly gone, or neither. */
  name: "there" | "gone" | "appearing" | "disappearing";
}

type Change = Extract<SystemCall, { kind: "write" | "truncate" }>;

const sectorBytes = 512;

export function emptyDisk(): Disk {
  return { files: new Map() };
}

/** Notes one call; sends are none of the disk's business. */
export function applyCall(disk: Disk, call: SystemCall): void {
  if (call.kind === "send") return;
  if (call.kind === "sync" && call.file === "") {
    for (const [name, file] of disk.files) {
      if (file.name === "appearing") file.name = "there";
      if (file.name === "disappearing") disk.files.delete(name);
    }
    return;
  }
  const file = fileOf(disk, call.file);
  if (call.kind === "unlink") file.name = file.name === "there" ? "disappearing" : "gone";
  else if (call.kind === "sync") {
    file.synced = withChanges(file.synced, file.pending);
    file.pending = [];
  } else file.pending.push(call);
}

function fileOf(disk: Disk, name: string): FileOnDisk {
  let file = disk.files.get(name);
  // A file that is written after its removal is another one, under the same name.
  if (!file || file.name === "disappearing" || file.name === "gone") {
    file = { synced: Buffer.alloc(0), pending: [], name: "appearing" };
    disk.files.set(name, file);
  }
  return file;
}

/** Puts into a folder what is certain, and nothing else. */
export function writeCertain(disk: Disk, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, file] of disk.files) {
    if (file.name === "there" || file.name === "disappearing") writeFileSync(join(folder, name), file.synced);
  }
}

/** Puts into a folder what is certain, and of the rest whatever a disk that nobody told to hurry might have written. */
export function writePossible(disk: Disk, folder: string, random: Random): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, file] of disk.files) {
    const uncertain = file.name === "appearing" || file.name === "disappearing";
    if (file.name === "gone" || (uncertain && random.chance(0.5))) continue;
    writeFileSync(join(folder, name), withChanges(file.synced, possible(file.pending, random)));
  }
}

/** In order up to a point; whole writes out of order; or sectors out of order. */
function possible(pending: readonly Change[], random: Random): Change[] {
  const way = random.below(3);
  if (way === 0) return pending.slice(0, random.below(pending.length + 1));
  const parts = way === 1 ? [...pending] : pending.flatMap(sectors);
  const share = random.pick([0.1, 0.5, 0.9]);
  return shuffled(
    parts.filter(() => random.chance(share)),
    random,
  );
}

function sectors(change: Change): Change[] {
  if (change.kind === "truncate") return [change];
  const parts: Change[] = [];
  for (let at = 0; at < change.data.length;) {
    const offset = change.offset + at;
    const length = Math.min(change.data.length - at, sectorBytes - (offset % sectorBytes));
    parts.push({ ...change, offset, data: change.data.subarray(at, at + length) });
    at += length;
  }
  return parts;
}

function shuffled<T>(list: T[], random: Random): T[] {
  for (let index = list.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [list[index], list[other]] = [list[other] as T, list[index] as T];
  }
  return list;
}

/** A copy with the changes made; what lies between is zero, as in a file with holes. */
function withChanges(bytes: Buffer, changes: readonly Change[]): Buffer {
  let size = bytes.length;
  let longest = size;
  for (const change of changes) {
    size = change.kind === "truncate" ? change.size : Math.max(size, change.offset + change.data.length);
    longest = Math.max(longest, size);
  }
  const result = Buffer.alloc(longest);
  bytes.copy(result);
  size = bytes.length;
  for (const change of changes) {
    if (change.kind === "truncate") {
      result.fill(0, change.size);
      size = change.size;
    } else {
      change.data.copy(result, change.offset);
      size = Math.max(size, change.offset + change.data.length);
    }
  }
  return result.subarray(0, size);
}
