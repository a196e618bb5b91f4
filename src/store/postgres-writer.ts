import pg from "pg";
import {
  type Collection,
  type Commit,
  type Heads,
  type Outcome,
  type RecordHead,
  collections,
  recordId,
} from "../core/commit.ts";
import { type Before, type Decision, type VersionRow, decide, recordsOf } from "../core/decide.ts";
import { readHeads } from "./heads.ts";
import { type Connection, type Pool, ask, clockSql, inTransaction } from "./postgres-database.ts";
import { readHead, recordColumns } from "./postgres-rows.ts";
import { versionValues, writeAll } from "./postgres-statements.ts";
import { insertUsage } from "./postgres-usage.ts";
import type { Newest } from "./store.ts";

/** Rows removed in one transaction: a bite of some milliseconds, after which waiting commits go first. */
const trimBite = 1000;

/** The row that every commit locks, for the length of its transaction: its order is the order of everything. */
export const lockHeads = "select heads from koor.heads where id = 1 for update";

export interface Transacted {
  outcomes: Outcome[];
  newest: Newest & Pick<Heads, "revision">;
  /** The database's clock, in milliseconds since 1970. */
  at: number;
}

/**
 * One batch, one transaction. The head row is locked in the first round trip, which also loads, and is free again after
 * two more: one to write everything, one to commit.
 *
 * @param clock stands in for the database's own in tests
 */
export function transact(pool: Pool, batch: readonly Commit[], clock?: () => number): Promise<Transacted> {
  const named = batch.flatMap((commit) =>
    [...recordsOf(commit)].map(({ collection, key }) => [collection, key]),
  );
  // Statements that are sent together take no values, so the names stand in the text, as a literal. The clock has a
  // statement of its own: within the one that locks it would be read before the lock is waited for.
  const begin = `begin; ${lockHeads}; ${clockSql};
    select ${recordColumns("r")} from (select distinct name ->> 0 as collection, name ->> 1 as key
      from json_array_elements(${pg.escapeLiteral(JSON.stringify(named))}::json) name) n
      join koor.records r on r.collection = n.collection and r.key = n.key`;
  return inTransaction(pool, begin, async (connection, [, head, time, rows = []]) => {
    const heads = readHeads(head?.[0]?.["heads"] as string);
    const records: Before["records"] & Map<string, RecordHead> = new Map();
    for (const row of rows.map(readHead)) records.set(recordId(row.collection, row.key), row);
    const at = Number(time?.[0]?.["now"]);
    const decision = decide(batch, { heads, records }, clock?.() ?? at);
    if (decision.outcomes.some(({ ok }) => ok)) await write(connection, decision);
    const { events, audit, revision } = decision.heads;
    const newest = { events, audit, revision };
    return { outcomes: decision.outcomes, newest, at };
  });
}

/** Notes signs of life, under the head row's lock: two writers of the same rows in another order would block each other. */
export async function touch(
  pool: Pool,
  collection: Collection,
  times: ReadonlyMap<string, number>,
): Promise<void> {
  const rows = [...times].map(([key, at]) => ({ key, at }));
  await inTransaction(pool, `begin; ${lockHeads}`, (connection) =>
    ask(
      connection,
      `update koor.records r set touched_at = greatest(r.touched_at, t.at)
         from json_to_recordset($2::text::json) as t(key text, at bigint)
         where r.collection = $1 and r.key = t.key and not r.deleted`,
      [collection, JSON.stringify(rows)],
    ),
  );
}

/** Removes one bite of the records that have ended; returns how many went. */
export function dropExpired(pool: Pool, collection: Collection, at: number): Promise<number> {
  return inTransaction(pool, `begin; ${lockHeads}`, async (connection, [, head]) => {
    const { rows } = await ask(
      connection,
      `select key from koor.records where collection = $1 and expires_at > 0 and expires_at <= $2
         order by expires_at limit ${trimBite}`,
      [collection, at],
    );
    const heads = readHeads(head?.[0]?.["heads"] as string);
    const keys = rows.map(({ key }) => [collection, key as string] as const);
    await remove(connection, "versions", keys);
    await remove(connection, "records", keys);
    const live = { ...heads.live, [collection]: heads.live[collection] - keys.length };
    await ask(connection, "update koor.heads set heads = $1 where id = 1", [
      JSON.stringify({ ...heads, live }),
    ]);
    return keys.length;
  });
}

/** Removes one bite of the oldest events beyond the newest `keep`; returns how many went. */
export async function trimEvents(pool: Pool, keep: number): Promise<number> {
  const { rows } = await ask(pool, "select heads from koor.heads where id = 1");
  const { events } = readHeads(rows[0]?.["heads"] as string);
  const gone = await ask(
    pool,
    `delete from koor.events where id in (select id from koor.events where id <= $1 order by id limit ${trimBite})`,
    [events - keep],
  );
  return gone.count;
}

/** Removes one bite of what was counted before an hour; returns how many rows went. */
export async function trimMetrics(pool: Pool, before: string): Promise<number> {
  const gone = await ask(
    pool,
    `delete from koor.metrics where (instance_id, period, name) in
       (select instance_id, period, name from koor.metrics where period < $1 limit ${trimBite})`,
    [before],
  );
  return gone.count;
}

/** Takes a job's turn, unless another server had it within the last `everyMs`. */
export async function takeTurn(pool: Pool, job: string, everyMs: number): Promise<boolean> {
  const now = "(extract(epoch from clock_timestamp()) * 1000)::bigint";
  const taken = await ask(
    pool,
    `insert into koor.turns (job, taken_at) values ($1, ${now})
       on conflict (job) do update set taken_at = excluded.taken_at
       where abs(excluded.taken_at - koor.turns.taken_at) >= $2`,
    [job, everyMs],
  );
  return taken.count === 1;
}

async function remove(
  connection: Connection,
  table: "versions" | "records",
  keys: readonly (readonly [collection: string, key: string])[],
): Promise<void> {
  if (keys.length === 0) return;
  await ask(
    connection,
    `delete from koor.${table} t using json_array_elements($1::text::json) name
       where t.collection = name ->> 0 and t.key = name ->> 1`,
    [JSON.stringify(keys)],
  );
}

async function write(
  connection: Connection,
  { versions, events, audit, usage, heads }: Decision,
): Promise<void> {
  const last = new Map(versions.map((row) => [recordId(row.head.collection, row.head.key), row]));
  const isLast = (row: VersionRow) => last.get(recordId(row.head.collection, row.head.key)) === row;
  const stays = ({ head }: VersionRow) => !head.deleted || collections[head.collection].tombstones;
  const names = (rows: readonly VersionRow[]) => rows.map(({ head }) => [head.collection, head.key] as const);
  const current = [...last.values()];
  // Before the rest: within one statement the rows that make room and those that need it do not see each other.
  await remove(
    connection,
    "versions",
    names(current.filter(({ head }) => !collections[head.collection].history)),
  );
  await remove(connection, "records", names(current.filter((row) => !stays(row))));

  const kept = versions.filter(
    (row) => stays(row) && (collections[row.head.collection].history || isLast(row)),
  );
  await insertUsage(connection, usage);
  await ask(connection, writeAll, [
    ...versionValues(kept),
    JSON.stringify(current.filter(stays).map(({ head }) => head)),
    JSON.stringify(events),
    JSON.stringify(audit),
    JSON.stringify(heads),
  ]);
}
