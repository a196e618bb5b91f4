/**
 * The closed list of reasons why Koor refuses, and what each means on the three ways out: the HTTP status,
 * and the exit code of `koor-cli`. Over MCP every one of them is an answer with `isError: true`.
 *
 * A reason is stable: programs branch on it. The sentence beside it is for people and models and may change.
 */
export const reasons = {
  bad_request: { status: 400, exit: 1, meaning: "The request is malformed; `path` names the field." },
  unauthorized: { status: 401, exit: 5, meaning: "The bearer token is missing or wrong." },
  unknown_instance: { status: 401, exit: 5, meaning: "The Koor-Instance-Token belongs to no instance." },
  forbidden: { status: 403, exit: 5, meaning: "The Host or Origin is not allowed here, or it is another's." },
  not_found: { status: 404, exit: 3, meaning: "There is no such thing, or no such route." },
  method_not_allowed: {
    status: 405,
    exit: 1,
    meaning: "The route exists, the method does not; see `Allow`.",
  },
  already_exists: { status: 409, exit: 4, meaning: "The id is in use." },
  conflict: {
    status: 409,
    exit: 4,
    meaning: "Somebody else has it, or changed it in between; `blocked_by` are the leases in the way.",
  },
  incompatible: {
    status: 409,
    exit: 4,
    meaning: "It breaks the compatibility that was promised of the contract; nothing was written.",
  },
  gone: { status: 410, exit: 4, meaning: "The position is older than what is kept, or of another epoch." },
  lease_lost: {
    status: 412,
    exit: 4,
    meaning: "The lease is not held, any more or yet; nothing was written.",
  },
  version_mismatch: { status: 412, exit: 4, meaning: "A condition did not hold; `current` is the version." },
  too_large: { status: 413, exit: 1, meaning: "The body is over its limit." },
  unsupported_media_type: { status: 415, exit: 1, meaning: "The body's type is none that this takes." },
  key_reused: { status: 422, exit: 4, meaning: "The Idempotency-Key was used for another request." },
  over_budget: { status: 422, exit: 1, meaning: "The work took longer than its budget and was stopped." },
  precondition_required: {
    status: 428,
    exit: 4,
    meaning: "The server runs with --strict-writes: an overwrite must say which version it replaces.",
  },
  rate_limited: { status: 429, exit: 1, meaning: "Too much of this is under way; try again." },
  internal: { status: 500, exit: 1, meaning: "A fault of the server; its log has the cause." },
  unavailable: { status: 503, exit: 1, meaning: "Not now; try again after `Retry-After` seconds." },
  out_of_space: { status: 507, exit: 1, meaning: "The disk is full; reads go on." },
} as const;

export type Reason = keyof typeof reasons;

/** What may accompany a refusal. */
export interface ErrorDetails {
  /** What to do next: a sentence, or a command that is safe to run. */
  hint?: string | undefined;
  /** The offending field, dotted: `3.pattern` in an array of rules. */
  path?: string | undefined;
  /** The version the record has now; 0 when it does not exist. */
  current?: number | undefined;
  /** The oldest entry of the log that is kept: who goes on from there asks for what is after the one before it. */
  oldest?: number | undefined;
  /** The leases in the way, as their list shows them; the first few. */
  blockedBy?: readonly object[] | undefined;
  /** Seconds after which trying again makes sense; becomes the `Retry-After` header, and the hint where there is no other. */
  retryAfter?: number | undefined;
  /** The methods a route does have; becomes the `Allow` header. */
  allow?: string | undefined;
}

/** The body of every answer that is not a success. */
export interface ErrorBody {
  error: string;
  code: number;
  reason: Reason;
  hint?: string;
  path?: string;
  current?: number;
  oldest?: number;
  blocked_by?: readonly object[];
}

/** A refusal that the caller is meant to see. Anything else that is thrown becomes `internal` and is only logged. */
export class KoorError extends Error {
  override readonly name = "KoorError";
  readonly reason: Reason;
  readonly details: ErrorDetails;

  constructor(reason: Reason, message: string, details: ErrorDetails = {}) {
    super(message);
    this.reason = reason;
    this.details = details;
  }

  get status(): number {
    return reasons[this.reason].status;
  }

  /** The error as it goes over the wire; absent details leave no empty fields behind. */
  toBody(): ErrorBody {
    const { retryAfter, path, current, oldest, blockedBy } = this.details;
    const { hint = retryAfter === undefined ? undefined : tryAgainIn(retryAfter) } = this.details;
    return {
      error: this.message,
      code: this.status,
      reason: this.reason,
      ...(hint !== undefined && { hint }),
      ...(path !== undefined && { path }),
      ...(current !== undefined && { current }),
      ...(oldest !== undefined && { oldest }),
      ...(blockedBy !== undefined && { blocked_by: blockedBy }),
    };
  }
}

function tryAgainIn(seconds: number): string {
  return `Try again in ${seconds} ${seconds === 1 ? "second" : "seconds"}.`;
}
