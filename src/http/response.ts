import { streamOf } from "../backup/stream.ts";
import { type ErrorBody, KoorError } from "../contract/errors.ts";
import { type FileAnswer, type StoredAnswer, recordOf } from "../contract/operation.ts";
import { stringify } from "../contract/raw-json.ts";
import { entityTag } from "../core/commit.ts";

/** On every answer: browsers must not guess types, nor let other sites' pages embed what is here. */
const everywhere = { "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin" };

const jsonHeaders = { ...everywhere, "Content-Type": "application/json", "Cache-Control": "no-store" };

export interface Sent {
  response: Response;
  /** Of the body, for the token ledger. */
  bytes: number;
  /** More of it is to come. */
  goesOn?: true;
}

/** An operation's JSON answer. What has a version and a hash, or is of a record, also has an entity tag. */
export function sendJson(body: unknown): Sent {
  const text = stringify(body);
  const headers = { ...jsonHeaders, ...recordHeaders(body) };
  return { response: new Response(text, { headers }), bytes: Buffer.byteLength(text) };
}

/** Text of a list that is gathered before its answer begins, in characters: one that ends within is sent as any other. */
const listBegins = 64 * 1024;
/** How long a reader of a long list may take nothing, in milliseconds: it holds a snapshot of the database open. */
const listPatienceMs = 10_000;

/**
 * A list whose JSON is made page by page, as it is taken. What is refused with its first pages is a refusal; later it
 * breaks off.
 *
 * @param later told at its end how many bytes went out beside those that are told at once
 */
export async function sendPages(
  pages: AsyncGenerator<readonly unknown[]>,
  later: (bytes: number) => void,
): Promise<Sent> {
  let text = "";
  const take = async (): Promise<boolean> => {
    const { value, done } = await pages.next();
    if (done) {
      text += begun ? "]" : "[]";
      return false;
    }
    // Before the first item there is the bracket, before others a comma.
    if (value.length > 0) text += `${begun ? "," : "["}${stringify(value).slice(1, -1)}`;
    begun ||= value.length > 0;
    return true;
  };
  let begun = false;
  let more = true;
  while (more && text.length < listBegins) more = await take();
  if (!more) {
    return { response: new Response(text, { headers: jsonHeaders }), bytes: Buffer.byteLength(text) };
  }
  const first = new TextEncoder().encode(text);
  let sent = 0;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield first;
    for (let goesOn = true; goesOn;) {
      text = "";
      goesOn = await take();
      const piece = new TextEncoder().encode(text);
      sent += piece.length;
      yield piece;
    }
  }
  const end = () => {
    later(sent);
    // Also when nobody took the first piece.
    void pages.return(undefined);
  };
  const stream = streamOf(pieces(), end, listPatienceMs);
  return { response: new Response(stream, { headers: jsonHeaders }), bytes: first.length, goesOn: true };
}

function recordHeaders(body: unknown): Record<string, string> | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  if (recordOf in body) {
    const { version, hash } = body[recordOf] as { version: number; hash: string };
    return { ETag: entityTag(version, hash), "X-Koor-Version": String(version) };
  }
  return "version" in body && "hash" in body
    ? { ETag: entityTag(body.version as number, body.hash as string) }
    : undefined;
}

/** A text of a type of its own. */
export function sendText(text: string, type: string): Response {
  return new Response(text, { headers: { ...jsonHeaders, "Content-Type": type } });
}

/** Of Server-Sent Events. The last is for proxies that gather what they pass on (nginx). */
export function eventStreamHeaders(epoch: string): Record<string, string> {
  return {
    ...jsonHeaders,
    "Content-Type": "text/event-stream",
    "Koor-Epoch": epoch,
    "X-Accel-Buffering": "no",
  };
}

/** A stored value, or 304 for a caller who has it. */
export function sendStored(stored: StoredAnswer): Sent {
  // A wait for what does not exist is over: nothing to tag.
  if (stored.version === 0)
    return {
      response: new Response(null, { status: 304, headers: { ...everywhere, "X-Koor-Version": "0" } }),
      bytes: 0,
    };
  // Spelled out: making the answer is a third of a small read's time, and copying headers a tenth of that.
  const headers = {
    "Content-Type": stored.content_type,
    ETag: entityTag(stored.version, stored.hash),
    "X-Koor-Version": String(stored.version),
    "X-Koor-Hash": stored.hash,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    // A stored value is whatever somebody wrote: a page among them must not run as a page of this server.
    "Content-Security-Policy": "sandbox",
  };
  if (stored.bytes === null) return { response: new Response(null, { status: 304, headers }), bytes: 0 };
  const response = new Response(stored.bytes as Uint8Array<ArrayBuffer>, { headers });
  return { response, bytes: stored.bytes.length };
}

/** A file that is sent as it is made; how large it gets nobody knows. */
export function sendFile({ stream, filename }: FileAnswer): Sent {
  const headers = {
    ...jsonHeaders,
    "Content-Type": "application/x-ndjson",
    "Content-Disposition": `attachment; filename="${filename}"`,
  };
  return { response: new Response(stream, { headers }), bytes: 0 };
}

/** A refusal. What is no `KoorError` is told as `internal`, and nothing of its inside. */
export function sendError(error: unknown): Sent {
  const known =
    error instanceof KoorError
      ? error
      : new KoorError("internal", "internal error", { hint: "See the server's log." });
  const body: ErrorBody = known.toBody();
  const { retryAfter, allow } = known.details;
  const text = JSON.stringify(body);
  const headers = {
    ...jsonHeaders,
    ...(known.status === 401 && { "WWW-Authenticate": "Bearer" }),
    ...(retryAfter !== undefined && { "Retry-After": String(retryAfter) }),
    ...(allow !== undefined && { Allow: allow }),
  };
  return { response: new Response(text, { status: known.status, headers }), bytes: Buffer.byteLength(text) };
}

/** The answer to `HEAD`. @param bytes of the body that `GET` has, where they are known */
export function withoutBody(response: Response, bytes: number | undefined): Response {
  void response.body?.cancel();
  const headers = new Headers(response.headers);
  if (response.status === 200 && bytes !== undefined) headers.set("Content-Length", String(bytes));
  return new Response(null, { status: response.status, headers });
}
