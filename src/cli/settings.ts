import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defaultServer } from "../client/client-error.ts";
import type { ClientOptions } from "../client/client.ts";
import { UsageError } from "./command.ts";
import type { Env } from "./io.ts";

/** Which server, and as whom. `settings.json` is shared with the server, whose keys are nobody's business here. */

export const settingsFile = "settings.json";

/**
 * Variables win over settings, settings over the default. Empty variables count as not set.
 *
 * @throws UsageError for a settings file that is none
 */
export function connection(env: Env, cwd: string): ClientOptions {
  const settings = env.KOOR_SERVER && env.KOOR_TOKEN ? {} : readSettings(join(cwd, settingsFile));
  const server = env.KOOR_SERVER || textSetting(settings, "server") || defaultServer;
  bypassProxy(server);
  return {
    server,
    token: env.KOOR_TOKEN || textSetting(settings, "token"),
    instanceToken: env.KOOR_INSTANCE_TOKEN,
    fence: env.KOOR_FENCE,
  };
}

/**
 * The settings as they are, whoever they belong to; none where there is no file.
 *
 * @throws UsageError when it cannot be read, or holds no JSON object
 */
export function readSettings(path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new UsageError(`${settingsFile} cannot be read: ${(error as Error).message}`);
  }
  let settings: unknown;
  try {
    settings = JSON.parse(text);
  } catch {
    throw new UsageError(`${settingsFile} in this directory is not JSON: correct it, or remove it`);
  }
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    throw new UsageError(`${settingsFile} in this directory is no JSON object: correct it, or remove it`);
  }
  return settings as Record<string, unknown>;
}

function textSetting(settings: Record<string, unknown>, name: string): string | undefined {
  const value = settings[name];
  if (value === undefined || typeof value === "string") return value;
  throw new UsageError(`"${name}" in ${settingsFile} must be a text: koor-cli config set ${name} VALUE`);
}

/**
 * Agents often run behind HTTP_PROXY, and Bun's fetch would ask the proxy even for this very machine, whose localhost
 * is another one.
 */
function bypassProxy(server: string): void {
  if (!process.env.HTTP_PROXY && !process.env.http_proxy) return;
  const [, host] = /^(?:https?:\/\/)?(localhost|127\.[\d.]+|\[::1\])(?:[:/]|$)/i.exec(server) ?? [];
  if (host === undefined) return;
  for (const name of ["NO_PROXY", "no_proxy"])
    process.env[name] = [process.env[name], host].filter(Boolean).join(",");
}
