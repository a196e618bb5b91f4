import { createHash } from "node:crypto";
import { showTime } from "../contract/fields.ts";
import type { Heads } from "../core/commit.ts";
import type { DumpRow } from "../core/dump.ts";
import { type Counts, format, formatVersion, schemaVersion, showRow } from "./lines.ts";

/** Bytes written in one piece; a reader that stops holds up no more than this and one value. */
const pieceBytes = 128 * 1024;
/** Bytes of a value made base64 in one go: a multiple of three, so that the pieces join. */
const sliceBytes = 3 * 32 * 1024;

/**
 * A dump as the bytes of a backup, in pieces. The last line holds the counts, and the SHA-256 of all bytes before it.
 *
 * @param createdAt milliseconds since 1970
 */
export async function* writeBackup(
  rows: AsyncIterable<DumpRow>,
  createdAt: number,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  const encoder = new TextEncoder();
  const counts = { versions: 0, records: 0, events: 0, usage: 0, metrics: 0, audit: 0 };
  let live: Heads["live"] | undefined;
  let text = "";

  const flush = () => {
    const bytes = encoder.encode(text);
    text = "";
    hash.update(bytes);
    return bytes;
  };

  for await (const row of rows) {
    if (row.kind === "heads") {
      live = row.heads.live;
      text += line({
        format,
        version: formatVersion,
        schema: schemaVersion,
        epoch: row.epoch,
        created_at: showTime(createdAt),
      });
    } else counts[counterOf[row.kind]] += 1;
    if (row.kind !== "version") text += line(showRow(row));
    else {
      for (const piece of versionLine(row)) {
        text += piece;
        if (text.length >= pieceBytes) yield flush();
      }
    }
    if (text.length >= pieceBytes) yield flush();
  }
  if (!live) throw new Error("the dump has no heads");
  yield flush();
  const { state, specs, rules, instances } = live;
  const end = {
    counts: { state, specs, rules, instances, ...counts } satisfies Counts,
    sha256: hash.digest("hex"),
  };
  yield encoder.encode(line({ end }));
}

const counterOf = {
  version: "versions",
  record: "records",
  event: "events",
  usage: "usage",
  metric: "metrics",
  audit: "audit",
} as const;

function line(object: object): string {
  return `${JSON.stringify(object)}\n`;
}

function* versionLine(row: Extract<DumpRow, { kind: "version" }>): Generator<string> {
  const { value } = row.version;
  // Up to the two braces that end it.
  yield `${JSON.stringify(showRow(row)).slice(0, -2)},"value":"`;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  for (let at = 0; at < bytes.length; at += sliceBytes) yield bytes.toString("base64", at, at + sliceBytes);
  yield `"}}\n`;
}
