import { closeSync, constants, fstatSync, openSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "./command.ts";

/** Files of a directory, for commands that take many: each found once, read within bounds, and no link followed. */

/** The most of a file that the server takes, as a spec or as content to validate: `limits.valueBytes`. */
export const fileBytes = 10 * 1024 * 1024;

/** How many entries a walk looks at: more than a repository of people has, and they are all in memory. */
export const walkedEntries = 50_000;

/** What nobody means who names the directory above it: not theirs, and large. */
const passedDirectories = new Set([".git", "node_modules"]);

export interface Walk {
  /** Paths below the directory with `/` between, in the order of their names. */
  names: string[];
  /** Entries that are neither file nor directory: links, sockets, devices. A link may lead anywhere. */
  others: number;
}

/**
 * Every file below a directory but those in `.git` and `node_modules`.
 *
 * @throws UsageError for more than `walkedEntries`, or a directory that cannot be read
 */
export function filesBelow(directory: string): Walk {
  const walk: Walk = { names: [], others: 0 };
  const waiting = [""];
  let seen = 0;
  for (let below = waiting.pop(); below !== undefined; below = waiting.pop()) {
    const directories: string[] = [];
    for (const entry of entriesOf(directory, below)) {
      seen += 1;
      if (seen > walkedEntries) {
        throw new UsageError(
          `there are more than ${walkedEntries} files below ${directory}: name its directories one at a time`,
        );
      }
      const name = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isFile()) walk.names.push(name);
      else if (!entry.isDirectory()) walk.others += 1;
      else if (!passedDirectories.has(entry.name)) directories.push(name);
    }
    waiting.push(...directories);
  }
  walk.names.sort();
  return walk;
}

function entriesOf(directory: string, below: string) {
  const path = join(directory, below);
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    throw new UsageError(`cannot read the directory ${path}: ${reasonOf(error)}`);
  }
}

export type FileContent = { bytes: Uint8Array; fault?: never } | { bytes?: never; fault: string };

/**
 * A regular file's bytes, or the end of a sentence that says why not: `is no regular file`.
 *
 * @param follow whether the path may be a link; of those that a walk found none is, unless it was changed since
 */
export function readRegularFile(path: string, follow: boolean): FileContent {
  let file: number | undefined;
  try {
    // Without O_NONBLOCK a pipe in the file's place would be waited for. Windows has neither flag, which counts as 0.
    const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
    file = openSync(path, O_RDONLY | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW));
    const stat = fstatSync(file);
    if (stat.isDirectory()) return { fault: "is a directory" };
    if (!stat.isFile()) return { fault: "is no regular file" };
    if (stat.size > fileBytes) return { fault: tooLarge };
    const bytes = readFileSync(file);
    return bytes.length > fileBytes ? { fault: tooLarge } : { bytes };
  } catch (error) {
    return { fault: `cannot be read: ${reasonOf(error)}` };
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

export const tooLarge = `is larger than ${fileBytes} bytes`;

/** As grep tells it: no text has U+0000 in it, and nearly everything else has. */
export function isBinary(bytes: Uint8Array): boolean {
  return bytes.includes(0);
}

/** Why a file could not be opened, as the end of a sentence. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case "ENOENT":
      return "there is no such file";
    case "EACCES":
      return "permission denied";
    case "EISDIR":
      return "it is a directory";
    case "ELOOP":
      return "it is a link";
    default:
      return message;
  }
}

/** How many files are under way at once: enough to keep the server's two rule workers busy while others are read. */
const inFlight = 4;

/**
 * Does the work for each item, a few at a time, and gathers what came of it in the items' order. After a failure nothing
 * more is begun.
 */
export async function eachInFlight<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = items.entries();
  let isBroken = false;
  const lane = async () => {
    for (const [index, item] of queue) {
      if (isBroken) return;
      try {
        results[index] = await work(item);
      } catch (error) {
        isBroken = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return results;
}
