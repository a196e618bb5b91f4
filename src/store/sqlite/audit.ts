import type { Database, SQLQueryBindings } from "bun:sqlite";
import type { AuditRow } from "../../core/commit.ts";
import { auditColumns } from "./rows.ts";
import { auditConditions } from "../audit-filters.ts";
import type { AuditSummary, AuditTrailQuery, TimeSpan } from "../store.ts";
import { turn } from "../turn.ts";

/**
 * Rows looked at in one go while a filter without an index is applied, and names while they are counted; after each the
 * event loop gets its turn. Some milliseconds.
 */
const lookedAt = 2000;

/** Later than any row, and an id above any. */
const end = Number.MAX_SAFE_INTEGER;

/**
 * The newest rows that pass, by one of the indexes. What the index does not cover is filtered within slices of it, so
 * that a filter that hardly anything passes does not hold up the event loop.
 */
export async function auditTrail(db: Database, query: AuditTrailQuery): Promise<AuditRow[]> {
  const { limit, from = 0, to = end, before } = query;
  const { indexed, others, passes } = auditConditions(query);
  const isSliced = others.length > 0 || passes !== undefined;

  const span = `${indexed ? `${indexed[0]} = ?` : "true"} and at >= ? and at <= ? and (at, id) < (?, ?)`;
  const order = "order by at desc, id desc";
  const edge = db.query(`select at, id from audit where ${span} ${order} limit 1 offset ${lookedAt - 1}`);
  // The plus keeps other indexes out.
  const passing = others.map(([name]) => `and +${name} = ?`).join(" ");
  const page = db.query(
    `select ${auditColumns} from audit where ${span} and (at, id) >= (?, ?) ${passing} ${order} limit ?`,
  );

  const found: AuditRow[] = [];
  let { at, id } = startOf(db, to, before);
  for (;;) {
    const start: SQLQueryBindings[] = indexed ? [indexed[1]] : [];
    const last = isSliced ? (edge.get(...start, from, at, at, id) as SliceEnd | null) : null;
    const rows = page.all(
      ...start,
      last?.at ?? from,
      at,
      at,
      id,
      last?.at ?? from,
      last?.id ?? 0,
      ...others.map(([, value]) => value),
      passes ? lookedAt : limit - found.length,
    ) as AuditRow[];
    for (const row of rows) if (found.length < limit && (!passes || passes(row))) found.push(row);
    if (found.length === limit || !last) return found;
    ({ at, id } = last);
    await turn();
  }
}

type SliceEnd = Pick<AuditRow, "at" | "id">;

/** What the first slice begins below. */
function startOf(db: Database, to: number, before: number | undefined): SliceEnd {
  if (before === undefined) return { at: to, id: end };
  const row = db.query("select at, id from audit where id = ?").get(before) as SliceEnd | null;
  const start = row ?? { at: end, id: before };
  return start.at > to ? { at: to, id: end } : start;
}

/** Rows that are written meanwhile may be counted or not. */
export async function auditSummary(db: Database, span: TimeSpan): Promise<AuditSummary> {
  const actions = new Map<string, number>();
  const outcomes = new Map<string, number>();
  const counts = db.query(
    `select action, outcome, count(*) as count from audit where id > ? and id <= ? and at >= ? and at <= ?
       group by action, outcome`,
  );
  const { newest } = db.query("select coalesce(max(id), 0) as newest from audit").get() as { newest: number };
  let total = 0;
  for (let id = 0; id < newest; id += lookedAt) {
    const rows = counts.all(id, id + lookedAt, span.from ?? 0, span.to ?? end) as {
      action: string;
      outcome: string;
      count: number;
    }[];
    for (const { action, outcome, count } of rows) {
      total += count;
      actions.set(action, (actions.get(action) ?? 0) + count);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
    }
    await turn();
  }
  return {
    total,
    actions,
    outcomes,
    actors: await countNames(db, "actor", span),
    resources: await countNames(db, "resource", span),
  };
}

/**
 * How many different names a column has, in slices of its index. The name at the end of a slice, which may have any number
 * of rows, is counted by itself and stepped over.
 */
async function countNames(
  db: Database,
  column: "actor" | "resource",
  { from, to }: TimeSpan,
): Promise<number> {
  const after = `from audit where ${column} > ?`;
  const edge = db.query(
    `select ${column} as name ${after} order by ${column} limit 1 offset ${lookedAt - 1}`,
  );
  const within = "at >= ? and at <= ?";
  const between = db.query(
    `select count(distinct ${column}) as count ${after} and ${column} < ? and ${within}`,
  );
  const rest = db.query(`select count(distinct ${column}) as count ${after} and ${within}`);
  const itself = db.query(`select 1 from audit where ${column} = ? and ${within} limit 1`);
  const times = [from ?? 0, to ?? end];
  // Only the empty text is not greater than it.
  let last = "";
  let count = itself.get(last, ...times) ? 1 : 0;
  for (;;) {
    const slice = edge.get(last) as { name: string } | null;
    if (!slice) return count + (rest.get(last, ...times) as { count: number }).count;
    count += (between.get(last, slice.name, ...times) as { count: number }).count;
    if (itself.get(slice.name, ...times)) count += 1;
    last = slice.name;
    await turn();
  }
}
