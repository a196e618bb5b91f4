/**
 * What models used, out of the logs that coding agents keep of their sessions: JSON, a line each.
 *
 * Claude Code (`~/.claude/projects/*\/*.jsonl`): an answer of the model is one or more lines `{"type":"assistant"}` with
 * `message.usage`; while it streams the same message comes again and again, with the numbers so far, and a session that is resumed
 * begins with the lines of the one before. What makes it one is `message.id` with `requestId`.
 *
 * Codex (`~/.codex/sessions/**\/rollout-*.jsonl`): events `token_count` with what the last call used and the session's totals so far.
 * An event may come twice with the same totals.
 */

/** A call as `POST /api/llm/usage/import` takes it. */
export interface LoggedCall {
  ref: string;
  provider: string;
  model: string;
  tokens_in: number;
  tokens_out: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  /** Of cache_write_tokens: kept for an hour, which costs more than five minutes. */
  cache_write_1h_tokens: number;
  session_tag: string;
  /** The name of the directory that the agent worked in. */
  project: string;
  request_type: string;
  timestamp?: string;
}

/** A call, and where in its log it is: the first line is 1. */
export interface LoggedLine {
  line: number;
  call: LoggedCall;
}

type Fields = Record<string, unknown>;

/**
 * The calls of one session's log. Lines that are none of it, or cut off, are passed over.
 *
 * @param since in milliseconds since 1970: what is later, or has no time, and streams still, is left out, since a call that was
 *   recorded with the numbers so far stays so
 * @returns the calls, and how many were left out
 */
export async function readSessionLog(
  lines: AsyncIterable<string>,
  name: string,
  since = Infinity,
): Promise<{ calls: LoggedLine[]; streaming: number }> {
  const calls = new Map<string, LoggedLine>();
  const streaming = new Set<string>();
  const codex = codexReader(name);
  let line = 0;
  for await (const text of lines) {
    line += 1;
    const entry = parse(text);
    if (!entry) continue;
    const call = readClaude(entry) ?? codex(entry);
    if (!call) continue;
    if (fields(entry["message"])["stop_reason"] === null) streaming.add(call.ref);
    else streaming.delete(call.ref);
    const before = calls.get(call.ref);
    // Of a message that streams the last line has all of it.
    if (!before || call.tokens_out >= before.call.tokens_out) calls.set(call.ref, { line, call });
  }
  // Some versions of Claude Code never say that a message has stopped.
  const isOver = ({ call: { ref, timestamp } }: LoggedLine) =>
    !streaming.has(ref) || (timestamp === undefined ? since === Infinity : Date.parse(timestamp) < since);
  const settled = [...calls.values()].filter(isOver);
  return { calls: settled, streaming: calls.size - settled.length };
}

function parse(line: string): Fields | undefined {
  // Most lines are what was said, and long; these words are in all that count.
  if (!/"usage"|"token_count"|"session_meta"|"turn_context"/.test(line)) return undefined;
  try {
    return fields(JSON.parse(line));
  } catch {
    return undefined;
  }
}

function readClaude(entry: Fields): LoggedCall | undefined {
  const message = fields(entry["message"]);
  const usage = fields(message["usage"]);
  const model = text(message["model"]);
  if (entry["type"] !== "assistant" || usage["output_tokens"] === undefined) return undefined;
  const id = text(message["id"]) || text(entry["uuid"]);
  // What Claude Code says itself, without asking a model.
  if (id === "" || model === "" || model === "<synthetic>") return undefined;
  const read = whole(usage["cache_read_input_tokens"]);
  const written = whole(usage["cache_creation_input_tokens"]);
  return {
    ref: `claude-code:${id}:${text(entry["requestId"])}`,
    provider: "anthropic",
    model,
    tokens_in: whole(usage["input_tokens"]) + read + written,
    tokens_out: whole(usage["output_tokens"]),
    cache_read_tokens: read,
    cache_write_tokens: written,
    cache_write_1h_tokens: Math.min(
      whole(fields(usage["cache_creation"])["ephemeral_1h_input_tokens"]),
      written,
    ),
    session_tag: text(entry["sessionId"]),
    project: lastName(text(entry["cwd"])),
    request_type: "claude-code",
    ...timeOf(entry),
  };
}

/** Codex says the session's id, its directory and its model once, and the numbers without them. */
function codexReader(name: string): (entry: Fields) => LoggedCall | undefined {
  let session = name;
  let model = "unknown";
  let directory = "";
  let before = { tokens_in: 0, tokens_out: 0, cached: 0 };
  return (entry) => {
    const payload = fields(entry["payload"]);
    const isMeta = entry["type"] === "session_meta";
    const isTurn = entry["type"] === "turn_context";
    // A fork begins with its parent's lines, the parent's name among them: so what it repeats has the parent's refs.
    if (isMeta) session = text(payload["id"]) || session;
    if (isTurn) model = text(payload["model"]) || model;
    // Commands that were run have a directory, too.
    if (isMeta || isTurn) directory = text(payload["cwd"]) || directory;
    const info = fields(payload["info"]);
    if (payload["type"] !== "token_count" || info["total_token_usage"] === undefined) return undefined;
    const total = readCounts(fields(info["total_token_usage"]));
    const isNew = total.tokens_in !== before.tokens_in || total.tokens_out !== before.tokens_out;
    const last =
      info["last_token_usage"] === undefined || info["last_token_usage"] === null
        ? {
            tokens_in: total.tokens_in - before.tokens_in,
            tokens_out: total.tokens_out - before.tokens_out,
            cached: total.cached - before.cached,
          }
        : readCounts(fields(info["last_token_usage"]));
    before = total;
    if (!isNew || last.tokens_in < 0 || last.tokens_out < 0) return undefined;
    const { tokens_in, tokens_out, cached } = last;
    return {
      ref: `codex:${session}:${total.tokens_in}:${total.tokens_out}`,
      provider: "openai",
      model,
      tokens_in,
      tokens_out,
      cache_read_tokens: Math.min(Math.max(cached, 0), tokens_in),
      cache_write_tokens: 0,
      cache_write_1h_tokens: 0,
      session_tag: session,
      project: lastName(directory),
      request_type: "codex",
      ...timeOf(entry),
    };
  };
}

function readCounts(usage: Fields): { tokens_in: number; tokens_out: number; cached: number } {
  return {
    tokens_in: whole(usage["input_tokens"]),
    tokens_out: whole(usage["output_tokens"]),
    cached: whole(usage["cached_input_tokens"]),
  };
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function whole(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

function timeOf(entry: Fields): { timestamp?: string } {
  const timestamp = text(entry["timestamp"]);
  return timestamp === "" ? {} : { timestamp };
}

function lastName(path: string): string {
  return path.split(/[/\\]/).findLast((part) => part !== "") ?? "";
}
