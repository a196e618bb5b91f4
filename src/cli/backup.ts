import type { FileHandle } from "node:fs/promises";
import { resolve } from "node:path";
import { type BackupCounts, backupSeal } from "../client/backup-file.ts";
import { type Client, type Fetch, createClient } from "../client/client.ts";
import { ClientError } from "../client/client-error.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./command.ts";
import { interruptedExit } from "./follow.ts";
import type { Env, Io } from "./io.ts";
import { connection } from "./settings.ts";
import { isReplaceable, writeWhole } from "./whole-file.ts";

/** However long the server takes: by default Bun gives up after five minutes without a byte. */
const patientFetch: Fetch = (url, init) => fetch(url, { ...init, timeout: false } as RequestInit);

/**
 * `backup --output FILE`: writes what the server sends beside FILE, looks whether all of it came, and then gives it
 * FILE's name; so a file of that name is always a whole backup.
 */
export async function writeBackup({ flags }: Arguments, env: Env, io: Io): Promise<number> {
  const output = flags.get("output");
  if (!output) throw new UsageError("backup needs --output FILE: where to put it");
  const path = resolve(io.cwd, output);
  const client = createClient({ ...connection(env, io.cwd), fetch: patientFetch });
  try {
    if (!isReplaceable(path)) throw new Error("it is no regular file");
    const counts = await writeWhole(path, 0o600, (file) => receive(client, file));
    await io.out(showCounts(counts));
    return 0;
  } catch (error) {
    throw error instanceof ClientError
      ? error
      : new UsageError(`cannot write ${output}: ${(error as Error).message}`);
  }
}

/** Puts what the server sends into a file. @throws ClientError unless all of it came */
async function receive(client: Client, file: FileHandle): Promise<BackupCounts> {
  const response = await client.send("backup.create");
  const seal = backupSeal();
  try {
    for await (const chunk of received(response, client.server)) {
      seal.see(chunk);
      await writeAll(file, chunk);
    }
    await file.sync();
    return seal.counts();
  } catch (error) {
    await response.body?.cancel().catch(() => undefined);
    throw error;
  }
}

/**
 * `restore --file FILE`: looks whether the file is whole, sends it, and says what is there now. Interrupted while the server is
 * at it, it says how to find out what became of it.
 */
export async function sendBackup({ flags }: Arguments, env: Env, io: Io): Promise<number> {
  const input = flags.get("file");
  if (!input) throw new UsageError("restore needs --file FILE: the backup to restore");
  const file = Bun.file(resolve(io.cwd, input));
  const seal = backupSeal();
  try {
    // Read twice, and to its end: neither can be done with a pipe or a device.
    if (!(await file.stat()).isFile()) throw new Error("it is no regular file");
    for await (const chunk of file.stream()) seal.see(chunk);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(`cannot read ${input}: ${code === "ENOENT" ? "there is no such file" : message}`);
  }
  seal.counts();
  const client = createClient({ ...connection(env, io.cwd), fetch: patientFetch });
  const signal = io.interrupted();
  try {
    const sent = { body: file, contentType: "application/x-ndjson", signal };
    const response = await client.send("backup.restore", sent);
    const { counts, epoch } = (await response.json()) as { counts: BackupCounts; epoch: string };
    await io.out(`${showCounts(counts)}epoch: ${epoch}\n`);
    return 0;
  } catch (error) {
    if (!signal.aborted) throw error;
    await io.err(
      "koor-cli: interrupted. The server gives the restore up and changes nothing, unless it was about to end. " +
        "Whether it was done says in a moment: koor-cli audit --action store.restore --limit 1",
    );
    return interruptedExit;
  }
}

async function* received(response: Response, server: string): AsyncGenerator<Uint8Array> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  for (;;) {
    const { value, done } = await reader.read().catch((cause: unknown) => {
      throw new ClientError(`the server at ${server} broke off in the middle of the backup: try again`, {
        reason: "no_answer",
        cause,
      });
    });
    if (done) return;
    yield value;
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten;
}

function showCounts({
  state,
  specs,
  rules,
  instances,
  versions,
  events,
  usage = 0,
  audit,
}: BackupCounts): string {
  const lines = {
    "state keys": state,
    specs,
    rules,
    instances,
    versions,
    events,
    "calls of models": usage,
    "audit rows": audit,
  };
  return Object.entries(lines)
    .map(([name, count]) => `${name}: ${count}\n`)
    .join("");
}
