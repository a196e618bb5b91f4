import { isIP } from "node:net";

/** From a setting's text to its value. All of them throw an Error for a text that is not allowed. */

export interface Address {
  host: string;
  /** 0: the system chooses. */
  port: number;
}

export function parseAddress(text: string): Address {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:\s]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (!(port <= 65535)) throw new Error("no address");
  if (bracketed !== undefined && isIP(bracketed) !== 6) throw new Error("no IPv6 address");
  // As elsewhere, a port alone means every interface.
  return { host: (bracketed ?? plain ?? "").toLowerCase() || "0.0.0.0", port };
}

export function parseToken(text: string): string {
  if (!/^[\x21-\x7e]*$/.test(text)) throw new Error("no token");
  return text;
}

export function nonEmpty(text: string): string {
  if (text === "") throw new Error("empty");
  return text;
}

export function oneOf<const T extends readonly string[]>(allowed: T, text: string): T[number] {
  if (!allowed.includes(text)) throw new Error("not one of them");
  return text;
}

export function isTrue(text: string): boolean {
  return oneOf(["true", "false"] as const, text) === "true";
}

export function wholeNumber(text: string, least: number, most: number): number {
  if (!/^\d{1,15}$/.test(text) || Number(text) < least || Number(text) > most)
    throw new Error("out of range");
  return Number(text);
}

export function list(text: string): string[] {
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

/** An origin's host and port; behind a proxy the scheme does not count. */
export function originHost(origin: string): string {
  const url = new URL(origin.includes("://") ? origin : `http://${origin}`);
  if (url.pathname !== "/" || url.host === "") throw new Error("no origin");
  return url.host;
}

export function parseDatabase(text: string): string {
  if (text !== "" && !(/^postgres(ql)?:\/\/./.test(text) && URL.canParse(text)))
    throw new Error("no database");
  return text;
}
