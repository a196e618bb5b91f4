import { createHash, randomBytes } from "node:crypto";
import { KoorError } from "../contract/errors.ts";
import { ownNames } from "../core/own-names.ts";
import type { Caller } from "../contract/operation.ts";
import type { Front } from "../http/front.ts";

/**
 * Who is logged in to the dashboard of a server that has a token. The browser gets a random id in a cookie and never
 * the token: cookies ignore ports, so that every server on localhost is sent what is in them. In memory: a restart
 * logs everybody out.
 */
export interface Sessions {
  /**
   * Begins a session.
   *
   * @returns its id, for the cookie
   * @throws KoorError `unauthorized` for the wrong token, slowly; `rate_limited` while too many wrong ones are looked at
   */
  open(token: string): Promise<string>;
  /** Whether the request's cookie names a session that lives. */
  has(request: Request): boolean;
  /** The same of a request that came a while ago. */
  lasting(request: Request): () => boolean;
  /** Ends the session of the request's cookie, if there is one. */
  end(request: Request): void;
  /**
   * The `Set-Cookie` that gives an id to the browser; without an id, the one that takes it away. `Secure` where the page
   * came by https, as its `Origin` says.
   */
  cookie(request: Request, id?: string): string;
}

/** How long a session lasts, in seconds: a working day, so that a person logs in once in it. */
const lifeSeconds = 12 * 60 * 60;
/** Browsers logged in at once. One more ends the oldest. */
const maxSessions = 64;
/** How long the answer to a wrong token takes, in milliseconds. */
const wrongDelay = 1000;
/** Wrong tokens that are waiting for their answers; with the delay, four guesses a second for all the world. */
const maxWrong = 4;

export interface SessionOptions {
  isToken: (text: string) => boolean;
  /** Milliseconds since 1970. */
  now: () => number;
  sleep?: (ms: number) => Promise<void>;
  random?: (bytes: number) => Buffer;
}

export function createSessions(options: SessionOptions): Sessions {
  const { isToken, now, sleep = Bun.sleep, random = randomBytes } = options;
  /** From the hash of an id to when it ends, oldest first. Looking up a hash tells nothing by the time it takes. */
  const ends = new Map<string, number>();
  let wrong = 0;

  function keyOf(request: Request): string | undefined {
    const id = readCookie(request, cookieName(request));
    return id === undefined ? undefined : hash(id);
  }

  function lives(key: string | undefined): boolean {
    const end = key === undefined ? undefined : ends.get(key);
    if (end === undefined) return false;
    if (end > now()) return true;
    ends.delete(key as string);
    return false;
  }

  return {
    async open(token) {
      // The right one is turned away too, or guesses could go on past the bound.
      if (wrong >= maxWrong) {
        throw new KoorError("rate_limited", "too many wrong tokens; try again in a moment", {
          retryAfter: 1,
        });
      }
      if (!isToken(token)) {
        wrong += 1;
        await sleep(wrongDelay);
        wrong -= 1;
        throw new KoorError("unauthorized", "that is not this server's token", {
          hint: "It is what the server was started with: --auth-token or KOOR_AUTH_TOKEN.",
        });
      }
      const id = random(32).toString("base64url");
      ends.set(hash(id), now() + lifeSeconds * 1000);
      for (const oldest of ends.keys()) {
        if (ends.size <= maxSessions) break;
        ends.delete(oldest);
      }
      return id;
    },

    has: (request) => lives(keyOf(request)),

    lasting(request) {
      // The key alone: a request is much to keep.
      const key = keyOf(request);
      return () => lives(key);
    },

    end(request) {
      const key = keyOf(request);
      if (key !== undefined) ends.delete(key);
    },

    cookie(request, id) {
      const age = id === undefined ? 0 : lifeSeconds;
      const secure = request.headers.get("origin")?.startsWith("https:") ? "; Secure" : "";
      return `${cookieName(request)}=${id ?? ""}; Max-Age=${age}; Path=/; HttpOnly; SameSite=Strict${secure}`;
    },
  };
}

/** What is different for the API on the dashboard's own port: who is let in, and in whose name. */
export function dashboardDoor(front: Front, sessions: Sessions | undefined) {
  return { front: dashboardFront(front, sessions), visitor: dashboardVisitor(sessions) };
}

/**
 * The API's front as it stands on the dashboard's own port: there, a session counts as the token does.
 *
 * It counts for the dashboard's own page only. `SameSite` keeps out other sites but not other ports of the same host,
 * so the browser's `Sec-Fetch-Site` must not name another origin, and whatever changes something or opens a socket
 * must say its `Origin`, which `admit` has checked by then.
 *
 * @param sessions undefined: the server has no token, and nobody logs in
 */
export function dashboardFront(front: Front, sessions: Sessions | undefined): Front {
  if (!sessions) return front;
  const isSession = (request: Request) => !request.headers.has("authorization") && sessions.has(request);
  return {
    guarded: front.guarded,
    admit: (request) => front.admit(request),
    isToken: (text) => front.isToken(text),
    lasting: (request) => (isSession(request) ? sessions.lasting(request) : undefined),
    authorize(request) {
      if (!isSession(request)) return front.authorize(request);
      const site = request.headers.get("sec-fetch-site") ?? "same-origin";
      const reads = /^(GET|HEAD)$/.test(request.method) && !request.headers.has("upgrade");
      if (/^(same-origin|none)$/.test(site) && (reads || request.headers.has("origin"))) return;
      throw new KoorError("forbidden", "a session counts for the dashboard's own page only", {
        hint: "Send `Authorization: Bearer TOKEN` to use this server from elsewhere.",
      });
    },
  };
}

/**
 * Who asks on the dashboard's own port: the person at the page, by whose name the audit goes, when the request comes from
 * the page itself. A program that comes here instead of to the API's port is what it is there, nobody in particular.
 *
 * Of the request only its `Origin` counts, which `admit` has checked and no page of another origin can set, and the
 * session; no header or field names this caller.
 */
function dashboardVisitor(sessions: Sessions | undefined): (request: Request) => Caller {
  const person: Caller = Object.freeze({ name: ownNames.dashboard });
  const program: Caller = Object.freeze({ name: "" });
  return (request) => {
    const { headers } = request;
    const origin = headers.get("origin") ?? "";
    // The page's own, port included: another that the server was told to allow is no person here.
    const atPage = URL.canParse(origin) && new URL(origin).host === headers.get("host");
    const isOpen = !headers.has("authorization") && (!sessions || sessions.has(request));
    return atPage && isOpen ? person : program;
  };
}

/** With the port in it, since two servers on one host would otherwise log each other's browsers out. */
function cookieName(request: Request): string {
  const [, port = "80"] = /:(\d+)$/.exec(request.headers.get("host") ?? "") ?? [];
  return `koor_session_${port}`;
}

function readCookie(request: Request, name: string): string | undefined {
  for (const pair of (request.headers.get("cookie") ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at !== -1 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

function hash(id: string): string {
  return createHash("sha256").update(id).digest("base64");
}
