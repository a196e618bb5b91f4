import { showTime } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import type { Handlers } from "../contract/operation.ts";
import { filterGlobOf } from "../core/pattern.ts";
import type { Store } from "../store/store.ts";
import type { auditOperations } from "./contract.ts";
import type { Refusals } from "./refusals.ts";

/** Who did what to what, and what was refused: the store's audit log, for people who ask. */
export function auditService(store: Store, refusals: Refusals): Handlers<typeof auditOperations> {
  return {
    async list({ query: { limit = limits.historyRows, actor, action, resource, outcome, ...span } }) {
      const rows = await store.auditTrail({
        ...span,
        limit,
        actor: filterGlobOf("actor", actor),
        action: filterGlobOf("action", action),
        resource: filterGlobOf("resource", resource),
        outcome: filterGlobOf("outcome", outcome),
      });
      return rows.map(({ id, at, actor, action, resource, detail, outcome }) => ({
        id,
        timestamp: showTime(at),
        actor,
        action,
        resource,
        detail,
        outcome,
      }));
    },

    async summary({ query }) {
      const { total, actions, outcomes, actors, resources } = await store.auditSummary(query);
      return {
        total_entries: total,
        action_counts: Object.fromEntries(actions),
        outcome_counts: Object.fromEntries(outcomes),
        unique_actors: actors,
        unique_resources: resources,
        requests_without_token: refusals.strangers,
      };
    },
  };
}
