import { closeSync, openSync, readSync } from "node:fs";
import { extname, resolve } from "node:path";
import { ClientError } from "../client/client-error.ts";
import { type Command, UsageError } from "./command.ts";
import { reasonOf } from "./files.ts";
import type { Io } from "./io.ts";

/** Content types by a file's ending; of all others the content decides. */
const typesByEnding: Readonly<Record<string, string>> = {
  ".json": "application/json",
  ".jsonl": "application/x-ndjson",
  ".ndjson": "application/x-ndjson",
  ".yaml": "application/yaml",
  ".yml": "application/yaml",
  ".toml": "application/toml",
  ".xml": "application/xml",
  ".graphql": "application/graphql",
  ".sql": "application/sql",
  ".md": "text/markdown",
  ".txt": "text/plain",
  ".csv": "text/csv",
  ".html": "text/html",
  ".css": "text/css",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".pdf": "application/pdf",
};

export interface ReadBody {
  bytes: Uint8Array;
  contentType: string;
}

/**
 * The request's body, from the one place that the command line names: `--file`, `--data` or `-`.
 *
 * @param dash whether a `-` was among the words
 * @throws UsageError for none or several places, or a file that cannot be read; ClientError `too_large`
 */
export async function readBody(
  command: { name: string; body: NonNullable<Command["body"]> },
  flags: ReadonlyMap<string, string>,
  dash: boolean,
  io: Io,
): Promise<ReadBody> {
  const { kind, maxBytes, types } = command.body;
  const file = flags.get("file");
  const data = flags.get("data");
  if ([file !== undefined, data !== undefined, dash].filter(Boolean).length !== 1) {
    throw new UsageError(
      `${command.name} needs its body from one place: --file PATH, --data TEXT or - for standard input`,
    );
  }
  const bytes =
    data !== undefined
      ? new TextEncoder().encode(data)
      : file !== undefined && file !== "-"
        ? readFile(resolve(io.cwd, file), file, maxBytes)
        : await io.stdin(maxBytes);
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  if (kind === "json") return { bytes, contentType: "application/json" };
  const contentType =
    flags.get("type") ?? typesByEnding[extname(file ?? "").toLowerCase()] ?? typeOfContent(bytes);
  // What was not called another type is meant as one that is taken: the server then says where it is no JSON.
  const isGuess = !flags.has("type") && types !== undefined && !types.includes(contentType);
  return { bytes, contentType: isGuess ? "application/json" : contentType };
}

/** All of a file, or its first `maxBytes + 1` bytes: of a pipe or a device nobody knows how many come. */
function readFile(path: string, shown: string, maxBytes: number): Uint8Array {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const bytes = Buffer.allocUnsafe(maxBytes + 1);
    for (let size = 0; ;) {
      const read = readSync(file, bytes, size, bytes.length - size, null);
      size += read;
      if (read === 0 || size === bytes.length) return bytes.subarray(0, size);
    }
  } catch (error) {
    throw new UsageError(`cannot read ${shown}: ${reasonOf(error)}`);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Here rather than by the server, which may close the connection before its answer to such a body is read. */
function tooLarge(maxBytes: number): ClientError {
  return new ClientError(`the body is over its limit of ${maxBytes} bytes`, { reason: "too_large" });
}

/** JSON where it parses as JSON, else text where it is text. */
function typeOfContent(bytes: Uint8Array): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return "application/octet-stream";
  }
  try {
    JSON.parse(text);
    return "application/json";
  } catch {
    return "text/plain";
  }
}
