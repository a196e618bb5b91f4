import type { AuditEntry } from "../server.ts";

/** Rows of the audit as a file for a spreadsheet. Pure. */

const columns = ["id", "timestamp", "actor", "action", "resource", "outcome", "detail"] as const;

/** As RFC 4180 has it. */
export function csvOf(rows: readonly AuditEntry[]): string {
  const lines = [
    columns.join(","),
    ...rows.map((row) => columns.map((column) => cell(String(row[column]))).join(",")),
  ];
  return `${lines.join("\r\n")}\r\n`;
}

/** Names are anybody's: one that begins as a formula must not be one to a spreadsheet. */
function cell(text: string): string {
  const harmless = /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
