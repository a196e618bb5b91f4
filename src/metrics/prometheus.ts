import type { z } from "zod";
import type { metricsOperations } from "./contract.ts";

type Metrics = z.input<(typeof metricsOperations)["read"]["response"]>;

/** The content type of Prometheus' text format, version 0.0.4. */
export const prometheusType = "text/plain; version=0.0.4; charset=utf-8";

/** The same numbers as `GET /api/metrics`, for a scraper. Counters begin anew with the server. */
export function prometheusText(metrics: Metrics): string {
  const rows: [name: string, type: "gauge" | "counter", help: string, value: number][] = [
    ["koor_state_keys", "gauge", "Keys of the state store.", metrics.state_keys],
    ["koor_instances", "gauge", "Registered instances.", metrics.instances],
    ["koor_last_event_id", "counter", "Position of the newest event.", metrics.last_event_id],
    ["koor_rest_calls_total", "counter", "Calls over REST and by the CLI.", metrics.token_tax.rest_calls],
    ["koor_mcp_calls_total", "counter", "Tool lists and calls over MCP.", metrics.token_tax.mcp_calls],
    [
      "koor_rest_bytes_total",
      "counter",
      "Bytes that passed outside models' contexts.",
      metrics.token_ledger.rest_bytes,
    ],
    [
      "koor_mcp_bytes_total",
      "counter",
      "Bytes that passed through models' contexts.",
      metrics.token_ledger.mcp_bytes,
    ],
  ];
  return rows
    .map(([name, type, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`)
    .join("");
}
