import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { expectJson, readBytes, storedHead } from "../client/client.ts";
import { type Command, UsageError } from "./command.ts";
import { reasonOf } from "./files.ts";
import type { Io } from "./io.ts";
import { prettyJson } from "./pretty.ts";
import { isReplaceable, writeWhole } from "./whole-file.ts";

export interface Delivery {
  /** Write the body to this file, and a receipt to stdout. */
  output: string | undefined;
  pretty: boolean;
  /** What was asked for, for the receipt: `{ key: "plan" }`. */
  params: Readonly<Record<string, string>>;
}

/**
 * Hands an answer over: its body to stdout as it came, or to a file. A value that has not changed (304) prints nothing.
 *
 * @throws ClientError when the body is none of Koor's, or breaks off: then nothing was printed
 */
export async function deliver(
  command: Command,
  response: Response,
  server: string,
  { output, pretty, params }: Delivery,
  io: Io,
): Promise<void> {
  const stored = command.reads === "bytes";
  if (response.status === 304) {
    const { version, etag } = storedHead(response);
    if (output !== undefined) await io.out(line({ ...params, not_modified: true, version, etag }));
    return;
  }
  if (!stored) expectJson(response, server);
  const came = await readBytes(response, server);
  const body = pretty ? await indent(came) : came;
  if (output === undefined || output === "-" || output === "/dev/stdout") {
    await io.out(body);
    // A stored value goes into pipes and files as it is; answers are lines, which `while read` and `>>` count on.
    if ((io.terminal || !stored) && body.at(-1) !== 10) await io.out("\n");
    return;
  }
  const path = resolve(io.cwd, output);
  try {
    if (isReplaceable(path)) await writeWhole(path, undefined, (file) => file.writeFile(body));
    else writeFileSync(path, body);
  } catch (error) {
    throw new UsageError(`cannot write ${output}: ${reasonNotWritten(error)}`);
  }
  await io.out(line({ ...params, file: output, bytes: body.length, ...(stored && storedHead(response)) }));
}

function reasonNotWritten(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOENT":
      return "there is no such directory";
    case "EACCES":
      return "permission denied, to it or to its directory";
    default:
      return reasonOf(error);
  }
}

/** What a model reads instead of the body. */
function line(receipt: Record<string, unknown>): string {
  return `${JSON.stringify(receipt)}\n`;
}

async function indent(bytes: Uint8Array): Promise<Uint8Array> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return bytes;
  }
  return new TextEncoder().encode(await prettyJson(text));
}
