import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cell, notice, table } from "./markdown.ts";

/**
 * docs/limits.md: every number that has a name in the sources, with the comment that stands before it. So a bound cannot be
 * changed without the page, nor a new one be left out of it.
 */

/** Rooms in the order of the page, with what they are called there. A room that is not here comes last, by its own name. */
const titles: Record<string, string> = {
  contract: "What comes in",
  http: "HTTP and WebSocket",
  mcp: "MCP",
  store: "The store",
  core: "What is kept, and patterns",
  backup: "Backups",
  feed: "Live delivery",
  rules: "Rules",
  contracts: "Contracts",
  compliance: "Compliance",
  templates: "Templates",
  instances: "Instances",
  dashboard: "The dashboard",
  client: "The client",
  cli: "koor-cli",
  server: "Start, stop and background work",
};

/** Numbers with a name that bound nothing. */
const noBounds = new Set([
  "bytesPerToken",
  "comeBackAfter",
  "FINISHED",
  "formatVersion",
  "interruptedExit",
  "minute",
  "refusalsBeforePolling",
  "restFactor",
  "schemaVersion",
]);

interface Bound {
  room: string;
  file: string;
  name: string;
  value: number;
  doc: string;
}

/** A constant at the beginning of a line, or a member of the table of limits, and the comment before it. */
const named =
  /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*)?^(?:(?:export )?const (\w+) = |  (\w+): )(-?\d[\d_]*(?: \* \d[\d_]*)*)[;,]$/gm;

/** @throws Error for a number without a comment, and for an exception that is none any more */
export function limitsDocs(root: string): string {
  const bounds = readBounds(root);
  const rooms = [...new Set([...Object.keys(titles), ...bounds.map(({ room }) => room)])];
  return [
    "# Limits",
    notice,
    "Every queue, buffer, batch, page, body and wait of Koor has a bound. What is over a bound on what comes in is refused with a " +
      "clear 4xx, or 503 with `Retry-After` where it is only too much at once; pages are cut, not refused.",
    "Left to the machine: how many keys, specs, rules and versions there are (the disk; when it is full, writes are " +
      "507), how many connections (the system's limit of open files), a list that is asked for without `limit`, and " +
      "large answers on their way to slow readers.",
    ...rooms.flatMap((room) => section(room, bounds)),
  ].join("\n\n");
}

function section(room: string, bounds: readonly Bound[]): string[] {
  const own = bounds.filter((bound) => bound.room === room);
  if (own.length === 0) return [];
  const rows = own.map(({ doc, file, name, value }) => [
    show(value, name, doc),
    cell(doc),
    `\`${name}\` in ${file}`,
  ]);
  return [`## ${titles[room] ?? room}`, table(["Bound", "Of what", "Where"], rows)];
}

function readBounds(root: string): Bound[] {
  const files = [...new Bun.Glob("src/**/*.ts").scanSync(root)]
    .filter((file) => !/\.(test|generated)\.ts$|for-tests\.ts$|conformance\.ts$/.test(file))
    .toSorted();
  const bounds = files.flatMap((file) => boundsOf(file, readFileSync(join(root, file), "utf8")));
  const gone = [...noBounds].find((name) => !bounds.some((bound) => bound.name === name));
  if (gone)
    throw new Error(`${gone} is not in the sources any more: take it out of scripts/generate/limits-docs.ts`);
  return bounds.filter(({ name }) => !noBounds.has(name));
}

function boundsOf(file: string, text: string): Bound[] {
  const room =
    file.split("/").length > 2 ? (file.split("/")[1] as string) : file.slice("src/".length, -".ts".length);
  return [...text.matchAll(named)].flatMap(([, comment, constant, member, product = ""]) => {
    const name = constant ?? (file === "src/contract/limits.ts" ? member : undefined);
    if (name === undefined) return [];
    const doc = (comment ?? "")
      .replaceAll(/^\s*\/?\*+\/?|\*\/\s*$/gm, "")
      .replaceAll(/\s+/g, " ")
      .trim();
    if (doc === "" && !noBounds.has(name))
      throw new Error(`${file}: say in a comment what ${name} bounds, and why it is that much`);
    const value = product.split(" * ").reduce((all, factor) => all * Number(factor.replaceAll("_", "")), 1);
    return [{ room, file: file.slice("src/".length), name, value, doc }];
  });
}

/** With the unit that the name or the comment says. */
function show(value: number, name: string, doc: string): string {
  if (/bytes$/i.test(name) || /\bbytes\b/.test(doc.split(/[.:;(]/, 1)[0] as string)) return showBytes(value);
  if (/ms$/i.test(name) || /in milliseconds/i.test(doc)) return showSeconds(value / 1000);
  if (/seconds$/i.test(name) || /in seconds/i.test(doc)) return showSeconds(value);
  if (/char(acter)?s$/i.test(name)) return `${showCount(value)} characters`;
  return showCount(value);
}

function showBytes(value: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let unit = 0;
  let rest = value;
  while (rest >= 1024 && rest % 1024 === 0 && unit < units.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${rest} ${units[unit]}`;
}

function showSeconds(seconds: number): string {
  if (seconds < 1) return `${seconds * 1000} ms`;
  if (seconds % 3600 === 0) return `${seconds / 3600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}

function showCount(value: number): string {
  return value.toLocaleString("en-US");
}
