import { accessSync, constants, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder for what is only looked at: in memory where the system has such a place, since its syncs prove nothing. */
export function scratchFolder(): string {
  return mkdtempSync(join(inMemory() ?? tmpdir(), "koor-scratch-"));
}

function inMemory(): string | undefined {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    return undefined;
  }
}
