import { ClientError } from "../client/client-error.ts";
import { type Reason, reasons } from "../contract/errors.ts";

/** What koor-cli says when it cannot, and the exit code that goes with it. */
export interface FailureReport {
  line: string;
  exit: number;
}

/** One line for stderr that says what is wrong and what to do. */
export function report(error: unknown): FailureReport {
  const message = error instanceof Error ? error.message : String(error);
  const sentences = [message];
  if (error instanceof ClientError) {
    const { current, hint } = error;
    if (current !== undefined && !message.includes(String(current))) sentences.push(`The version is ${current} now`);
    if (hint !== undefined) sentences.push(hint);
  }
  return { line: `koor-cli: ${oneLine(sentences.map(oneLine).join(". "))}`, exit: exitCode(error) };
}

/** Exit codes are the contract's: 3 not found, 4 conflict, 5 unauthorized, 1 all else. */
function exitCode(error: unknown): number {
  if (!(error instanceof ClientError)) return 1;
  return reasons[error.reason as Reason]?.exit ?? 1;
}

/** What comes from a server may hold line ends, and sequences that steer a terminal. */
function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").replace(/[\s.]+$/, "");
}
