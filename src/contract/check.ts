import type { z } from "zod";
import { KoorError } from "./errors.ts";

/**
 * Checks what came in against its schema.
 *
 * @param whole what to call the value itself when the fault lies in no field of it: `body`
 * @throws KoorError `bad_request`, whose `path` names the field and whose text begins with it
 */
export function check<T extends z.ZodType>(schema: T, value: unknown, whole: string): z.output<T> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const issue = innermost(result.error.issues[0] as z.core.$ZodIssue);
  const path = issue.path.length > 0 ? issue.path.map(String).join(".") : whole;
  throw new KoorError("bad_request", `${path} ${predicate(issue)}`, { path });
}

/** Of a value that may have several forms, the fault in the form that it came nearest to. */
function innermost(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== "invalid_union") return issue;
  const faults = issue.errors.flatMap(([first]) => (first ? [innermost(first)] : []));
  const nearest = faults.reduce<z.core.$ZodIssue | undefined>(
    (best, fault) => (best && best.path.length >= fault.path.length ? best : fault),
    undefined,
  );
  return nearest ? { ...nearest, path: [...issue.path, ...nearest.path] } : issue;
}

/** What is wrong, as the end of a sentence whose subject is the field. */
function predicate(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      if (issue.message !== "" && !issue.message.startsWith("Invalid input")) return issue.message;
      return issue.input === undefined && issue.path.length > 0
        ? "is required"
        : `must be ${article(issue.expected)}`;
    case "invalid_value":
      if (!issue.message.startsWith("Invalid ")) return issue.message;
      return `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
    case "unrecognized_keys":
      return `has no member ${issue.keys.map((key) => JSON.stringify(key)).join(", ")}`;
    default:
      return issue.message;
  }
}

function article(type: string): string {
  if (type === "string") return "a text";
  if (type === "int") return "a whole number";
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}
