import { parseExact } from "../parts/exact-json.ts";

/** What a stored value is, and as which text a person reads it. Pure. */

export type Kind = "json" | "markdown" | "image" | "text" | "binary";

/** Bytes of a value that are made a tree; more is shown as text. */
const treeBytes = 1_000_000;
/** Characters that are shown of a text. */
export const shownChars = 300_000;
/** Bytes that are shown of what is no text. */
export const shownBytes = 8192;

export interface Content {
  kind: Kind;
  /** "" of what is no text. */
  text: string;
  /** Of JSON. */
  value?: unknown;
  bytes: Uint8Array;
}

/** The declared type counts, unless the value is not of it. */
export function contentOf(bytes: Uint8Array, contentType: string): Content {
  const type = contentType.toLowerCase().split(";")[0]?.trim() ?? "";
  if (/^image\/(png|jpeg|gif|webp|avif|svg\+xml|bmp|x-icon)$/.test(type))
    return { kind: "image", text: "", bytes };
  const text = textOf(bytes);
  if (text === undefined) return { kind: "binary", text: "", bytes };
  if (type === "text/markdown" || type === "text/x-markdown") return { kind: "markdown", text, bytes };
  if ((type === "application/json" || type.endsWith("+json")) && bytes.length <= treeBytes) {
    try {
      return { kind: "json", text, value: parseExact(text), bytes };
    } catch {
      // Values are kept as they come, and not checked; and some are too deep for a tree.
    }
  }
  return { kind: "text", text, bytes };
}

/** The text to compare by lines, and to edit: of JSON one member a line. */
export function linesOf({ kind, text, value }: Content): string {
  return kind === "json" ? JSON.stringify(value, null, 2) : text;
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Sixteen bytes a line: where, in hex, as characters. */
export function hexLines(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, shownBytes); at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    const hex = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const chars = part.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${chars}`);
  }
  return lines.join("\n");
}
