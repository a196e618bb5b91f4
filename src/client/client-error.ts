import { type ErrorBody, type Reason, reasons } from "../contract/errors.ts";
import { limits } from "../contract/limits.ts";

/**
 * Why a call failed: one of the server's reasons, or of the client's own: `no_server` when there was no connection,
 * `no_answer` when it broke before the answer was complete, `not_koor` when something else answered.
 */
export type FailureReason = Reason | "no_server" | "no_answer" | "not_koor";

export interface Failure {
  reason: FailureReason;
  /** The HTTP status; 0 when there was no answer. */
  status?: number;
  hint?: string | undefined;
  path?: string | undefined;
  current?: number | undefined;
  oldest?: number | undefined;
  cause?: unknown;
}

/** Every failure of the client is one of these, but an abort, which comes through as it is. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly reason: FailureReason;
  readonly status: number;
  /** What to do next. */
  readonly hint: string | undefined;
  /** The offending field, dotted. */
  readonly path: string | undefined;
  /** The version the record has now; 0 when it does not exist. */
  readonly current: number | undefined;
  /** The oldest entry of the log that is kept, where a position was refused. */
  readonly oldest: number | undefined;

  constructor(message: string, { reason, status = 0, hint, path, current, oldest, cause }: Failure) {
    super(message, { cause });
    this.reason = reason;
    this.status = status;
    this.hint = hint;
    this.path = path;
    this.current = current;
    this.oldest = oldest;
  }
}

/** The exit code of `koor-cli`, which the contract keeps beside the status. */
export function exitCodeOf(reason: FailureReason): number {
  return reason in reasons ? reasons[reason as Reason].exit : 1;
}

/** A refusal as the server sent it. Servers older than the reasons are understood by their status. */
export async function refusal(response: Response, server: string): Promise<ClientError> {
  const { status } = response;
  const body = parseBody(await response.text().catch(() => ""));
  // The server's own engine says it of a request whose first lines are over 16 KiB, before Koor sees them.
  if (!body && status === 431) {
    return new ClientError("what was asked for is too long to be sent, the name or another text beside it", {
      reason: "too_large",
      status,
      hint: `A key, a project or a spec's name has at most ${limits.keyBytes} bytes`,
    });
  }
  if (!body) {
    return new ClientError(
      `${server} answered ${status}, but not as Koor does: check the address, or set KOOR_SERVER`,
      {
        reason: "not_koor",
        status,
      },
    );
  }
  const { error, reason = reasonOf(status), hint, path, current, oldest } = body;
  return new ClientError(error, { reason, status, hint, path, current, oldest });
}

function parseBody(text: string): (Partial<ErrorBody> & { error: string }) | undefined {
  try {
    const body = JSON.parse(text) as Partial<ErrorBody> | null;
    return typeof body?.error === "string" ? { ...body, error: body.error } : undefined;
  } catch {
    return undefined;
  }
}

function reasonOf(status: number): Reason {
  const found = Object.entries(reasons).find(([, { status: its }]) => its === status);
  return (found?.[0] ?? (status < 500 ? "bad_request" : "internal")) as Reason;
}

/** Where a server listens that was told nothing else. */
export const defaultServer = "http://localhost:9800";

/** What to do about a request without an answer: one that changes nothing, one with an idempotency key, and all others. */
const whatNow = {
  read: "Try again",
  once: "It may have been done, or not: send it again under the same idempotency key, and it is done once",
  write: "It may have been done, or not: look before you do it again",
} as const;

export type Effect = keyof typeof whatNow;

/** Nobody knows what came of a request. */
export function noAnswer(message: string, effect: Effect, cause: unknown): ClientError {
  return new ClientError(message, { reason: "no_answer", hint: whatNow[effect], cause });
}

/** A connection that was not made, or that broke. */
export function connectionFailure(cause: unknown, server: string, effect: Effect): ClientError {
  const code = codeOf(cause);
  if (code && brokenOff.has(code))
    return noAnswer(`the server at ${server} closed the connection before it had answered`, effect, cause);
  // A server that is started stands where this one was looked for only if that is the default.
  const advice =
    server === defaultServer
      ? "start one with koor-server, or set KOOR_SERVER"
      : "is that the address, and does one run there? KOOR_SERVER says where it is, or server in settings.json";
  return new ClientError(`no Koor server at ${server}: ${advice}`, { reason: "no_server", cause });
}

/** As Bun and Node name them; browsers tell nothing. */
const brokenOff = new Set(["ECONNRESET", "EPIPE", "ConnectionClosed", "UND_ERR_SOCKET"]);

/** Node hides the code in the cause. */
function codeOf(error: unknown): string | undefined {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code === "string") return code;
  return cause === undefined ? undefined : codeOf(cause);
}
