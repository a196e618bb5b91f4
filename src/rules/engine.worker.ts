import { RE2JS, RE2JSSyntaxException } from "re2js";
import { compileGlob } from "../core/glob.ts";
import { expressionOf } from "./builtin.ts";
import { type Progress, serve } from "../workers/serve.ts";
import {
  type EngineRule,
  type Fault,
  type Job,
  MATCH_LENGTH,
  VIOLATIONS,
  type Verdict,
  type Violation,
} from "./engine-job.ts";

/**
 * The worker that runs patterns. It may be killed at any moment, so it keeps nothing from one job to the next;
 * compiled patterns neither: compiling takes 0.03 to 0.1 ms, and a pattern that has run may hold 8 MiB of states.
 * A step is a rule, by its index.
 */

function validate(job: Job & { kind: "validate" }, begin: Progress): Verdict {
  // Half a surrogate pair is no character; Go's JSON decoder makes it the same U+FFFD.
  const content = job.content.toWellFormed();
  const chunks = chunksOf(content);
  const violations: Violation[] = [];
  for (const [index, rule] of job.rules.entries()) {
    begin(index);
    for (const violation of violationsOf(rule, content, chunks, job.filename)) {
      if (violations.length === VIOLATIONS) return { violations, truncated: true };
      violations.push(violation);
    }
  }
  return { violations, truncated: false };
}

/** A rule that cannot be run is a violation, as in the original: it was stored, and nobody can ask it what it means. */
function* violationsOf(
  rule: EngineRule,
  content: string,
  chunks: readonly Chunk[],
  filename: string | undefined,
): Generator<Violation> {
  const { rule_id, severity, message, proposed } = rule;
  const mark = proposed && { proposed };
  try {
    if (filename && !applies(rule, filename)) return;
    const expression = expressionOf(rule);
    if (rule.match_type !== "missing") {
      for (const found of linesWith(expression, chunks))
        yield { rule_id, severity, message, ...found, ...mark };
    } else if (!isFound(compile(expression), content)) yield { rule_id, severity, message, ...mark };
  } catch (error) {
    yield { rule_id, severity: "error", message: `the rule cannot be run: ${describe(error)}`, ...mark };
  }
}

/**
 * Of 600,000 random patterns, re2js 2.10 and Go 1.19 differed on one kind: Go lets two groups have one name. Nothing
 * here asks for a group, so the names are left out then. (`\p{Letter}` and other long names are Go 1.25's, and refused.)
 */
function compile(expression: string, flags = 0): RE2JS {
  try {
    return RE2JS.compile(expression, flags);
  } catch (error) {
    const isTwin =
      error instanceof RE2JSSyntaxException && error.message.includes("duplicate capture group name");
    if (!isTwin) throw error;
    return RE2JS.compile(
      expression.replace(namesAndLiterals, (part) => (part.startsWith("(?") ? "(" : part)),
      flags,
    );
  }
}

/** The names of groups, and all that may hold what only looks like one: quotations, escapes, classes. */
const namesAndLiterals = /\\Q[^]*?(?:\\E|$)|\\[^]|\[\^?\]?(?:\\[^]|\[:[^\]]*:\]|[^\]\\])*\]|\(\?P?<\w+>/g;

function applies({ applies_to }: EngineRule, filename: string): boolean {
  const base = filename.slice(Math.max(filename.lastIndexOf("/"), filename.lastIndexOf("\\")) + 1);
  return (
    applies_to.length === 0 ||
    applies_to.some((pattern) => {
      const glob = compileGlob(pattern || "*");
      return glob.test(filename) || glob.test(base);
    })
  );
}

/** Some lines of the content, whole ones, each with its end as `\n`. */
interface Chunk {
  text: string;
  /** The number of its first line, from 1. */
  line: number;
}

/**
 * How long a chunk is at least, in UTF-16 units. Of the rules in rules/ on 1 MB of source code, chunks of 512 to 131,072
 * took the same within a tenth.
 */
const CHUNK_LENGTH = 2048;

/** The content in pieces that a rule can be tried on before it is tried on their lines. */
function chunksOf(content: string): Chunk[] {
  const chunks: Chunk[] = [];
  for (let from = 0, line = 1; from < content.length;) {
    const lineFeed = content.indexOf("\n", from + CHUNK_LENGTH);
    const end = lineFeed === -1 ? content.length : lineFeed + 1;
    // Chunk by chunk: ten million line ends take 0.4 s so, and all at once 1.1.
    const text = content.slice(from, end).replaceAll("\r\n", "\n");
    chunks.push({ text, line });
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) line++;
    from = end;
  }
  return chunks;
}

/**
 * The lines that an expression matches, each with its first match. A line ends with `\n` or `\r\n` or with the content;
 * what follows the last line end is a line only when it is not empty (as in grep, wc and Go's bufio.Scanner), so
 * empty content has no line. A `\r` elsewhere is a character of its line. The expression sees one line at a time:
 * `^` and `\A` are its start, `$` and `\z` its end, and no match spans two.
 *
 * Most rules match nothing, and a rule's literals are looked for once a chunk instead of once a line: the rules in
 * rules/ on 1 MB of source code took 450 ms line by line, 224 so (CPU, warm; 1000 and 700 in a worker that just started).
 */
function* linesWith(source: string, chunks: readonly Chunk[]): Generator<{ line: number; match: string }> {
  const screen = screenOf(source);
  let expression: RE2JS | undefined;
  for (const chunk of chunks) {
    if (screen && !screen.test(chunk.text)) continue;
    expression ??= compile(source);
    yield* linesOf(chunk, expression);
  }
  // One that cannot be run says so on empty content too.
  if (!screen) expression ??= compile(source);
}

/**
 * An expression that is found in a chunk whenever the other is found in one of its lines; `undefined` where there is
 * none to be had: one with `\A` or `\z` or with `(?-m)` sees the ends of a line, but not those within a chunk. What it
 * finds beside that, such as `[^a]` at a line's end, costs time only.
 */
function screenOf(source: string): RE2JS | undefined {
  return /\\[AzZ]|\(\?[a-zA-Z]*-[a-zA-Z]*m/.test(source) ? undefined : compile(source, RE2JS.MULTILINE);
}

/** `test` first, then the place: the one takes 3 to 12 ms for a rule on 1 MB of source code, the other 50 to 90. */
function* linesOf(chunk: Chunk, expression: RE2JS): Generator<{ line: number; match: string }> {
  const { text } = chunk;
  // Content may be ten million empty lines; asked once a chunk, they cost 2 ns each and no longer 70.
  const matchesEmpty = expression.test("");
  for (let line = chunk.line, from = 0; from < text.length; line++) {
    const lineFeed = text.indexOf("\n", from);
    const end = lineFeed === -1 ? text.length : lineFeed;
    if (end === from) {
      if (matchesEmpty) yield { line, match: "" };
    } else {
      const whole = text.slice(from, end);
      if (expression.test(whole)) {
        const matcher = expression.matcher(whole);
        if (matcher.find()) yield { line, match: bounded(whole.slice(matcher.start(), matcher.end())) };
      }
    }
    from = end + 1;
  }
}

/**
 * Whether an expression is anywhere in the content, which it sees as a whole, as Go's `regexp.MatchString` would.
 * As `\r\n` ends a line like `\n`, it is also looked for with the one in place of the other: `(?m)^end$` is on a line of a Windows file.
 */
function isFound(expression: RE2JS, content: string): boolean {
  return (
    expression.test(content) ||
    (content.includes("\r\n") && expression.test(content.replaceAll("\r\n", "\n")))
  );
}

/** Cut between two characters. A cut text can still be searched for, so nothing marks the cut. */
function bounded(match: string): string {
  if (match.length <= MATCH_LENGTH) return match;
  const isSplit = (match.codePointAt(MATCH_LENGTH - 1) ?? 0) > 0xffff;
  return match.slice(0, isSplit ? MATCH_LENGTH - 1 : MATCH_LENGTH);
}

function check({ rules }: Job & { kind: "check" }, begin: Progress): Fault | null {
  for (const [index, rule] of rules.entries()) {
    begin(index);
    const fault = faultOf(rule);
    if (fault) return { index, rule_id: rule.rule_id, fault };
  }
  return null;
}

function faultOf(rule: EngineRule): string | undefined {
  try {
    compile(expressionOf(rule));
  } catch (error) {
    return `pattern: ${describe(error)}`;
  }
  for (const pattern of rule.applies_to) {
    try {
      compileGlob(pattern);
    } catch (error) {
      return `applies_to ${JSON.stringify(pattern)}: ${describe(error)}`;
    }
  }
  return undefined;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

serve((job: Job, begin) => (job.kind === "validate" ? validate(job, begin) : check(job, begin)));
