import { statSync } from "node:fs";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { type Client, createClient } from "../client/client.ts";
import { ClientError } from "../client/client-error.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./command.ts";
import { report } from "./failure.ts";
import {
  type FileContent,
  eachInFlight,
  fileBytes,
  filesBelow,
  isBinary,
  readRegularFile,
  tooLarge,
} from "./files.ts";
import type { Env, Io } from "./io.ts";
import { prettyJson } from "./pretty.ts";
import { connection } from "./settings.ts";
import { type CheckedFile, type ValidateReport, formats } from "./validate-formats.ts";

/** After so many violations no more files are checked: GitHub takes no more in a SARIF run, and all are in memory. */
export const reportedViolations = 25_000;

/** How long a server whose rule workers all have work is asked again, in seconds: a queue of the worst takes 32. */
const busySeconds = 60;

/** What is to be checked. */
interface Target {
  /** As it is shown, and as the rules' `applies_to` see it: below the working directory relative to it, with `/`. */
  name: string;
  /** Whether the server is told the name. */
  isNamed: boolean;
  read(): Promise<FileContent>;
  /** It was found in a directory: nobody asked for it by its name, so one that is binary is passed over. */
  wasFound: boolean;
}

/**
 * `validate`: checks files, what is below directories, and standard input as `-`, and prints what the rules say of them.
 *
 * @returns 1 when a rule of severity `error` is broken, or something could not be checked
 * @throws ClientError for what concerns all files; then nothing is printed
 */
export async function validateFiles(
  project: string,
  words: readonly string[],
  { flags, pretty }: Arguments,
  env: Env,
  io: Io,
): Promise<number> {
  const name = flags.get("format") ?? "text";
  const format = Object.hasOwn(formats, name) ? formats[name as keyof typeof formats] : undefined;
  if (!format)
    throw new UsageError(`--format must be ${Object.keys(formats).join(", ")}, not ${JSON.stringify(name)}`);
  if (flags.has("filename") && !words.includes("-"))
    throw new UsageError("--filename says what standard input is: name it with -");

  const client = createClient(connection(env, io.cwd));
  const stack = flags.get("stack") ?? "";
  const asked = { project, stack, include_proposed: flags.has("proposed") };
  const budget = { left: reportedViolations };
  const checked = await eachInFlight(targetsOf(words, flags.get("filename"), io), (target) =>
    check(client, asked, target, budget),
  );
  const files = checked.filter((file) => file !== undefined);
  for (const { file, fault, truncated } of files) {
    if (fault !== undefined) await io.err(report(new Error(`${file} ${fault}`)).line);
    else if (truncated) await io.err(report(new Error(`${file} has more violations than are shown`)).line);
  }
  const text = format(summaryOf(project, files));
  await io.out(pretty && text.startsWith("{") ? await prettyJson(text) : text);
  return files.some(isFailure) ? 1 : 0;
}

function isFailure({ fault, violations }: CheckedFile): boolean {
  return (
    fault !== undefined || violations.some(({ severity, proposed }) => severity === "error" && !proposed)
  );
}

function summaryOf(project: string, files: CheckedFile[]): ValidateReport {
  const all = files.flatMap(({ violations }) => violations).filter(({ proposed }) => !proposed);
  const errors = all.filter(({ severity }) => severity === "error").length;
  return { project, files, errors, warnings: all.length - errors };
}

/** Each file once, in the order of the words, and within a directory of their names. */
function targetsOf(words: readonly string[], stdinName: string | undefined, io: Io): Target[] {
  const targets = new Map<string, Target>();
  const add = (path: string, wasFound: boolean) => {
    if (targets.has(path)) return;
    const read = async () => readRegularFile(path, !wasFound);
    targets.set(path, { name: nameOf(path, io.cwd), isNamed: true, read, wasFound });
  };
  for (const word of words) {
    if (word === "-") {
      const name = stdinName ?? "stdin";
      targets.set("-", {
        name,
        isNamed: stdinName !== undefined,
        read: () => readStdin(io),
        wasFound: false,
      });
      continue;
    }
    const path = resolve(io.cwd, word);
    if (!isDirectory(path)) add(path, false);
    else for (const name of filesBelow(path).names) add(join(path, name), true);
  }
  return [...targets.values()];
}

function nameOf(path: string, cwd: string): string {
  const below = relative(cwd, path);
  const isOutside = below.startsWith(`..${sep}`) || isAbsolute(below);
  return (isOutside ? path : below).replaceAll(sep, "/");
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

async function readStdin(io: Io): Promise<FileContent> {
  const bytes = await io.stdin(fileBytes);
  return bytes.length > fileBytes ? { fault: tooLarge } : { bytes };
}

/** @param budget what is left of `reportedViolations` */
async function check(
  client: Client,
  { project, ...asked }: { project: string; stack: string; include_proposed: boolean },
  { name, isNamed, read, wasFound }: Target,
  budget: { left: number },
): Promise<CheckedFile | undefined> {
  const unchecked = (fault: string) => ({ file: name, violations: [], fault });
  if (budget.left <= 0)
    return unchecked(`was not checked: there are ${reportedViolations} violations before it`);
  const { bytes, fault } = await read();
  if (fault !== undefined) return unchecked(fault);
  if (isBinary(bytes)) return wasFound ? undefined : unchecked("is no text");
  // Old encodings are text too: what is no UTF-8 becomes U+FFFD, and the lines stay where they are.
  const content = new TextDecoder().decode(bytes);
  const body = { content, ...asked, ...(isNamed && { filename: name }) };
  try {
    const { violations, truncated } = await whenFree(() =>
      client.call("rules.validate", { params: { project }, body }),
    );
    // What is only proposed fails nothing: neither here nor for the files behind it.
    budget.left -= violations.filter(({ proposed }) => !proposed).length;
    // The server has them rule by rule; who reads them goes from top to bottom.
    const inOrder = violations.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
    return { file: name, violations: inOrder, ...(truncated && { truncated }) };
  } catch (error) {
    const isOfThisFile =
      error instanceof ClientError && (error.reason === "over_budget" || error.reason === "too_large");
    if (!isOfThisFile) throw error;
    return unchecked(`was not checked: ${error.message}`);
  }
}

/** Asks again each second, as the server's `Retry-After` says, while it has too much to do. */
async function whenFree<T>(ask: () => Promise<T>): Promise<T> {
  for (let second = 1; ; second++) {
    try {
      return await ask();
    } catch (error) {
      const isBusy = error instanceof ClientError && error.reason === "rate_limited";
      if (!isBusy || second > busySeconds) throw error;
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}
