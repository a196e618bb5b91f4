import { z } from "zod";
import { KoorError } from "../contract/errors.ts";
import { limits } from "../contract/limits.ts";
import { json } from "../contract/operation.ts";
import { readBody } from "../http/body.ts";
import type { Front } from "../http/front.ts";
import { noRoute, refuse } from "../http/refuse.ts";
import type { RouteHandler } from "../http/route.ts";
import { parseBody } from "../http/request.ts";
import { sendJson } from "../http/response.ts";
import { type PageFiles, loadPage } from "./page-files.ts";
import type { Sessions } from "./session.ts";
import { type View, deepViews, firstAsks, views } from "./views.ts";

/** What the page may do: run its own script and style, talk to its own server, and nothing else. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  // The page makes no markup out of texts, so no script on it may.
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const pageHeaders = {
  "Content-Security-Policy": contentSecurityPolicy,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
};

/** A server's token is a header's length at most. */
const loginBody = json(z.object({ token: z.string("must be a text") }), { maxBytes: limits.topicBytes });

export interface DashboardOptions {
  /** Of the API; the page itself needs no session, only what it shows does. */
  front: Front;
  /** undefined: the server has no token, and nobody logs in. */
  sessions: Sessions | undefined;
  /** Where the log of changes stands, which the page follows. */
  changes: () => Promise<{ last: number; epoch: string }>;
}

/** How long the page waits to be told where the changes are, in milliseconds: a read takes less than one. */
const placeMs = 200;

/** What the dashboard's port serves beside the API: the page, what it loads, and logging in where there is a token. */
export function dashboardRoutes({
  front,
  sessions,
  changes,
}: DashboardOptions): Record<string, RouteHandler> {
  let page: Promise<PageFiles> | undefined;
  const files = () =>
    (page ??= loadPage().catch((error: unknown) => {
      page = undefined;
      throw error;
    }));

  const pageFor = async (request: Request, status: number, view?: View): Promise<Response> => {
    const { html } = await files();
    // The page knows from its first moment on whether to ask for the token.
    const session = sessions ? (sessions.has(request) ? "open" : "needed") : "none";
    // And where the changes are that it follows: what it asks afterwards is at least as new, so that it asks once.
    // When the database does not answer, it is the page that says so.
    const place =
      session === "needed"
        ? undefined
        : await Promise.race([changes().catch(() => undefined), Bun.sleep(placeMs)]);
    const marks = { session, ...(place && { changes: `${place.last} ${place.epoch}` }) };
    const asks = (view && !request.url.includes("?") && place && firstAsks[view]) || [];
    const headers = {
      "Content-Type": "text/html; charset=utf-8",
      "Cache-Control": "no-store",
      ...(asks.length > 0 && { Link: asks.map(preload).join(", ") }),
    };
    return send(html.replace('data-session="none"', attributesOf(marks)), headers, status);
  };

  const showPage =
    (view: View): RouteHandler =>
    (request) =>
      pageFor(request, 200, view);

  /** A person who follows a link that leads nowhere gets the page, which says so; a program gets what it understands. */
  const showNothing: RouteHandler = async (request) => {
    const { pathname } = new URL(request.url);
    const isPerson = request.method === "GET" && request.headers.get("accept")?.startsWith("text/html");
    return isPerson && !pathname.startsWith("/api/") ? pageFor(request, 404) : noRoute(request, front);
  };

  const showFile: RouteHandler = async (request, server) => {
    const { files: named } = await files();
    const file = named.get((request.params as { file?: string }).file ?? "");
    if (!file) return showNothing(request, server);
    refuseUnless(["GET", "HEAD"], request);
    return send(file.body, {
      "Content-Type": file.type,
      // Their names change with what is in them.
      "Cache-Control": "public, max-age=31536000, immutable",
    });
  };

  const pages = views.flatMap((view) => {
    const path = view === "now" ? "/" : `/${view}`;
    const paths = deepViews.has(view) ? [path, `${path}/*`] : [path];
    return paths.map((path) => [path, guard(front, ["GET", "HEAD"], showPage(view))] as const);
  });
  return {
    ...Object.fromEntries(pages),
    // Every other path of one segment too.
    "/:file": guard(front, undefined, showFile),
    "/*": guard(front, undefined, showNothing),
    ...(sessions && sessionRoutes(front, sessions)),
  };
}

/** As the page's own `fetch` asks. */
function preload(path: string): string {
  return `<${path}>; rel=preload; as=fetch; crossorigin=anonymous`;
}

function attributesOf(marks: Readonly<Record<string, string>>): string {
  return Object.entries(marks)
    .map(([name, value]) => `data-${name}="${Bun.escapeHTML(value)}"`)
    .join(" ");
}

function sessionRoutes(front: Front, sessions: Sessions): Record<string, RouteHandler> {
  return {
    "/login": guard(front, ["POST"], async (request) => {
      const id = await sessions.open(await readToken(request));
      // The browser forgets the one that it had.
      sessions.end(request);
      return withCookie({ logged_in: true }, sessions.cookie(request, id));
    }),
    "/logout": guard(front, ["POST"], async (request) => {
      sessions.end(request);
      return withCookie({ logged_in: false }, sessions.cookie(request));
    }),
  };
}

async function readToken(request: Request): Promise<string> {
  const { bytes, release } = await readBody(request, loginBody.maxBytes);
  try {
    return (parseBody(loginBody, bytes) as { token: string }).token;
  } finally {
    release();
  }
}

function withCookie(body: unknown, cookie: string): Response {
  const { response } = sendJson(body);
  response.headers.append("Set-Cookie", cookie);
  return response;
}

/** A route behind the front, that answers refusals as the API does. */
function guard(front: Front, methods: readonly string[] | undefined, handler: RouteHandler): RouteHandler {
  return async (request, server) => {
    try {
      front.admit(request);
      if (methods) refuseUnless(methods, request);
      return await handler(request, server);
    } catch (error) {
      return refuse(request, error);
    }
  };
}

function refuseUnless(methods: readonly string[], { method }: Request): void {
  if (methods.includes(method)) return;
  const allow = methods.join(", ");
  throw new KoorError("method_not_allowed", `${method} is not allowed here`, {
    allow,
    hint: `Allowed: ${allow}`,
  });
}

function send(
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
  status = 200,
): Response {
  return new Response(body, { status, headers: { ...pageHeaders, ...headers } });
}
