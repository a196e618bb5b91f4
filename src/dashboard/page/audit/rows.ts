import { unidentified } from "../parts/who.tsx";
import { type AuditEntry, client } from "../server.ts";

/** Rows of the audit, page by page. */

export interface AuditFilter {
  actor: string;
  action: string;
  resource: string;
  /** RFC 3339; "" is the beginning, or now. */
  from: string;
  to: string;
}

/** Rows in one answer. */
const pageRows = 1000;
/** Rows that the page keeps, and that a file has at most: who needs more has `koor-cli audit`. */
export const maxRows = 10_000;

export function filterOf(query: URLSearchParams): AuditFilter {
  const field = (name: string) => query.get(name) ?? "";
  return {
    actor: field("actor"),
    action: field("action"),
    resource: field("resource"),
    from: field("from"),
    to: field("to"),
  };
}

/** @param to another end than the filter's own @returns newest first */
export async function readPage(
  { actor, action, resource, from, to: last }: AuditFilter,
  signal: AbortSignal,
  { from: since = from, to = last }: { from?: string; to?: string } = {},
): Promise<AuditEntry[]> {
  const query = {
    actor: (actor === unidentified ? "local" : actor) || undefined,
    action: action || undefined,
    resource: resource || undefined,
    from: since || undefined,
    to: to || undefined,
    limit: String(pageRows),
  };
  return client.call("audit.list", { query, signal });
}

/** The rows before these; none when there are no more. */
export async function readOlder(
  filter: AuditFilter,
  rows: readonly AuditEntry[],
  signal: AbortSignal,
): Promise<AuditEntry[]> {
  const oldest = rows.at(-1);
  if (!oldest || rows.length >= maxRows) return [];
  // Of one millisecond there can be several.
  const page = await readPage(filter, signal, { to: oldest.timestamp });
  return page.filter(({ id }) => id < oldest.id).slice(0, maxRows - rows.length);
}

/** All rows of a filter, up to the bound. */
export async function readAll(filter: AuditFilter, signal: AbortSignal): Promise<AuditEntry[]> {
  const rows = await readPage(filter, signal);
  for (;;) {
    const older = await readOlder(filter, rows, signal);
    if (older.length === 0) return rows;
    rows.push(...older);
  }
}
