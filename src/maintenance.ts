import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { ConfigError, readOptions } from "./config.ts";
import type { Anchor } from "./core/audit-chain.ts";
import { progressOn } from "./progress.ts";
import type { Report } from "./store/check-report.ts";
import { verifyPostgresAudit } from "./store/postgres/audit.ts";
import { checkSqlite, verifySqliteAudit } from "./store/sqlite/check.ts";
import { copySqlite } from "./store/sqlite/copy.ts";
import { moveToPostgres } from "./store/sqlite-to-postgres.ts";

/** What koor-server does to its files, beside a server that runs on them or without one. */

type Env = Record<string, string | undefined>;
interface Done {
  text: string;
  exit: number;
}
type Maintenance = (args: readonly string[], env: Env) => Done | Promise<Done>;

/** The file in a data directory. */
const databaseName = "data.db";

/** The command that the first word names, if it names one. */
export function maintenanceCommand([first = ""]: readonly string[]): Maintenance | undefined {
  return commands.get(first);
}

/**
 * `check [FILE]`, of a file or a data directory: exit code 0 when all is as it should be, 1 when not. With a database it is
 * refused unless a file is named: the data directory's may be one that nobody writes to any more.
 */
const check: Maintenance = (args, env) => {
  const { named, flags } = takeNamed(args);
  const { dataDir, database } = readOptions(flags, env, ["dataDir", "database"]);
  if (database !== "" && named === undefined)
    throw new ConfigError(
      "check is for SQLite's file, and here a PostgreSQL database is set: nothing was looked at. Of that database, " +
        "koor-server audit verify checks the audit log; its pages and indexes PostgreSQL's own pg_amcheck does. " +
        "To check a file, name it: koor-server check FILE",
    );
  const file = databaseAt(named ?? dataDir);
  const report = checkSqlite(file);
  return { text: showReport(file, report), exit: report.sound ? 0 : 1 };
};

/**
 * `backup --output PATH`: into a file, or into a directory as the file that a server on it would open. With a database it is
 * refused: the data directory's file may be one that nobody writes to any more.
 */
const backup: Maintenance = (args, env) => {
  const { output, rest } = takeOutput(args);
  const { dataDir, database } = readOptions(rest, env, ["dataDir", "database"]);
  if (database !== "")
    throw new ConfigError(
      "backup copies SQLite's file, and here a PostgreSQL database is set: nothing was written. A backup of any server " +
        "is made with: koor-cli backup --output koor-$(date +%F).backup",
    );
  const to = fileAt(output);
  copySqlite(databaseAt(dataDir), to);
  return { text: `${to}: ${statSync(to).size} bytes\n`, exit: 0 };
};

/**
 * `audit verify [FILE]`, on a file, a data directory or a `--database`: exit code 0 when no row was changed, removed or put
 * in between, 1 when one was. `--expect ID:HASH`: and that row is as it was when somebody wrote this down.
 */
const audit: Maintenance = async ([verb, ...args], env) => {
  if (verb !== "verify") throw new ConfigError("the command is: koor-server audit verify [FILE]");
  const { value: expected, rest } = takeFlag(args, "expect");
  const anchor = expected === undefined ? undefined : readAnchor(expected);
  const { named, flags } = takeNamed(rest);
  const { dataDir, database } = readOptions(flags, env, ["dataDir", "database"]);
  const isRemote = database !== "" && named === undefined;
  const file = isRemote ? "the database" : databaseAt(named ?? dataDir);
  const { report, newest } = isRemote
    ? await verifyPostgresAudit(database, anchor)
    : verifySqliteAudit(file, anchor);
  const last = newest.id === 0 ? [] : [`newest  ${newest.id}:${newest.hash}`];
  return {
    text: showReport(file, report, last),
    exit: report.sound ? 0 : 1,
  };
};

/** `migrate-from-sqlite FILE`: into the empty database that `--database` names. */
const migrateFromSqlite: Maintenance = async ([named = "", ...rest], env) => {
  if (named === "" || named.startsWith("-"))
    throw new ConfigError("migrate-from-sqlite needs a FILE: a data directory, or the data.db in one");
  const { database } = readOptions(rest, env, ["database"]);
  if (database === "")
    throw new ConfigError("migrate-from-sqlite needs KOOR_DATABASE (or --database URL): an empty database");
  const file = fileAt(named);
  if (!existsSync(file)) throw new ConfigError(`there is no ${file}`);
  const onProgress = progressOn(process.stderr);
  const { version, record, event, audit } = await moveToPostgres({ file, database, onProgress });
  const text = `${file}: ${record} records in ${version} versions, ${event} events and ${audit} audit rows are in the database, and are the same there.\n`;
  return { text, exit: 0 };
};

const commands: ReadonlyMap<string, Maintenance> = new Map([
  ["check", check],
  ["backup", backup],
  ["audit", audit],
  ["migrate-from-sqlite", migrateFromSqlite],
]);

function readAnchor(text: string): Anchor {
  const [, id, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (hash === undefined)
    throw new ConfigError("--expect must be ID:HASH, as an earlier audit verify printed for the newest row");
  return { id: Number(id), hash };
}

function takeOutput(args: readonly string[]): { output: string; rest: string[] } {
  const { value, rest } = takeFlag(args, "output");
  if (!value)
    throw new ConfigError("backup needs --output PATH: a new file, or a directory that has no data.db");
  return { output: value, rest };
}

/** A flag that is no option of the server's. */
function takeFlag(args: readonly string[], name: string): { value: string | undefined; rest: string[] } {
  const at = args.findIndex((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`));
  if (at === -1) return { value: undefined, rest: [...args] };
  const inline = args[at]!.includes("=");
  const value = inline ? args[at]!.slice(`--${name}=`.length) : (args[at + 1] ?? "");
  return { value, rest: args.toSpliced(at, inline ? 1 : 2) };
}

/** What a command is about, if it is named before the flags. */
function takeNamed(args: readonly string[]): { named: string | undefined; flags: readonly string[] } {
  const [first] = args;
  return first === undefined || first.startsWith("-")
    ? { named: undefined, flags: args }
    : { named: first, flags: args.slice(1) };
}

/** The database that a path means: a file, or the one in a directory. */
function fileAt(place: string): string {
  return resolve(isDirectory(place) ? join(place, databaseName) : place);
}

/** The file that a command is about: one that is named, or that of a directory. @throws ConfigError when it is not there */
function databaseAt(place: string): string {
  const file = fileAt(place);
  if (existsSync(file)) return file;
  throw new ConfigError(`there is no ${file}: name a database, or its directory with --data-dir DIRECTORY`);
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function showReport(file: string, { parts, sound }: Report, more: readonly string[] = []): string {
  const lines = parts.flatMap(({ name, looked, faults, more: untold }) => [
    `${faults.length === 0 ? "ok      " : "DAMAGED "}${name}: ${looked}`,
    ...faults.map((fault) => `        ${fault}`),
    ...(untold > 0 ? [`        and ${untold} more`] : []),
  ]);
  const verdict = sound
    ? "All is as it should be."
    : "Keep this file, restore the newest backup that is sound, and compare: docs/backup.md says how.";
  return `${[file, ...lines, ...more, verdict].join("\n")}\n`;
}
