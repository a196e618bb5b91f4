import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { type Client, createClient, storedHead } from "../client/client.ts";
import { ClientError } from "../client/client-error.ts";
import type { Condition } from "../contract/operation.ts";
import { report } from "./failure.ts";
import { eachInFlight, filesBelow, isBinary, readRegularFile } from "./files.ts";
import type { Env, Io } from "./io.ts";
import { connection } from "./settings.ts";

/** How often a file is tried when others write the same spec meanwhile. */
const attempts = 3;

/** The longest name that a spec can have, in bytes: `limits.keyBytes`. */
export const nameBytes = 512;

/** Files with secrets by custom; what Koor holds, everybody reads who reaches it. */
const secretFile = /(^|\/)\.env(\.(?!(example|sample|template)$)[^/]*)?$/;

type Fate = "pushed" | "unchanged" | "skipped" | "failed";

/**
 * `specs push`: every file below a directory becomes the spec of its path there; a spec that has its bytes already is
 * left alone. Nothing is deleted. Pushing again goes on where a push broke off.
 *
 * @throws ClientError when the server refuses what it would refuse of every file, or is gone
 */
export async function pushSpecs(project: string, directory: string, env: Env, io: Io): Promise<number> {
  const client = createClient(connection(env, io.cwd));
  const root = resolve(io.cwd, directory);
  const { names, others } = filesBelow(root);
  const { specs } = await client.call("specs.list", { params: { project } });
  const known = new Set(specs.map(({ name }) => name));
  const counts = { pushed: 0, unchanged: 0, skipped: others, failed: 0 };
  let notJson = 0;

  const tell = async (fate: Fate, name: string, why: string): Promise<Fate> => {
    await io.err(report(new Error(`${fate} ${name}: it ${why}`)).line);
    return fate;
  };
  await eachInFlight(names, async (name) => {
    const fate = await pushFile(name);
    counts[fate] += 1;
  });

  async function pushFile(name: string): Promise<Fate> {
    if (secretFile.test(name)) return tell("skipped", name, "may hold secrets");
    if (Buffer.byteLength(name) > nameBytes)
      return tell("skipped", name, `is named in over ${nameBytes} bytes`);
    if (name.includes("\u{FFFD}")) return tell("skipped", name, "is not named in UTF-8");
    const { bytes, fault } = readRegularFile(join(root, name), false);
    if (fault !== undefined) return tell(fault.startsWith("cannot") ? "failed" : "skipped", name, fault);
    if (bytes.length === 0) return tell("skipped", name, "is empty");
    if (isBinary(bytes)) return "skipped";
    const isNew = await put(client, { project, name }, bytes, known.has(name));
    if (!isJson(bytes)) notJson += 1;
    return isNew ? "pushed" : "unchanged";
  }

  await io.out(`${JSON.stringify({ project, ...counts, not_json: notJson })}\n`);
  return counts.failed > 0 ? 1 : 0;
}

/**
 * Writes a spec unless it has these bytes, under a condition, so that it works on a server with `--strict-writes`.
 *
 * @returns whether it was written
 */
async function put(
  client: Client,
  params: { project: string; name: string },
  bytes: Uint8Array,
  exists: boolean,
): Promise<boolean> {
  const hash = createHash("sha256").update(bytes).digest("hex");
  for (let attempt = 1, look = exists; ; attempt++, look = true) {
    const head = look ? await headOf(client, params) : undefined;
    if (head?.hash === hash) return false;
    const condition: Condition = head ? { match: [head.etag] } : { noneMatch: "*" };
    try {
      await client.call("specs.put", { params, body: bytes, contentType: "application/json", condition });
      return true;
    } catch (error) {
      const isLate = error instanceof ClientError && error.reason === "version_mismatch";
      if (!isLate || attempt === attempts) throw error;
    }
  }
}

/** What the server has of a spec, without its bytes; nothing when it has none. */
async function headOf(client: Client, params: { project: string; name: string }) {
  try {
    return storedHead(await client.send("specs.get", { params, head: true }));
  } catch (error) {
    if (error instanceof ClientError && error.status === 404) return undefined;
    throw error;
  }
}

/** Koor serves every spec as JSON, whatever it is: worth knowing how many are none. */
function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}
