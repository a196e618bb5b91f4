import { countTokens } from "gpt-tokenizer/encoding/o200k_base";

/**
 * What passed a model's context and what did not, as texts, so that tokens are counted and not estimated.
 *
 * - `mcp`: definitions of tools, arguments of calls, answers of calls
 * - `shell`: the command lines and requests that an agent writes, and the short answers that it reads
 * - `outside`: the rest: files that went from disk to the server and back by REST, WebSocket and koor-cli
 */
export type Way = "mcp" | "shell" | "outside";

export interface TokenBook {
  add(way: Way, what: string, text: string): void;
  entries(): readonly Entry[];
  total(way: Way): number;
}

export interface Entry {
  way: Way;
  what: string;
  tokens: number;
}

/** Tokens of o200k; other encodings count differently, and alike for everything here. */
export function openTokenBook(): TokenBook {
  const entries: Entry[] = [];
  return {
    add: (way, what, text) => void entries.push({ way, what, tokens: countTokens(text) }),
    entries: () => entries,
    total: (way) => entries.filter((entry) => entry.way === way).reduce((sum, { tokens }) => sum + tokens, 0),
  };
}
