import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import { type Config, isLoopback } from "../config.ts";
import { KoorError } from "../contract/errors.ts";

/**
 * What stands in front of REST, WebSockets, MCP and the dashboard alike: who may talk to this server at all.
 * Everything here is judged by headers, before a byte of the body is read.
 */
export interface Front {
  /**
   * Refuses requests that a web page of somebody else makes: by a rebound DNS name (`Host`), or across origins
   * (`Origin`, and `Sec-Fetch-Site` where browsers leave `Origin` out). Never by content type: agents'
   * instructions are full of `curl -d`.
   * @throws KoorError `forbidden`
   */
  admit(request: Request): void;
  /** @throws KoorError `unauthorized` unless the request carries the server's bearer token (when there is one) */
  authorize(request: Request): void;
  /** Whether there is a token: who is let in is known by it. */
  readonly guarded: boolean;
  /** Whether a text is the server's token, in constant time. */
  isToken(text: string): boolean;
  /** Of a request that was let in for a time only: whether it would be still. What follows a log ends with that. */
  lasting?(request: Request): (() => boolean) | undefined;
}

export interface FrontOptions {
  config: Config;
  /** The dashboard's port, once it is known; undefined without a dashboard. */
  dashboardPort: () => number | undefined;
}

export function createFront({ config, dashboardPort }: FrontOptions): Front {
  const names = new Set([
    "localhost",
    config.bind.host,
    config.dashboardBind?.host ?? "",
    ...config.allowedHosts,
  ]);
  names.delete("");
  const origins = new Set(config.allowedOrigins);
  const token = digest(config.authToken);

  /** The last host that was let in: most clients say the same one each time. */
  let admitted = "";

  function hostIsOurs(host: string): boolean {
    if (host !== "" && host === admitted) return true;
    if (!isOurs(host)) return false;
    admitted = host;
    return true;
  }

  function isOurs(host: string): boolean {
    const name = hostname(host);
    return name !== undefined && (isIP(name) !== 0 || names.has(name));
  }

  function originIsOurs(origin: string, host: string): boolean {
    if (!URL.canParse(origin)) return false;
    const url = new URL(origin);
    if (url.host === "" || !/^https?:$/.test(url.protocol)) return false;
    if (origins.has(url.host)) return true;
    const port = dashboardPort();
    if (port === undefined || Number(url.port || (url.protocol === "https:" ? 443 : 80)) !== port)
      return false;
    const name = hostname(url.host);
    if (name === undefined) return false;
    // A server of somebody else on the same port has another address: only our own names and loopback, or the very
    // address that this request came to.
    return isLoopback(name) || name === config.dashboardBind?.host || url.host === host;
  }

  return {
    guarded: config.authToken !== "",
    admit(request) {
      const host = request.headers.get("host") ?? "";
      if (!hostIsOurs(host)) {
        throw new KoorError("forbidden", `host not allowed: ${host.slice(0, 256)}`, {
          hint: "Use localhost or an IP address, or start the server with --allowed-hosts NAME.",
        });
      }
      const origin = request.headers.get("origin");
      if (origin !== null) {
        if (originIsOurs(origin, host)) return;
        throw new KoorError("forbidden", `origin not allowed: ${origin.slice(0, 256)}`, {
          hint: "Pages of other sites are kept out; start the server with --allowed-origins ORIGIN to let this one in.",
        });
      }
      if (request.method === "GET" || request.method === "HEAD") return;
      const site = request.headers.get("sec-fetch-site");
      if (site === null || site === "same-origin" || site === "none") return;
      throw new KoorError("forbidden", "a page of another site may not change anything here");
    },

    authorize(request) {
      if (config.authToken === "") return;
      const [, given = ""] = /^bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "") ?? [];
      if (this.isToken(given)) return;
      throw new KoorError("unauthorized", "invalid or missing bearer token", {
        hint: "Send `Authorization: Bearer TOKEN`; for koor-cli set KOOR_TOKEN.",
      });
    },

    isToken: (text) => timingSafeEqual(digest(text), token),
  };
}

/** Equal lengths for the comparison, whatever was sent. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** The name in a `Host` header, in lower case, without port and brackets; undefined when it is malformed. */
function hostname(host: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i.exec(host) ?? [];
  return (bracketed ?? plain)?.toLowerCase();
}
