import { createHash } from "node:crypto";
import { ClientError } from "./client-error.ts";

/** What a backup's last line says is in it. */
export interface BackupCounts {
  state: number;
  specs: number;
  rules: number;
  instances: number;
  versions: number;
  events: number;
  /** Missing in backups of a time when there were none. */
  usage?: number;
  audit: number;
}

/** The last line is looked for in this many bytes at a backup's end; it takes some 300. */
const endBytes = 64 * 1024;

/**
 * Looks at a backup's bytes as they pass: the last line must be there, and its checksum must be that of all before it.
 * What is inside the lines the server looks at.
 */
export function backupSeal(): { see(chunk: Uint8Array): void; counts(): BackupCounts } {
  const hash = createHash("sha256");
  let end = Buffer.alloc(0);
  return {
    see(chunk) {
      end = Buffer.concat([end, chunk]);
      const surplus = end.length - endBytes;
      if (surplus <= 0) return;
      hash.update(end.subarray(0, surplus));
      end = Buffer.from(end.subarray(surplus));
    },

    /** @throws ClientError when the backup is not whole */
    counts() {
      const start = end.lastIndexOf(10, -2) + 1;
      const last = readEnd(end.subarray(start).toString());
      if (!last) throw broken("it is cut off: its last line, with counts and checksum, is missing");
      hash.update(end.subarray(0, start));
      if (last.sha256 !== hash.digest("hex"))
        throw broken("its bytes do not have the checksum that its last line says");
      return last.counts;
    },
  };
}

function readEnd(line: string): { counts: BackupCounts; sha256: string } | undefined {
  if (!line.startsWith('{"end":') || !line.endsWith("\n")) return undefined;
  try {
    return (JSON.parse(line) as { end: { counts: BackupCounts; sha256: string } }).end;
  } catch {
    return undefined;
  }
}

function broken(fault: string): ClientError {
  return new ClientError(`the backup is not whole: ${fault}`, { reason: "no_answer" });
}
