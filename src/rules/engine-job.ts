/** What passes between the rule engine and its worker, and the bounds of it. */

/** A rule as the engine sees it. */
export interface EngineRule {
  rule_id: string;
  severity: "error" | "warning";
  match_type: "regex" | "missing" | "custom";
  /** RE2 syntax as Go has it; for `custom` the name of a built-in check, or else the same. */
  pattern: string;
  /** Empty: see `withMessage`. */
  message: string;
  /** Globs, one of which must match the path or the base name. None, or an empty one: every file. */
  applies_to: readonly string[];
  /** Its violations say so. */
  proposed?: true;
}

export interface Violation {
  rule_id: string;
  severity: "error" | "warning";
  message: string;
  /** From 1; absent for what is missing. */
  line?: number;
  /** The first match on the line, at most `MATCH_LENGTH` of it; absent for what is missing. */
  match?: string;
  /** As the rule has it. */
  proposed?: true;
}

export interface Verdict {
  /** In the order of the rules, and within a rule of the lines. */
  violations: Violation[];
  /** Whether there are more than these `VIOLATIONS`. */
  truncated: boolean;
}

export interface Fault {
  /** Where the rule stands among those that were checked, from 0: two projects may have rules of one id. */
  index: number;
  rule_id: string;
  /** What is wrong with its `pattern` or its `applies_to`, in a sentence that names the field. */
  fault: string;
}

/** The most violations in an answer: as many as anyone reads, and with `MATCH_LENGTH` it bounds the answer's size. */
export const VIOLATIONS = 1000;

/** The most of a match that is told, in UTF-16 units. The match on a minified file's one line may be the whole file. */
export const MATCH_LENGTH = 1024;

export type Job =
  | { kind: "validate"; rules: readonly EngineRule[]; content: string; filename: string | undefined }
  | { kind: "check"; rules: readonly EngineRule[] };
