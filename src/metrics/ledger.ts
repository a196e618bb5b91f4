/**
 * The token ledger: how much passed a model's context (MCP) and how much did not have to (REST, WebSocket, CLI).
 * In memory; it begins anew with the server and by `POST /api/metrics/reset`.
 */

/**
 * Bytes for one token. Measured with o200k over this project's own OpenAPI document, its README and answers of
 * `GET /api/events/history`; see bench/tokens.ts, which prints the ratios.
 */
export const bytesPerToken = 4;

export interface Ledger {
  mcp(bytes: number): void;
  rest(bytes: number): void;
  /** Bytes that belong to a call that was counted before: a stream's frames. */
  streamed(bytes: number): void;
  reset(): void;
  read(): { mcpCalls: number; restCalls: number; mcpBytes: number; restBytes: number };
}

export function createLedger(): Ledger {
  const zero = { mcpCalls: 0, restCalls: 0, mcpBytes: 0, restBytes: 0 };
  let books = { ...zero };
  return {
    mcp(bytes) {
      books.mcpCalls += 1;
      books.mcpBytes += bytes;
    },
    rest(bytes) {
      books.restCalls += 1;
      books.restBytes += bytes;
    },
    streamed(bytes) {
      books.restBytes += bytes;
    },
    reset() {
      books = { ...zero };
    },
    read: () => ({ ...books }),
  };
}
