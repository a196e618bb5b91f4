import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem, type as systemName } from "node:os";
import { existsSync, readFileSync } from "node:fs";

/** What one bench found: tables and sentences, as they are printed and published. */
export interface Section {
  title: string;
  /** When, and what else the machine did: a run on a busy one says less. Said by `run.ts`. */
  when?: string;
  /** What was measured against what, and how. */
  how: string;
  tables: Table[];
  goals: Goal[];
  /** What the numbers do not show. */
  limits?: string[];
}

export interface Table {
  title?: string;
  columns: string[];
  rows: (string | number)[][];
}

export interface Goal {
  text: string;
  /** As it is shown: `0.81`, `12 ms`. */
  measured: string;
  met: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value that `share` of all (0.99) do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** 21600 -> `21,600`; what is small keeps the digits that say something. */
export function show(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toLocaleString("en-US", { maximumFractionDigits: Math.abs(value) >= 10 ? 1 : 2 });
}

/** Two measurements' medians as a ratio, with the range that single rounds had. */
export function ratioOf(a: readonly number[], b: readonly number[]): { ratio: number; shown: string } {
  const ratio = median(a) / median(b);
  const rounds = a.map((value, index) => value / b[index]!);
  return {
    ratio,
    shown: `${ratio.toFixed(2)} (${Math.min(...rounds).toFixed(2)}-${Math.max(...rounds).toFixed(2)})`,
  };
}

export function sectionText(section: Section): string {
  const parts = [`## ${section.title}`, section.how, ...(section.when ? [section.when] : [])];
  for (const table of section.tables) {
    if (table.title) parts.push(`**${table.title}**`);
    parts.push(tableText(table));
  }
  const goals = section.goals.map(
    ({ text, measured, met }) => `- ${text}: ${measured}, ${met ? "met" : "**missed**"}`,
  );
  if (goals.length > 0) parts.push(goals.join("\n"));
  if (section.limits) parts.push(`Not shown: ${section.limits.join(" ")}`);
  return parts.join("\n\n");
}

function tableText({ columns, rows }: Table): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === "number" ? show(cell) : cell)));
  const widths = columns.map((column, at) =>
    Math.max(3, column.length, ...cells.map((row) => row[at]?.length ?? 0)),
  );
  const numeric = columns.map((_, at) => rows.every((row) => typeof row[at] === "number"));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, at) => (numeric[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!))).join(" | ")} |`;
  const rule = `| ${widths.map((width, at) => (numeric[at] ? `${"-".repeat(width - 1)}:` : "-".repeat(width))).join(" | ")} |`;
  return [line(columns), rule, ...cells.map(line)].join("\n");
}

/** A section's `when`, before it is measured. */
export function whenNow(): string {
  const [load = 0] = loadavg();
  return `Measured ${new Date().toISOString().slice(0, 10)}; load average before: ${show(load)}.`;
}

/**
 * Markdown for docs/benchmarks.md: sections that were there and are not measured anew stay, unless they are of another machine.
 *
 * @param before what the file holds; "" when there is none
 */
export function documentText(before: string, fresh: readonly Section[], program: string): string {
  const head = `${[
    "# Benchmarks",
    "Made by `npm run bench`; not edited by hand. Each ratio compares two programs that ran on this machine in the same " +
      "run, turn by turn (A B A B ...), and is the ratio of the medians; in brackets the least and the greatest ratio of " +
      "a single round. Only ratios carry over to other machines.",
    machine(program),
  ].join("\n\n")}\n\n`;
  const [headBefore, ...parts] = before.split(/^(?=## )/m);
  const sections = new Map(headBefore === head ? parts.map((part) => [titleOf(part), part.trimEnd()]) : []);
  for (const section of fresh) sections.set(`## ${section.title}`, sectionText(section));
  return `${head}${[...sections.values()].join("\n\n")}\n`;
}

function titleOf(part: string): string {
  return part.split("\n", 1)[0] as string;
}

function machine(program: string): string {
  const [cpu] = cpus();
  return [
    `- Machine: ${cpus().length} cores (${cpu?.model.trim() || "model not told"}), ${show(totalmem() / 2 ** 30)} GiB of memory; server and load generator share the cores`,
    `- System: ${distribution()}, ${systemName()} ${release()}, ${process.arch}`,
    `- Bun ${Bun.version}; server: ${program}; load: ${toolVersion("wrk", ["-v"]) ?? "bench/load-generator.ts (wrk is not installed)"}; processes: ${toolVersion("hyperfine", ["--version"]) ?? "own loop (hyperfine is not installed)"}`,
  ].join("\n");
}

function distribution(): string {
  if (!existsSync("/etc/os-release")) return process.platform;
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? process.platform;
}

function toolVersion(tool: string, args: string[]): string | undefined {
  if (!Bun.which(tool)) return undefined;
  try {
    return execFileSync(tool, args, { encoding: "utf8" }).split("\n")[0]?.slice(0, 40);
  } catch (error) {
    // `wrk -v` prints its version and exits with 1.
    return (error as { stdout?: string }).stdout?.split(/ \[|\n/)[0] || tool;
  }
}
