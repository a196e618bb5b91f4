import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import {
  type Address,
  isTrue,
  list,
  nonEmpty,
  oneOf,
  originHost,
  parseAddress,
  parseDatabase,
  parseToken,
  wholeNumber,
} from "./config-values.ts";
import { type TargetPolicy, parseTargets } from "./outbound/target.ts";

/**
 * What can be set, and how. One table feeds the flags, the `KOOR_*` variables, `settings.json`, `--help` and the
 * docs. Flags win over variables, variables over the settings file, the file over defaults.
 */

/** A bad setting: its text names the option and says what is allowed. */
export class ConfigError extends Error {}

export type { Address };

export interface Config {
  bind: Address;
  dashboardBind: Address | null;
  dataDir: string;
  /** Empty: SQLite in `dataDir`. */
  database: string;
  /** Empty: the same as `database`. */
  databaseListen: string;
  authToken: string;
  logLevel: (typeof logLevels)[number];
  eventRetention: number;
  historyRetention: number;
  mcpTools: (typeof toolSets)[number];
  allowedHosts: string[];
  allowedOrigins: string[];
  contractTargets: TargetPolicy;
  webhookAllow: TargetPolicy;
  /** Empty: none. */
  llmPrices: string;
  strictWrites: boolean;
  insecure: boolean;
}

const logLevels = ["debug", "info", "warning", "error"] as const;
const toolSets = ["discovery", "full"] as const;

export interface Option<T = unknown> {
  /** `bind` is `--bind`, `KOOR_BIND` and `bind` in settings.json; `data-dir` is `data_dir` there. */
  name: string;
  /** What stands for the value in `--help`; a switch has none. */
  value?: string;
  default: string;
  allowed: string;
  summary: string;
  /** It is never echoed, not even a bad one. */
  secret?: boolean;
  /** @throws Error when the text is not allowed */
  parse: (text: string) => T;
}

type Env = Record<string, string | undefined>;
type Table = { [K in keyof Config]: Option<Config[K]> };

const table: Table = {
  bind: {
    name: "bind",
    value: "HOST:PORT",
    default: "localhost:9800",
    allowed: "HOST:PORT, such as localhost:9800 or [::1]:9800; port 0 takes a free one",
    summary: "Where the API listens",
    parse: parseAddress,
  },
  dashboardBind: {
    name: "dashboard-bind",
    value: "HOST:PORT",
    default: "localhost:9847",
    allowed: "HOST:PORT, or empty for no dashboard",
    summary: "Where the dashboard listens",
    parse: (text) => (text === "" ? null : parseAddress(text)),
  },
  dataDir: {
    name: "data-dir",
    value: "DIRECTORY",
    default: ".",
    allowed: "a directory; it is made if it is missing",
    summary: "Where data.db is kept",
    parse: nonEmpty,
  },
  database: {
    name: "database",
    value: "URL",
    default: "",
    allowed: "postgres://USER:PASSWORD@HOST:PORT/DATABASE, or empty for SQLite in the data directory",
    summary:
      "Keep everything in this PostgreSQL, for several servers at once. Prefer KOOR_DATABASE: other users see flags",
    secret: true,
    parse: parseDatabase,
  },
  databaseListen: {
    name: "database-listen",
    value: "URL",
    default: "",
    allowed: "postgres://USER:PASSWORD@HOST:PORT/DATABASE, or empty for that of --database",
    summary: "Where LISTEN works, when --database leads through a pooler in transaction mode",
    secret: true,
    parse: parseDatabase,
  },
  authToken: {
    name: "auth-token",
    value: "TOKEN",
    default: "",
    allowed: "printable ASCII without spaces, or empty for none",
    summary:
      "What requests must carry as `Authorization: Bearer TOKEN`. Prefer KOOR_AUTH_TOKEN: other users see flags",
    secret: true,
    parse: parseToken,
  },
  logLevel: {
    name: "log-level",
    value: "LEVEL",
    default: "info",
    allowed: logLevels.join(", "),
    summary: "How much is logged, to stderr",
    parse: (text) => oneOf(logLevels, text),
  },
  eventRetention: {
    name: "event-retention",
    value: "N",
    default: "1000",
    allowed: "a whole number from 1 to 100000000",
    summary: "How many of the newest events are kept; the rest is trimmed every 60 s",
    parse: (text) => wholeNumber(text, 1, 100_000_000),
  },
  historyRetention: {
    name: "history-retention",
    value: "N",
    default: "100",
    allowed: "a whole number from 1 to 100000",
    summary:
      "How many versions of a key are kept, the current one among them; older ones go after an hour, or when those of " +
      "a key's last hour are more than 64 MiB",
    parse: (text) => wholeNumber(text, 1, 100_000),
  },
  mcpTools: {
    name: "mcp-tools",
    value: "SET",
    default: "discovery",
    allowed: toolSets.join(", "),
    summary: "Which MCP tools are offered",
    parse: (text) => oneOf(toolSets, text),
  },
  allowedHosts: {
    name: "allowed-hosts",
    value: "A,B",
    default: "",
    allowed: "host names with commas between",
    summary: "Further names this server may be called by, in the Host header",
    parse: (text) => list(text).map((name) => name.toLowerCase()),
  },
  allowedOrigins: {
    name: "allowed-origins",
    value: "A,B",
    default: "",
    allowed: "origins with commas between, such as https://koor.example.com",
    summary: "Further web origins whose pages may use the API and read its answers (CORS)",
    parse: (text) => list(text).map(originHost),
  },
  contractTargets: {
    name: "contract-targets",
    value: "A,B",
    default: "loopback",
    allowed: "with commas between: loopback, IP addresses, networks such as 10.0.0.0/8, host names",
    summary: "What contract tests may call; a host name wherever it leads",
    parse: parseTargets,
  },
  webhookAllow: {
    name: "webhook-allow",
    value: "A,B",
    default: "",
    allowed: "with commas between: loopback, IP addresses, networks such as 10.0.0.0/8, host names",
    summary:
      "Private addresses that webhooks may call; public ones they always may, and loopback while the server and its dashboard are bound to it alone",
    parse: parseTargets,
  },
  llmPrices: {
    name: "llm-prices",
    value: "FILE",
    default: "",
    allowed: "a file, or empty for none",
    summary: "Prices of models, in JSON: what calls cost that do not say so; see docs/costs.md",
    parse: (text) => text,
  },
  strictWrites: {
    name: "strict-writes",
    default: "false",
    allowed: "true, false",
    summary:
      "Refuse to overwrite what exists unless the request says which version it replaces; creating, deleting and PATCH go on as they are",
    parse: isTrue,
  },
  insecure: {
    name: "insecure",
    default: "false",
    allowed: "true, false",
    summary:
      "Bind beyond loopback without a token all the same: anybody who reaches the port can do everything",
    parse: isTrue,
  },
};

/** The options in the order of `--help`, for the docs. */
export const options: readonly Option[] = Object.values(table);

/** Keys of settings.json that are `koor-cli`'s: the file is shared. */
const cliSettings = ["server", "token"];

export const settingName = (option: { name: string }) => option.name.replaceAll("-", "_");
export const variableName = (option: { name: string }) => `KOOR_${settingName(option).toUpperCase()}`;

/**
 * Works out the configuration.
 *
 * @param args the command line without the program
 * @throws ConfigError naming the option and what is allowed; nothing is ever ignored
 */
export function readConfig(args: readonly string[], env: Env): Config {
  const config = readOptions(args, env, Object.keys(table) as (keyof Config)[]);
  refuseOpenDoor(config);
  return config;
}

/** Some of the configuration, for what does not open a server. @throws ConfigError as `readConfig` */
export function readOptions<K extends keyof Config>(
  args: readonly string[],
  env: Env,
  fields: readonly K[],
): Pick<Config, K> {
  const flags = readFlags(args);
  const settings = readSettings(flags.get("config"));
  const entries = fields.map((field) => {
    const option = table[field] as Option;
    const [text, origin] =
      given(flags.get(option.name), `--${option.name}`) ??
      given(env[variableName(option)], variableName(option)) ??
      given(settings.get(settingName(option)), `"${settingName(option)}" in settings`) ??
      ([option.default, `--${option.name}`] as const);
    return [field, parseOption(option, text, origin)];
  });
  return Object.fromEntries(entries);
}

function given(text: string | undefined, origin: string): readonly [string, string] | undefined {
  return text === undefined ? undefined : [text, origin];
}

function parseOption(option: Option, text: string, origin: string): unknown {
  try {
    return option.parse(text);
  } catch {
    const shown = option.secret ? "" : ` ${JSON.stringify(text)}`;
    throw new ConfigError(`${origin}${shown} is not allowed. Allowed: ${option.allowed}.`);
  }
}

/** A server that others can reach, and that asks nobody who they are, must be wanted. */
function refuseOpenDoor(config: Config): void {
  if (config.authToken !== "" || config.insecure) return;
  for (const [flag, address] of [
    ["--bind", config.bind] as const,
    ["--dashboard-bind", config.dashboardBind] as const,
  ]) {
    if (!address || isLoopback(address.host)) continue;
    throw new ConfigError(
      `${flag} ${showAddress(address)} can be reached from other machines, and there is no token. ` +
        "Set KOOR_AUTH_TOKEN to a long random text (or pass --insecure to let anybody in).",
    );
  }
}

/** Whether only this machine reaches an address: `localhost`, 127.0.0.0/8, ::1. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

export function showAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function readFlags(args: readonly string[]): Map<string, string> {
  const flags = new Map<string, string>();
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string;
    const [, name = "", , inline] = /^--([a-z-]+)(=([\s\S]*))?$/.exec(arg) ?? [];
    const option = options.find((candidate) => candidate.name === name);
    if (!option && name !== "config")
      throw new ConfigError(`unknown option ${arg}. See them all: koor-server --help`);
    if (option && !option.value) {
      flags.set(name, inline ?? "true");
    } else if (inline !== undefined) {
      flags.set(name, inline);
    } else {
      index += 1;
      const value = args[index];
      if (value === undefined)
        throw new ConfigError(`--${name} needs a value. Allowed: ${option?.allowed ?? "a file"}.`);
      flags.set(name, value);
    }
  }
  return flags;
}

function readSettings(file: string | undefined): Map<string, string> {
  const path = file ?? "settings.json";
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (file === undefined && (error as { code?: string }).code === "ENOENT") return new Map();
    throw new ConfigError(`the settings file ${path} cannot be read: ${(error as Error).message}`);
  }
  let settings: unknown;
  try {
    settings = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`the settings file ${path} is not JSON: ${(error as Error).message}`);
  }
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    throw new ConfigError(`the settings file ${path} must hold a JSON object`);
  }
  const known = new Set([...options.map(settingName), ...cliSettings]);
  const texts = new Map<string, string>();
  for (const [name, value] of Object.entries(settings)) {
    if (!known.has(name)) {
      throw new ConfigError(
        `${JSON.stringify(name)} in ${path} is no setting. Allowed: ${[...known].join(", ")}.`,
      );
    }
    if (Array.isArray(value) && value.every((entry) => typeof entry === "string"))
      texts.set(name, value.join(","));
    else if (["string", "number", "boolean"].includes(typeof value)) texts.set(name, String(value));
    else throw new ConfigError(`${JSON.stringify(name)} in ${path} must be a text, a number, true or false`);
  }
  return texts;
}
