import type { Handlers } from "../contract/operation.ts";
import type { Store } from "../store/store.ts";
import type { metricsOperations } from "./contract.ts";
import type { AgentCounts } from "./agents.ts";
import { type Ledger, bytesPerToken } from "./ledger.ts";

export interface MetricsOptions {
  store: Store;
  ledger: Ledger;
  agents: AgentCounts;
  version: string;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Where the server listens; `""` for what is not there. Asked anew each time, since ports may be given by the system. */
  binds: () => { api: string; dashboard: string };
}

/** Health, and what the server counts. */
export function metricsService(options: MetricsOptions): Handlers<typeof metricsOperations> {
  const { store, ledger, agents, version, now, binds } = options;
  const startedAt = now();
  const uptime = () => showDuration(now() - startedAt);
  const tokens = (bytes: number) => Math.ceil(bytes / bytesPerToken);

  return {
    async health() {
      return { status: "ok" as const, uptime: uptime(), version };
    },

    async read() {
      const heads = await store.heads();
      const { mcpCalls, restCalls, mcpBytes, restBytes } = ledger.read();
      const calls = mcpCalls + restCalls;
      return {
        uptime: uptime(),
        state_keys: heads.live.state,
        instances: heads.live.instances,
        last_event_id: heads.events,
        api_bind: binds().api,
        dashboard_bind: binds().dashboard,
        token_tax: {
          mcp_calls: mcpCalls,
          rest_calls: restCalls,
          total_calls: calls,
          mcp_estimated_tokens: tokens(mcpBytes),
          rest_tokens_saved: tokens(restBytes),
          savings_percent: calls === 0 ? 0 : (restCalls / calls) * 100,
        },
        token_ledger: {
          method: `bytes / ${bytesPerToken}`,
          mcp_bytes: mcpBytes,
          mcp_tokens: tokens(mcpBytes),
          rest_bytes: restBytes,
          rest_tokens: tokens(restBytes),
        },
      };
    },

    async agents({ query: { period = "" } }) {
      // Who asks sees what was done until now.
      await agents.flush();
      const rows = await store.metricTotals(period);
      return [...Map.groupBy(rows, ({ instanceId }) => instanceId)].map(([id, counts]) => ({
        instance_id: id,
        metrics: Object.fromEntries(counts.map(({ name, value }) => [name, value])),
      }));
    },

    async agent({ params: { id }, query: { period = "" } }) {
      await agents.flush();
      const rows = await store.metrics({ instanceId: id, period });
      return rows.map(({ instanceId, name, value, period: hour }) => ({
        instance_id: instanceId,
        metric_name: name,
        metric_value: value,
        period: hour,
      }));
    },

    async reset() {
      ledger.reset();
      return { reset: true as const };
    },
  };
}

/** `3h24m10s`, as Go prints durations: no leading units that are zero, whole seconds. */
export function showDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (h > 0) return `${h}h${m}m${s}s`;
  return m > 0 ? `${m}m${s}s` : `${s}s`;
}
