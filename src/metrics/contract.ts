import { z } from "zod";
import { requiredText, text } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
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

const period = text(limits.nameBytes)
  .optional()
  .meta({ description: "Only hours whose name begins with it: `2026-11`, `2026-11-24T09`." });

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
  agents: operation({
    method: "GET",
    path: "/api/metrics/agents",
    summary: "What each agent did, summed over hours",
    query: z.object({ period }),
    response: z.array(
      z.object({
        instance_id: z.string(),
        metrics: z
          .record(z.string(), count)
          .meta({ description: "By name; what never happened is left out." }),
      }),
    ),
    unmetered: true,
  }),
  agent: operation({
    method: "GET",
    path: "/api/metrics/agents/{id}",
    summary: "What one agent did, by hour, oldest first",
    params: z.object({ id: requiredText(limits.nameBytes) }),
    query: z.object({ period }),
    response: z.array(
      z.object({
        instance_id: z.string(),
        metric_name: z
          .string()
          .meta({ description: "calls, bytes, mcp_calls, violations, conflicts, errors" }),
        metric_value: count,
        period: z.string().meta({ description: "The hour, UTC: `2026-11-24T09`." }),
      }),
    ),
    unmetered: true,
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
