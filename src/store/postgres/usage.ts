import {
  type MetricRow,
  type UsageRow,
  type UsageTotals,
  addTo,
  nameOfDay,
  splitDays,
  sumDays,
} from "../../core/usage.ts";
import { byName } from "./audit.ts";
import { type Connection, type Pool, type Row, type Statement, ask } from "./database.ts";
import type { MetricQuery, UsageQuery, UsageTotalsQuery } from "../store.ts";
import { columnOf, end, filtersOf } from "../usage-sql.ts";

export const usageColumns = `id, at, provider, model, tokens_in as "tokensIn", tokens_out as "tokensOut",
  cache_read as "cacheRead", cache_write as "cacheWrite", cost, cost_source as "costSource",
  instance_id as "instanceId", project, session_tag as "sessionTag", request_type as "requestType"`;
export const metricColumns = `instance_id as "instanceId", period, name, value`;

const numbers = ["id", "at", "tokensIn", "tokensOut", "cacheRead", "cacheWrite", "cost", "requests", "value"];

/** 64-bit numbers come as texts. */
function numbered(row: Row): Row {
  const entries = Object.entries(row);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, numbers.includes(name) ? Number(value) : value]),
  );
}

export const readUsage = (row: Row) => numbered(row) as unknown as UsageRow;
export const readMetric = (row: Row) => numbered(row) as unknown as MetricRow;

/** What writes rows, and adds them to the sums of their days. */
export function usageStatements(rows: readonly UsageRow[]): Statement[] {
  if (rows.length === 0) return [];
  return [
    [insertRows, [JSON.stringify(rows)]],
    [addToDays, [JSON.stringify(sumDays(rows))]],
  ];
}

const insertRows = `insert into koor.usage (id, at, provider, model, tokens_in, tokens_out, cache_read, cache_write, cost,
    cost_source, instance_id, project, session_tag, request_type)
  select id, at, provider, model, "tokensIn", "tokensOut", "cacheRead", "cacheWrite", cost, "costSource",
    "instanceId", project, "sessionTag", "requestType"
  from json_to_recordset($1::text::json) as u(id bigint, at bigint, provider text, model text, "tokensIn" bigint,
    "tokensOut" bigint, "cacheRead" bigint, "cacheWrite" bigint, cost bigint, "costSource" text,
    "instanceId" text, project text, "sessionTag" text, "requestType" text)`;

const addToDays = `insert into koor.usage_days as d ("grouping", name, day, requests, tokens_in, tokens_out, cost)
  select "grouping", name, day, requests, "tokensIn", "tokensOut", cost
  from json_to_recordset($1::text::json) as u("grouping" text, name text, day bigint, requests bigint,
    "tokensIn" bigint, "tokensOut" bigint, cost bigint)
  on conflict ("grouping", day, name) do update set requests = d.requests + excluded.requests,
    tokens_in = d.tokens_in + excluded.tokens_in, tokens_out = d.tokens_out + excluded.tokens_out,
    cost = d.cost + excluded.cost`;

/** Under the lock of commits where several servers add: two writers of the same rows in another order would block each other. */
export async function addMetrics(connection: Connection, rows: readonly MetricRow[]): Promise<void> {
  await ask(
    connection,
    `insert into koor.metrics as m (instance_id, period, name, value)
     select "instanceId", period, name, value from json_to_recordset($1::text::json)
       as r("instanceId" text, period text, name text, value bigint)
     on conflict (instance_id, period, name) do update set value = m.value + excluded.value`,
    [JSON.stringify(rows)],
  );
}

export async function findUsage(pool: Pool, query: UsageQuery): Promise<UsageRow[]> {
  const { limit, from = 0, to = end } = query;
  const [indexed, ...others] = filtersOf(query);
  const span = byName(indexed ? { [indexed[0]]: indexed[1] } : {}, query);
  const { values } = span;
  const terms = [span.where, `at >= $${values.push(from)}`, `at <= $${values.push(to)}`];
  for (const [name, value] of others) terms.push(`${name} = $${values.push(value)}`);
  const { rows } = await ask(
    pool,
    `select ${usageColumns} from koor.usage where ${terms.join(" and ")}
       order by ${span.order} limit $${values.push(limit)}`,
    values,
  );
  return rows.map(readUsage);
}

/** Whole days out of the sums that are kept, the rest of the span out of its rows. */
export async function usageTotals(
  pool: Pool,
  { by, from = 0, to = end - 1, name }: UsageTotalsQuery,
): Promise<Map<string, UsageTotals>> {
  const totals = new Map<string, UsageTotals>();
  const add = async (sql: string, values: unknown[]) => {
    for (const row of (await ask(pool, sql, values)).rows) {
      const { name, ...more } = numbered(row) as { name: string } & UsageTotals & Row;
      addTo(totals, by === "day" ? nameOfDay(Number(name)) : name, more);
    }
  };
  const { days, rest } = splitDays(from, to);
  const named = name === undefined ? [] : [name];
  const sums = `sum(tokens_in) as "tokensIn", sum(tokens_out) as "tokensOut", sum(cost) as cost`;
  if (days) {
    await add(
      `select ${by === "day" ? "day" : "name"} as name, sum(requests) as requests, ${sums} from koor.usage_days
         where "grouping" = $1 and day >= $2 and day < $3 ${name === undefined ? "" : "and name = $4"} group by 1`,
      [by, days.from, days.to, ...named],
    );
  }
  for (const part of rest) {
    await add(
      `select ${columnOf[by]} as name, count(*) as requests, ${sums} from koor.usage where at >= $1 and at < $2
         ${name === undefined ? "" : `and ${columnOf[by]} = $3`} group by 1`,
      [part.from, part.to, ...named],
    );
  }
  return totals;
}

export async function findMetrics(pool: Pool, { instanceId, period }: MetricQuery): Promise<MetricRow[]> {
  const { rows } = await ask(
    pool,
    `select ${metricColumns} from koor.metrics where instance_id = $1 and starts_with(period, $2) order by period, name`,
    [instanceId, period],
  );
  return rows.map(readMetric);
}

export async function metricTotals(pool: Pool, period: string): Promise<Omit<MetricRow, "period">[]> {
  const { rows } = await ask(
    pool,
    `select instance_id as "instanceId", name, sum(value) as value from koor.metrics where starts_with(period, $1)
       group by instance_id, name order by instance_id, name`,
    [period],
  );
  return rows.map(readMetric);
}
