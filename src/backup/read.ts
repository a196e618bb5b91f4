import { createHash } from "node:crypto";
import { KoorError } from "../contract/errors.ts";
import { chainHash } from "../core/audit.ts";
import { type DumpRow, dumpOrder } from "../core/dump.ts";
import { type Counts, endLine, format, formatVersion, headerLine, readRow, schemaVersion } from "./lines.ts";

/** One line at its longest, in bytes: twice the largest value in base64. */
const lineBytes = 32 * 1024 * 1024;

/**
 * A backup's rows. Everything is looked at on the way: each line, the order, that the logs have no gap and the audit's
 * hashes form a chain, and at the end the counts and the checksum. So rows may be acted on only when all have come.
 *
 * @returns what is in it
 * @throws KoorError `bad_request` saying what is wrong, and where
 */
export async function* readBackup(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<DumpRow, Counts> {
  const hash = createHash("sha256");
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const checker = orderChecker();
  let number = 0;
  let counts: Counts | undefined;
  for await (const bytes of linesOf(chunks)) {
    number += 1;
    const at = `line ${number}`;
    if (counts) throw damaged(`${at} comes after its end`);
    let line: unknown;
    try {
      line = JSON.parse(decoder.decode(bytes));
    } catch {
      if (number === 1) throw noBackup();
      throw damaged(`${at} is no JSON`);
    }
    if (number === 1) readHeader(line);
    else if (typeof line === "object" && line !== null && "end" in line) {
      counts = readEnd(line, hash.digest("hex"), checker.end(at), at);
      continue;
    } else {
      const row = readRow(line);
      if (typeof row === "string") throw damaged(`${at}: ${row}`);
      checker.see(row, at);
      yield row;
    }
    hash.update(bytes);
    hash.update("\n");
  }
  if (number === 0) throw damaged("it is empty");
  if (!counts)
    throw damaged(`it is cut off after line ${number}: its last line, with counts and checksum, is missing`);
  return counts;
}

/** Reads all of it. @throws as `readBackup` */
export async function verifyBackup(chunks: AsyncIterable<Uint8Array>): Promise<Counts> {
  const rows = readBackup(chunks);
  for (;;) {
    const { done, value } = await rows.next();
    if (done) return value;
  }
}

function readHeader(line: unknown): void {
  const header = headerLine.safeParse(line);
  if (!header.success) throw noBackup();
  const { version, schema } = header.data;
  if (version > formatVersion || schema > schemaVersion) {
    throw new KoorError(
      "bad_request",
      `the backup was made by a newer Koor: it has format ${version} and schema ${schema}, ` +
        `this one reads up to ${formatVersion} and ${schemaVersion}`,
      {
        path: "body",
        hint: "Nothing was changed. Restore it with the version that made it, or a newer one.",
      },
    );
  }
}

function readEnd(line: object, sha256: string, seen: Record<string, number>, at: string): Counts {
  const end = endLine.safeParse(line);
  if (!end.success) throw damaged(`${at}: it is no end`);
  const { counts, sha256: said } = end.data.end;
  if (said !== sha256) throw damaged("its bytes do not have the checksum that its last line says");
  for (const [name, count] of Object.entries(seen)) {
    if (counts[name as keyof Counts] !== count) throw damaged(`its counts of ${name} contradict each other`);
  }
  return counts;
}

/** Looks at what one row says of another. */
function orderChecker() {
  const seen = { versions: 0, records: 0, events: 0, usage: 0, metrics: 0, audit: 0 };
  let section = -1;
  let heads: Extract<DumpRow, { kind: "heads" }>["heads"] | undefined;
  let lastEvent: number | undefined;
  let lastUsage = 0;
  let lastAudit: { id: number; hash: string } | undefined;

  return {
    see(row: DumpRow, at: string): void {
      const next = dumpOrder.indexOf(row.kind);
      if (next < section || (row.kind === "heads") === (heads !== undefined)) {
        throw damaged(`${at}: ${row.kind} in the wrong place`);
      }
      section = next;
      switch (row.kind) {
        case "heads":
          heads = row.heads;
          return;
        case "version":
          seen.versions += 1;
          return;
        case "record":
          seen.records += 1;
          return;
        case "event":
          if (lastEvent !== undefined && row.event.id !== lastEvent + 1) {
            throw damaged(`${at}: event ${row.event.id} follows event ${lastEvent}`);
          }
          lastEvent = row.event.id;
          seen.events += 1;
          return;
        case "usage":
          if (row.usage.id !== lastUsage + 1)
            throw damaged(`${at}: usage ${row.usage.id} follows usage ${lastUsage}`);
          lastUsage = row.usage.id;
          seen.usage += 1;
          return;
        case "metric":
          seen.metrics += 1;
          return;
        case "audit": {
          const { hash, ...fields } = row.audit;
          if (lastAudit && fields.id !== lastAudit.id + 1) {
            throw damaged(`${at}: audit row ${fields.id} follows row ${lastAudit.id}`);
          }
          // Where older rows were removed the first one's hash covers one that is not here.
          const before = lastAudit?.hash ?? (fields.id === 1 ? "" : undefined);
          if (before !== undefined && chainHash(before, fields) !== hash) {
            throw damaged(`${at}: audit row ${fields.id} does not have the hash that it says`);
          }
          lastAudit = { id: fields.id, hash };
          seen.audit += 1;
        }
      }
    },

    end(at: string) {
      if (!heads) throw damaged(`${at}: it ends before it says where it stands`);
      if (lastEvent !== undefined && lastEvent !== heads.events)
        throw damaged(`its newest event is not ${heads.events}`);
      if (lastUsage !== heads.usage) throw damaged(`its newest usage is not ${heads.usage}`);
      if ((lastAudit?.id ?? 0) !== heads.audit || (lastAudit?.hash ?? "") !== heads.auditHash) {
        throw damaged(`its newest audit row is not ${heads.audit}`);
      }
      const { state, specs, rules, instances } = heads.live;
      return { ...seen, state, specs, rules, instances };
    },
  };
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      const rest = chunk.subarray(from, end);
      yield parts.length === 0 ? rest : Buffer.concat([...parts, rest]);
      parts = [];
      size = 0;
      from = end + 1;
    }
    if (from === chunk.length) continue;
    parts.push(chunk.slice(from));
    size += chunk.length - from;
    if (size > lineBytes) throw damaged(`a line is longer than ${lineBytes} bytes`);
  }
  if (parts.length > 0) throw damaged("it is cut off in the middle of a line");
}

function damaged(fault: string): KoorError {
  return new KoorError("bad_request", `the backup is damaged: ${fault}`, {
    path: "body",
    hint: "Nothing was changed. Take another copy of the file, or another backup.",
  });
}

function noBackup(): KoorError {
  return new KoorError("bad_request", `this is no backup: it does not begin with {"format":"${format}"`, {
    path: "body",
    hint: "Nothing was changed. Backups are made by koor-cli backup --output FILE.",
  });
}
