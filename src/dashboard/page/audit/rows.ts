import type { Page } from "../live/past.ts";
import { maxRows } from "../live/recent-events.ts";
import { globOf, quoted } from "../parts/globs.ts";
import { unidentified } from "../parts/who.tsx";
import { type AuditEntry, client } from "../server.ts";

/** Rows of the audit, page by page. */

/** What came of it: everything, or what was refused. */
export type Outcome = "" | "refused";

export interface AuditFilter {
  /** As somebody typed it: see `globOf`. */
  actor: string;
  action: string;
  resource: string;
  outcome: Outcome;
  /** RFC 3339; "" is the beginning, or now. */
  from: string;
  to: string;
}

/** Instances and leases that are asked for by their ids: a glob has a bound. */
const maxIds = 50;
/** Rows in one answer. */
const pageRows = 1000;

export function filterOf(query: URLSearchParams): AuditFilter {
  const field = (name: string) => query.get(name) ?? "";
  return {
    actor: field("actor"),
    action: field("action"),
    resource: field("resource"),
    outcome: field("outcome") === "refused" ? "refused" : "",
    from: field("from"),
    to: field("to"),
  };
}

/** Ids of what words in the filter of resources are a part of the name of: rows hold the ids, and show the names. */
export function idsOf(words: string, names: ReadonlyMap<string, string>): string[] {
  if (words === "" || globOf(words) !== `*${words}*`) return [];
  const found = [...names].filter(([, name]) => name.includes(words));
  return found.slice(0, maxIds).map(([id]) => id);
}

/** Whoever the page calls unidentified is `local` to the server. */
const actorsOf = (words: string) =>
  words === quoted(unidentified) || (words !== "" && unidentified.includes(words))
    ? anyOf([globOf(words), "local"])
    : globOf(words);

const questionOf = ({ actor, action, resource, outcome, from, to }: AuditFilter, ids: readonly string[]) => ({
  actor: actorsOf(actor) || undefined,
  action: globOf(action) || undefined,
  resource: anyOf([globOf(resource), ...ids]) || undefined,
  outcome: outcome === "refused" ? "{denied,conflict}" : undefined,
  from: from || undefined,
  to: to || undefined,
  limit: String(pageRows),
});

function anyOf(globs: readonly string[]): string {
  return globs.length === 1
    ? globs.join()
    : `{${globs.map((glob) => glob.replaceAll(/[,}]/g, "\\$&")).join()}}`;
}

export async function readBefore(
  filter: AuditFilter,
  ids: readonly string[],
  row: AuditEntry | undefined,
  signal: AbortSignal,
): Promise<Page<AuditEntry>> {
  const query = { ...questionOf(filter, ids), before: row && String(row.id) };
  const rows = await client.call("audit.list", { query, signal });
  return { rows, isLast: rows.length < pageRows };
}

/** What was done since a row; undefined when it is more than an answer has, or when another history was restored. */
export async function readSince(
  filter: AuditFilter,
  ids: readonly string[],
  { id, timestamp }: AuditEntry,
  signal: AbortSignal,
): Promise<readonly AuditEntry[] | undefined> {
  const query = { ...questionOf(filter, ids), from: timestamp };
  const rows = await client.call("audit.list", { query, signal });
  const at = rows.findIndex((row) => row.id === id && row.timestamp === timestamp);
  return at === -1 ? undefined : rows.slice(0, at);
}

/** All rows of a filter, up to the bound. */
export async function readAll(
  filter: AuditFilter,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<AuditEntry[]> {
  const all: AuditEntry[] = [];
  for (let isLast = false; !isLast && all.length < maxRows;) {
    const page = await readBefore(filter, ids, all.at(-1), signal);
    all.push(...page.rows);
    ({ isLast } = page);
  }
  return all;
}
