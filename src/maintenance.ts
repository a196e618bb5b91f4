import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { ConfigError, readOptions } from "./config.ts";
import { type Report, checkSqlite } from "./store/sqlite-check.ts";
import { copySqlite } from "./store/sqlite-copy.ts";

/** What koor-server does to its files, beside a server that runs on them or without one. */

type Env = Record<string, string | undefined>;
type Maintenance = (args: readonly string[], env: Env) => { text: string; exit: number };

/** The file in a data directory. */
const databaseName = "data.db";

/** The command that the first word names, if it names one. */
export function maintenanceCommand([first]: readonly string[]): Maintenance | undefined {
  if (first === "check") return check;
  return first === "backup" ? backup : undefined;
}

/** `check [FILE]`: exit code 0 when all is as it should be, 1 when not. */
const check: Maintenance = (args, env) => {
  const named = args[0]?.startsWith("-") === false ? args[0] : undefined;
  const { dataDir } = readOptions(named === undefined ? args : args.slice(1), env, ["dataDir"]);
  const file = resolve(named ?? join(dataDir, databaseName));
  const report = checkSqlite(file);
  return { text: showReport(file, report), exit: report.sound ? 0 : 1 };
};

/** `backup --output PATH`: into a file, or into a directory as the file that a server on it would open. */
const backup: Maintenance = (args, env) => {
  const { output, rest } = takeOutput(args);
  const { dataDir } = readOptions(rest, env, ["dataDir"]);
  const to = resolve(isDirectory(output) ? join(output, databaseName) : output);
  copySqlite(join(dataDir, databaseName), to);
  return { text: `${to}: ${statSync(to).size} bytes\n`, exit: 0 };
};

function takeOutput(args: readonly string[]): { output: string; rest: string[] } {
  const at = args.findIndex((arg) => /^--output(=|$)/.test(arg));
  const inline = at !== -1 && args[at]!.includes("=");
  const output = at === -1 ? undefined : inline ? args[at]!.slice("--output=".length) : args[at + 1];
  if (!output)
    throw new ConfigError("backup needs --output PATH: a new file, or a directory that has no data.db");
  return { output, rest: args.toSpliced(at, inline ? 1 : 2) };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function showReport(file: string, { parts, sound }: Report): string {
  const lines = parts.flatMap(({ name, looked, faults, more }) => [
    `${faults.length === 0 ? "ok      " : "DAMAGED "}${name}: ${looked}`,
    ...faults.map((fault) => `        ${fault}`),
    ...(more > 0 ? [`        and ${more} more`] : []),
  ]);
  const verdict = sound
    ? "All is as it should be."
    : "Keep this file, restore the newest backup that is sound, and compare: docs/backup.md says how.";
  return `${[file, ...lines, verdict].join("\n")}\n`;
}
