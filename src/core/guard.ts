import { KoorError } from "../contract/errors.ts";
import type { Condition } from "../contract/operation.ts";
import type { Committed, Outcome } from "./commit.ts";

/**
 * A commit's outcome, or the refusal as a caller is to see it.
 *
 * @param absent what to say when an operation's record does not exist: `key not found: plan`
 * @param hint and what to do then
 * @throws KoorError `not_found`; `lease_lost`; `version_mismatch` with the current version (0: there is none)
 */
export function expectCommitted(outcome: Outcome, absent = "not found", hint?: string): Committed {
  if (outcome.ok) return outcome;
  if (outcome.failure === "absent") throw new KoorError("not_found", absent, { hint });
  if (outcome.failure === "lost") {
    throw new KoorError("lease_lost", "the lease is lost: it has ended or was released", {
      hint: "Nothing was written. Others may hold its paths by now: acquire it again and read before you write.",
    });
  }
  const current = outcome.current && !outcome.current.deleted ? outcome.current.version : 0;
  throw new KoorError(
    "version_mismatch",
    current === 0
      ? "the condition does not hold: it does not exist"
      : `the condition does not hold: it is at version ${current}`,
    {
      current,
      hint: "Read it again, apply your change to what you read, and write with the version you read.",
    },
  );
}

/** Whether a request came with a condition at all. */
export function isConditional(condition: Condition): boolean {
  return (
    condition.match !== undefined || condition.noneMatch !== undefined || condition.version !== undefined
  );
}
