import type { Caller } from "../contract/operation.ts";

/** A tool as `tools/list` shows it. Every byte of it is paid for in tokens by every session of every agent. */
export interface ToolDefinition {
  name: string;
  description: string;
  inputSchema: { type: "object"; properties?: Record<string, object>; required?: string[] };
  annotations?: { readOnlyHint: true };
}

export interface Tool {
  definition: ToolDefinition;
  /**
   * @param args those the model gave: none is `null`, see `asTexts`
   * @returns what the model is told, as a value for JSON
   * @throws KoorError what the model did wrong, naming the argument
   */
  call(args: Record<string, unknown>, caller: Caller): Promise<unknown>;
}

/**
 * Where this server is reached: `http://localhost:9800`; the dashboard's is empty when there is none.
 * @param host by which the caller reached it
 */
export type Endpoints = (host?: string) => { api: string; dashboard: string };
