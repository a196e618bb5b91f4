import { pathsOf } from "../live/waits.ts";
import type { AuditEntry, Instance, Lease } from "../server.ts";

/** What entries of the audit are about, as people call it. Pure. */

/** The names of what has only an id: instances by theirs, leases by their paths. Those that are gone, by what the rows say. */
export function namesOf(
  rows: readonly AuditEntry[],
  instances: readonly Instance[] = [],
  leases: readonly Lease[] = [],
): Map<string, string> {
  const names = new Map<string, string>();
  for (const { action, actor, resource, detail } of rows) {
    if (action === "instance.register") names.set(resource, actor);
    else if (action.startsWith("lease.")) {
      const { paths } = fieldsOf(detail);
      if (typeof paths === "string" && paths !== "") names.set(resource, paths);
    }
  }
  for (const lease of leases) names.set(lease.id, pathsOf(lease));
  for (const { id, name } of instances) names.set(id, name);
  return names;
}

/** What a row is about. */
export function nameOf({ action, resource }: AuditEntry, names: ReadonlyMap<string, string>): string {
  return (/^(instance|lease)\./.test(action) && names.get(resource)) || resource;
}

/** The detail as words: `version 2 · holder ada`. What stands in the row already is left out. */
export function sayDetail({ detail, action }: AuditEntry): string {
  return Object.entries(fieldsOf(detail))
    .filter(([name]) => !(name === "paths" && action.startsWith("lease.")))
    .map(([name, value]) =>
      value === true ? name : `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`,
    )
    .join(" · ");
}

function fieldsOf(detail: string): Record<string, unknown> {
  try {
    const fields: unknown = JSON.parse(detail);
    return typeof fields === "object" && fields !== null ? (fields as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
