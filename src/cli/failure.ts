import { ClientError, exitCodeOf } from "../client/client-error.ts";

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
    const { current, hint, path } = error;
    if (path !== undefined && !message.includes(path)) sentences[0] += ` (${path})`;
    if (current !== undefined && !message.includes(String(current)))
      sentences.push(`The version is ${current} now`);
    if (hint !== undefined) sentences.push(hint);
  }
  return {
    line: `koor-cli: ${oneLine(sentences.map(oneLine).join(". "))}`,
    exit: error instanceof ClientError ? exitCodeOf(error.reason) : 1,
  };
}

/** What comes from a server may hold line ends, and sequences that steer a terminal. */
export function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").replace(/[\s.]+$/, "");
}
