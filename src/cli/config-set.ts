import { join } from "node:path";
import { serverAddress } from "../client/address.ts";
import { UsageError } from "./command.ts";
import type { Io } from "./io.ts";
import { readSettings, settingsFile } from "./settings.ts";
import { writeWhole } from "./whole-file.ts";

const settable = ["server", "token"];

/**
 * `config set`: changes one setting and keeps the others. The file can hold tokens, so only its owner may read it, and
 * the value is not echoed.
 *
 * @throws UsageError for another setting, or a value that no request can use
 */
export async function setSetting(name: string, value: string, io: Io): Promise<number> {
  if (!settable.includes(name)) {
    throw new UsageError(
      `config set knows no setting ${JSON.stringify(name)}: it sets ${settable.join(" or ")}`,
    );
  }
  if (name === "token" && !/^[\x21-\x7e]+$/.test(value)) {
    throw new UsageError("a token is printable ASCII without spaces, and not empty");
  }
  const path = join(io.cwd, settingsFile);
  const settings = { ...readSettings(path), [name]: name === "server" ? serverAddress(value) : value };
  try {
    await writeWhole(path, 0o600, (file) => file.writeFile(`${JSON.stringify(settings, null, 2)}\n`));
  } catch (error) {
    throw new UsageError(`${settingsFile} cannot be written: ${(error as Error).message}`);
  }
  await io.out(`${JSON.stringify({ saved: name, file: settingsFile })}\n`);
  return 0;
}
