import { ClientError } from "./client-error.ts";

/**
 * A server's address as a person writes it, without a slash at its end: `localhost:9800` is `http://localhost:9800`.
 *
 * @throws ClientError `bad_request` for what is no address of a web server
 */
export function serverAddress(text: string): string {
  const trimmed = text.trim();
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `http://${trimmed}`;
  if (!URL.canParse(full) || !/^https?:$/.test(new URL(full).protocol)) {
    throw new ClientError(
      `${JSON.stringify(text)} is not the address of a server: write it like http://localhost:9800`,
      {
        reason: "bad_request",
        path: "server",
      },
    );
  }
  const { origin, pathname } = new URL(full);
  return origin + pathname.replace(/\/+$/, "");
}

/**
 * An operation's path with its parameters filled in. The server decodes each segment once, and takes `%2F` as a slash
 * of the key, so that keys travel readably where they can, and exactly where URLs would be rewritten on the way.
 *
 * @throws ClientError `bad_request` for a parameter that no URL can carry
 */
export function fillPath(template: string, params: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{(\w+)(\.\.\.)?\}/g, (_, name: string, rest: string | undefined) => {
    const value = params[name];
    if (value === undefined || value === "") throw unsendable(name, "is required");
    return rest ? encodeKey(name, value) : encodeSegment(name, value);
  });
}

/** Segments of a key between plain slashes; the server takes no more. */
const plainDepth = 64;

/**
 * Slashes stay slashes, unless that made empty or dotted segments, which clients, proxies and servers rewrite, or more of
 * them than the server takes.
 */
function encodeKey(name: string, key: string): string {
  const segments = key.split("/");
  const isKept = (segment: string) => segment !== "" && segment !== "." && segment !== "..";
  const plain = segments.length <= plainDepth && segments.every(isKept);
  return plain ? segments.map((segment) => encodeSegment(name, segment)).join("/") : encodeSegment(name, key);
}

function encodeSegment(name: string, segment: string): string {
  // Even as %2E they are "this folder" and "the folder above" to everybody who reads URLs.
  if (segment === "." || segment === "..")
    throw unsendable(name, `cannot be ${JSON.stringify(segment)}: URLs lose it on their way`);
  if (!segment.isWellFormed()) throw unsendable(name, "is not valid UTF-8");
  return encodeURIComponent(segment);
}

function unsendable(name: string, predicate: string): ClientError {
  return new ClientError(`${name} ${predicate}`, { reason: "bad_request", path: name });
}
