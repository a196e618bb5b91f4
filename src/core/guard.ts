import { KoorError } from "../contract/errors.ts";
import type { Condition } from "../contract/operation.ts";
import type { Committed, Guard, Outcome, RecordHead } from "./commit.ts";
import { judge } from "./decide.ts";

/** What a refusal says beside its cause. */
export interface RefusalWords {
  /** When an operation's record does not exist: `key not found: plan` */
  absent?: string | undefined;
  /** And what to do then. */
  hint?: string | undefined;
  /** Where in the request the operation stands. */
  path?: string | undefined;
  /** The command that shows a record together with its version. */
  read?: string | undefined;
  /** How a write says which version it replaces, where that is no condition of the whole request. */
  write?: string | undefined;
}

/**
 * A commit's outcome, or the refusal as a caller is to see it.
 *
 * @throws KoorError `not_found`; `lease_lost`; `precondition_required` and `version_mismatch` with the current version
 * (0: there is none)
 */
export function expectCommitted(outcome: Outcome, words: RefusalWords = {}): Committed {
  if (outcome.ok) return outcome;
  const { absent = "not found", hint, path } = words;
  switch (outcome.failure) {
    case "absent":
      throw new KoorError("not_found", absent, { hint, path });
    case "lost":
      throw new KoorError("lease_lost", "the lease is lost: it has ended or was released", {
        hint: "Nothing was written. Others may hold its paths by now: acquire it again and read before you write.",
      });
    case "unconditional": {
      const current = outcome.current?.version ?? 0;
      throw new KoorError(
        "precondition_required",
        `it exists, at version ${current}: this server wants to be told which version is replaced`,
        {
          current,
          path,
          hint: readAndWrite(words),
        },
      );
    }
    case "mismatch":
    case "alive":
    case "repeated":
      throw mismatch(outcome.current, words);
  }
}

function readAndWrite({
  read,
  write = "write with the version you read: X-Koor-If-Version (koor-cli: --if-version)",
}: RefusalWords): string {
  const how = read === undefined ? "" : `, with its version: ${read}`;
  return `Read it${how}. Apply your change to what you read, and ${write}.`;
}

/**
 * That a record meets a request's conditions, for a change that is worked out from what was read and committed under
 * that version.
 *
 * @throws KoorError `version_mismatch`
 */
export function expectCondition(
  condition: Condition,
  current: RecordHead | undefined,
  words: RefusalWords = {},
): void {
  if (judge(condition, current)) throw mismatch(current, words);
}

function mismatch(record: RecordHead | undefined, words: RefusalWords): KoorError {
  const current = record && !record.deleted ? record.version : 0;
  return new KoorError(
    "version_mismatch",
    current === 0
      ? "the condition does not hold: it does not exist"
      : `the condition does not hold: it is at version ${current}`,
    {
      current,
      path: words.path,
      hint: readAndWrite(words),
    },
  );
}

/**
 * What must hold for a write over whatever is there.
 *
 * @param strict whether an overwrite must say which version it replaces
 */
export function overwriteGuard(condition: Condition, strict: boolean): Guard {
  return strict && !isConditional(condition) ? { fresh: true } : condition;
}

/** Whether a request came with a condition at all. */
export function isConditional(condition: Condition): boolean {
  return (
    condition.match !== undefined || condition.noneMatch !== undefined || condition.version !== undefined
  );
}
