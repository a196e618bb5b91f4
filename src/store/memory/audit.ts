import type { AuditRow } from "../../core/commit.ts";
import type { AuditSummary, AuditTrailQuery } from "../store.ts";

export function selectAudit(audit: readonly AuditRow[], query: AuditTrailQuery): AuditRow[] {
  const { limit, actor, action, resource, from = -Infinity, to = Infinity } = query;
  const isWanted = (wanted: string | undefined, value: string) => wanted === undefined || wanted === value;
  return audit
    .filter((row) => row.at >= from && row.at <= to)
    .filter(
      (row) => isWanted(actor, row.actor) && isWanted(action, row.action) && isWanted(resource, row.resource),
    )
    .sort((a, b) => b.at - a.at || b.id - a.id)
    .slice(0, limit);
}

export function summarizeAudit(rows: readonly AuditRow[]): AuditSummary {
  const countsOf = (name: (row: AuditRow) => string) =>
    new Map([...Map.groupBy(rows, name)].map(([key, group]) => [key, group.length]));
  return {
    total: rows.length,
    actions: countsOf(({ action }) => action),
    outcomes: countsOf(({ outcome }) => outcome),
    actors: new Set(rows.map(({ actor }) => actor)).size,
    resources: new Set(rows.map(({ resource }) => resource)).size,
  };
}
