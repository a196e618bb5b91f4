import type { Database, SQLQueryBindings } from "bun:sqlite";
import {
  type MetricRow,
  type UsageRow,
  type UsageTotals,
  addTo,
  nameOfDay,
  splitDays,
  sumDays,
} from "../../core/usage.ts";
import type { MetricQuery, UsageQuery, UsageTotalsQuery } from "../store.ts";
import { turn } from "../turn.ts";
import { columnOf, end, filtersOf } from "../usage-sql.ts";

/** Rows summed in one go; after each the event loop gets its turn. Some milliseconds. */
const summedRows = 5000;

/** Named as the fields of a `UsageRow`. */
export const usageColumns = `id, at, provider, model, tokens_in as tokensIn, tokens_out as tokensOut,
  cache_read as cacheRead, cache_write as cacheWrite, cost, cost_source as costSource, instance_id as instanceId,
  project, session_tag as sessionTag, request_type as requestType`;
export const metricColumns = "instance_id as instanceId, period, name, value";

/** The statements that write usage, and metrics. */
export function usageStatements(db: Database) {
  return {
    usage: db.prepare(
      `insert into usage (id, at, provider, model, tokens_in, tokens_out, cache_read, cache_write, cost, cost_source,
         instance_id, project, session_tag, request_type) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    usageDay: db.prepare(
      `insert into usage_days (grouping, name, day, requests, tokens_in, tokens_out, cost) values (?, ?, ?, ?, ?, ?, ?)
         on conflict do update set requests = requests + excluded.requests, tokens_in = tokens_in + excluded.tokens_in,
           tokens_out = tokens_out + excluded.tokens_out, cost = cost + excluded.cost`,
    ),
    metric: db.prepare(
      `insert into metrics (instance_id, period, name, value) values (?, ?, ?, ?)
         on conflict do update set value = value + excluded.value`,
    ),
  };
}

type Statements = ReturnType<typeof usageStatements>;

export function insertUsage(sql: Statements, rows: readonly UsageRow[]): void {
  for (const row of rows) {
    const { tokensIn, tokensOut, cacheRead, cacheWrite, costSource, requestType } = row;
    const numbers = [tokensIn, tokensOut, cacheRead, cacheWrite, row.cost];
    const about = [row.instanceId, row.project, row.sessionTag, requestType];
    sql.usage.run(row.id, row.at, row.provider, row.model, ...numbers, costSource, ...about);
  }
  for (const { grouping, name, day, requests, tokensIn, tokensOut, cost } of sumDays(rows))
    sql.usageDay.run(grouping, name, day, requests, tokensIn, tokensOut, cost);
}

export function addMetrics(sql: Statements, rows: readonly MetricRow[]): void {
  for (const { instanceId, period, name, value } of rows) sql.metric.run(instanceId, period, name, value);
}

/** The newest rows that pass, by the index of the filter that leaves the fewest. */
export function findUsage(db: Database, query: UsageQuery): UsageRow[] {
  const { limit, from = 0, to = end } = query;
  const given = filtersOf(query);
  // The plus keeps other indexes out.
  const terms = given.map(([name], nth) => `${nth === 0 ? "" : "+"}${name} = ?`);
  const sql = db.query(
    `select ${usageColumns} from usage where ${[...terms, "at >= ?", "at <= ?"].join(" and ")}
       order by at desc, id desc limit ?`,
  );
  return sql.all(...given.map(([, value]) => value), from, to, limit) as UsageRow[];
}

type TotalsRow = UsageTotals & { name: string | number };

/** Whole days out of the sums that are kept, the rest of the span out of its rows. */
export async function usageTotals(
  db: Database,
  { by, from = 0, to = end - 1, name }: UsageTotalsQuery,
): Promise<Map<string, UsageTotals>> {
  const totals = new Map<string, UsageTotals>();
  const add = (rows: TotalsRow[]) => {
    for (const { name, ...more } of rows)
      addTo(totals, by === "day" ? nameOfDay(Number(name)) : String(name), more);
  };
  const { days, rest } = splitDays(from, to);
  const named = name === undefined ? [] : [name];
  if (days) {
    const sums =
      "sum(requests) as requests, sum(tokens_in) as tokensIn, sum(tokens_out) as tokensOut, sum(cost) as cost";
    const sql = db.query(
      `select ${by === "day" ? "day" : "name"} as name, ${sums} from usage_days where grouping = ? and day >= ? and day < ?
         ${name === undefined ? "" : "and name = ?"} group by 1`,
    );
    add(sql.all(by, days.from, days.to, ...named) as TotalsRow[]);
  }
  const only = name === undefined ? "" : `and ${columnOf[by]} = ?`;
  const sums = `count(*) as requests, sum(tokens_in) as tokensIn, sum(tokens_out) as tokensOut, sum(cost) as cost`;
  const slice = db.query(
    `select ${columnOf[by]} as name, ${sums} from usage where (at, id) >= (?, ?) and at >= ? and (at, id) < (?, ?) and at <= ?
       ${only} group by 1`,
  );
  const edge = db.query(
    `select at, id from usage where (at, id) >= (?, ?) and at >= ? and at < ? order by at, id limit 1 offset ${summedRows}`,
  );
  for (const part of rest) {
    for (let [at, id] = [part.from, 0]; ;) {
      const next = edge.get(at, id, at, part.to) as { at: number; id: number } | null;
      const until: SQLQueryBindings[] = next ? [next.at, next.id, next.at] : [part.to, 0, part.to];
      add(slice.all(at, id, at, ...until, ...named) as TotalsRow[]);
      if (!next) break;
      ({ at, id } = next);
      await turn();
    }
  }
  return totals;
}

export function findMetrics(db: Database, { instanceId, period }: MetricQuery): MetricRow[] {
  const sql = db.query(
    `select ${metricColumns} from metrics where instance_id = ? and substr(period, 1, ?) = ? order by period, name`,
  );
  return sql.all(instanceId, period.length, period) as MetricRow[];
}

/** One instance after the other, so that nobody waits for the sums of all of them. */
export async function metricTotals(db: Database, period: string): Promise<Omit<MetricRow, "period">[]> {
  const next = db.query("select min(instance_id) as id from metrics where instance_id > ?");
  const sums = db.query(
    `select instance_id as instanceId, name, sum(value) as value from metrics
       where instance_id = ? and substr(period, 1, ?) = ? group by name order by name`,
  );
  const found: Omit<MetricRow, "period">[] = [];
  for (let last = ""; ;) {
    const { id } = next.get(last) as { id: string | null };
    if (id === null) return found;
    found.push(...(sums.all(id, period.length, period) as Omit<MetricRow, "period">[]));
    last = id;
    await turn();
  }
}
