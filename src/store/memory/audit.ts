import type { AuditRow } from "../../core/commit.ts";
import { auditConditions } from "../audit-filters.ts";
import type { AuditSummary, AuditTrailQuery } from "../store.ts";

export function selectAudit(audit: readonly AuditRow[], query: AuditTrailQuery): AuditRow[] {
  const { limit, before, from = -Infinity, to = Infinity } = query;
  const { indexed, others, passes } = auditConditions(query);
  const exact = indexed ? [indexed, ...others] : others;
  const isNewer = (a: Place, b: Place) => b.at - a.at || b.id - a.id;
  const start =
    before === undefined
      ? undefined
      : (audit.find(({ id }) => id === before) ?? { at: Infinity, id: before });
  return audit
    .filter((row) => row.at >= from && row.at <= to && (!start || isNewer(start, row) < 0))
    .filter((row) => exact.every(([name, value]) => row[name] === value) && (!passes || passes(row)))
    .sort(isNewer)
    .slice(0, limit);
}

type Place = Pick<AuditRow, "at" | "id">;

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
