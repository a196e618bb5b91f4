import { z } from "zod";
import { operation } from "../contract/operation.ts";

const count = z.int();

export const tokenTax = z.object({
  mcp_calls: count,
  rest_calls: count,
  total_calls: count,
  mcp_estimated_tokens: count,
  rest_tokens_saved: count,
  savings_percent: z.number().meta({ description: "rest_calls / total_calls x 100" }),
});

export const tokenLedger = z.object({
  method: z.string().meta({ description: "How tokens are worked out from bytes." }),
  mcp_bytes: count.meta({ description: "Bytes of MCP requests and answers: these pass a model's context." }),
  mcp_tokens: count,
  rest_bytes: count.meta({ description: "Bytes of REST, WebSocket and CLI bodies: these need not." }),
  rest_tokens: count,
});

export const metricsOperations = {
  health: operation({
    method: "GET",
    path: "/health",
    summary: "Whether the server answers",
    response: z.object({ status: z.literal("ok"), uptime: z.string(), version: z.string() }),
    open: true,
    anonymous: true,
    unmetered: true,
    cli: "status",
  }),
  read: operation({
    method: "GET",
    path: "/api/metrics",
    summary: "Counts, addresses and the token ledger",
    response: z.object({
      uptime: z.string(),
      state_keys: count,
      instances: count,
      last_event_id: count,
      api_bind: z.string(),
      dashboard_bind: z.string(),
      token_tax: tokenTax,
      token_ledger: tokenLedger,
    }),
    unmetered: true,
    cli: "metrics",
  }),
  reset: operation({
    method: "POST",
    path: "/api/metrics/reset",
    summary: "Begin the token ledger anew",
    response: z.object({ reset: z.literal(true) }),
    unmetered: true,
    cli: "metrics reset",
  }),
};
