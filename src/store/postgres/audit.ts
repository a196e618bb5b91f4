import { type Anchor, checkChain } from "../../core/audit-chain.ts";
import type { AuditRow } from "../../core/commit.ts";
import { auditConditions } from "../audit-filters.ts";
import { readHeads } from "../heads.ts";
import { explained } from "./advice.ts";
import { type Report, newPart, newReport } from "../check-report.ts";
import { type Pool, ask, connect, disconnect, inTransaction } from "./database.ts";
import { scanRows } from "./reader.ts";
import { auditColumns, readAudit } from "./rows.ts";
import { headsSql } from "./stand.ts";
import type { AuditSummary, AuditTrailQuery, TimeSpan } from "../store.ts";

/** Rows read in one go while the chain is looked at. */
const pageRows = 1000;

export async function auditTrail(pool: Pool, query: AuditTrailQuery): Promise<AuditRow[]> {
  const { limit, from, before } = query;
  const { indexed, others, passes } = auditConditions(query);
  const found: AuditRow[] = [];
  let [to, last] = [query.to, before === undefined ? undefined : await placeOf(pool, before)];
  for (;;) {
    // The index leads to where the page begins.
    if (last && last.at < (to ?? Infinity)) to = last.at;
    const span = byName(Object.fromEntries(indexed ? [indexed] : []), { from, to });
    const { where, values } = conditions({ from, to, ...Object.fromEntries(others) }, span.values);
    const behind = last ? `and (at, id) < ($${values.push(last.at)}, $${values.push(last.id)})` : "";
    const pageRows = passes ? scanRows : limit;
    const { rows } = await ask(
      pool,
      `select ${auditColumns} from koor.audit where ${span.where} and ${where} ${behind} order by ${span.order}
         limit $${values.push(pageRows)}`,
      values,
    );
    for (const row of rows.map(readAudit)) {
      last = row;
      if (!passes || passes(row)) found.push(row);
      if (found.length === limit) return found;
    }
    if (rows.length < pageRows) return found;
  }
}

/** Where a row stands in the order of the trail; one that there is not yet, before all others. */
async function placeOf(pool: Pool, id: number): Promise<Pick<AuditRow, "at" | "id">> {
  const { rows } = await ask(pool, "select at from koor.audit where id = $1", [id]);
  return { at: Number(rows[0]?.["at"] ?? Number.MAX_SAFE_INTEGER), id };
}

/**
 * Rows of one name in a span of time, the newest first, such that only the index that begins with the name gives them in order.
 * Of rows with `name = $1` the database would go through the index by time instead, past all of other names: its guess is that one
 * in so many has the name.
 *
 * @param names at most one that is given
 */
export function byName(
  names: Readonly<Record<string, string | undefined>>,
  { from = 0, to = Number.MAX_SAFE_INTEGER }: TimeSpan,
): { where: string; order: string; values: unknown[] } {
  const [given] = Object.entries(names).filter(([, value]) => value !== undefined);
  if (!given) return { where: "true", order: "at desc, id desc", values: [] };
  const [name, value] = given;
  return {
    where: `(${name}, at) >= ($1, $2) and (${name}, at) <= ($1, $3)`,
    order: `${name} desc, at desc, id desc`,
    values: [value, from, to],
  };
}

/** Rows that are written meanwhile may be counted or not. */
export async function auditSummary(pool: Pool, span: TimeSpan): Promise<AuditSummary> {
  const { where, values } = conditions(span);
  const counts = await ask(
    pool,
    `select action, outcome, count(*) as count from koor.audit where ${where} group by action, outcome`,
    values,
  );
  const names = await ask(
    pool,
    `select count(distinct actor) as actors, count(distinct resource) as resources from koor.audit where ${where}`,
    values,
  );
  const actions = new Map<string, number>();
  const outcomes = new Map<string, number>();
  let total = 0;
  for (const row of counts.rows) {
    const { action, outcome } = row as { action: string; outcome: string };
    const count = Number(row["count"]);
    total += count;
    actions.set(action, (actions.get(action) ?? 0) + count);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
  }
  const [row] = names.rows;
  return { total, actions, outcomes, actors: Number(row?.["actors"]), resources: Number(row?.["resources"]) };
}

function conditions(
  query: TimeSpan & { actor?: string; action?: string; resource?: string; outcome?: string },
  values: unknown[] = [],
): { where: string; values: unknown[] } {
  const terms = ["true"];
  const add = (term: string, value: unknown) => {
    if (value !== undefined) terms.push(`${term} $${values.push(value)}`);
  };
  add("actor =", query.actor);
  add("action =", query.action);
  add("resource =", query.resource);
  add("outcome =", query.outcome);
  add("at >=", query.from);
  add("at <=", query.to);
  return { where: terms.join(" and "), values };
}

/**
 * Looks at the chain of hashes over the audit log of a database, out of one snapshot; servers may run on it.
 *
 * @returns also the newest row, for whoever writes its hash down
 * @throws Error when there is no database of Koor's
 */
export async function verifyPostgresAudit(
  url: string,
  anchor?: Anchor,
): Promise<{ report: Report; newest: Anchor }> {
  const report = newReport();
  const part = newPart(report, "audit");
  const chain = checkChain(part.fault, anchor);
  const pool = connect(url, 1);
  try {
    await ask(pool, "select epoch from koor.heads").catch((error: unknown) => {
      throw explained(error);
    });
    const newest = await inTransaction(
      pool,
      [["set transaction isolation level repeatable read read only"]],
      async ({ connection: tx }) => {
        const { rows } = await ask(tx, `select ${headsSql} as heads`);
        const heads = readHeads(rows[0]?.["heads"] as string);
        // All of them: whoever puts one in chooses its id.
        await ask(tx, `declare log cursor for select ${auditColumns} from koor.audit order by id`);
        let count = 0;
        for (;;) {
          const page = await ask(tx, `fetch ${pageRows} from log`);
          for (const row of page.rows.map(readAudit)) chain.see(row);
          count += page.rows.length;
          if (page.rows.length < pageRows) break;
        }
        part.looked(count === 0 ? "none" : `${count} rows`);
        return chain.end(heads);
      },
    );
    return { report, newest };
  } finally {
    await disconnect(pool);
  }
}
