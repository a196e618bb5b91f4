import {
  type Collection,
  type Commit,
  type Heads,
  type Outcome,
  type RecordHead,
  collections,
  recordId,
} from "../../core/commit.ts";
import { type Before, type Decision, type VersionRow, decide, recordsOf } from "../../core/decide.ts";
import { readHeads } from "../heads.ts";
import { type Pool, type Statement, type Transaction, ask, inTransaction } from "./database.ts";
import { readHead, recordColumns } from "./rows.ts";
import { clockSql, headsSql, lockStand, moveStand, readStand, standOf } from "./stand.ts";
import { versionValues, writeAll } from "./statements.ts";
import { usageStatements } from "./usage.ts";
import type { Newest } from "../store.ts";

/** Rows removed in one transaction: a bite of some milliseconds, after which waiting commits go first. */
const trimBite = 1000;

export interface Transacted {
  outcomes: Outcome[];
  newest: Newest & Pick<Heads, "revision">;
  /** The database's clock, in milliseconds since 1970. */
  at: number;
}

/** Each by the key's index: beside rows that were not counted yet PostgreSQL would join by reading all of them. */
const load = `select ${recordColumns("r")} from (select distinct collection, key
    from unnest($1::text[], $2::text[]) as n(collection, key)) n
  cross join lateral (select * from koor.records r where r.collection = n.collection and r.key = n.key limit 1) r`;

/**
 * One batch, one transaction, two round trips: one that locks and loads, and one that writes and commits. The lock is free
 * again when the commit is on disk.
 *
 * @param clock stands in for the database's own in tests
 */
export function transact(pool: Pool, batch: readonly Commit[], clock?: () => number): Promise<Transacted> {
  const named = batch.flatMap((commit) => [...recordsOf(commit)]);
  const names = [named.map(({ collection }) => collection), named.map(({ key }) => key)];
  return inTransaction(pool, [lockStand, readStand, [load, names]], async ({ answers, send }) => {
    const [, stand, rows = []] = answers;
    const { heads, n, at } = standOf(stand);
    const records: Before["records"] & Map<string, RecordHead> = new Map();
    for (const row of rows.map(readHead)) records.set(recordId(row.collection, row.key), row);
    const decision = decide(batch, { heads, records }, clock?.() ?? at);
    if (decision.outcomes.some(({ ok }) => ok)) write(send, decision, n);
    const { events, audit, revision } = decision.heads;
    return { outcomes: decision.outcomes, newest: { events, audit, revision }, at };
  });
}

/** Notes signs of life, under the lock of commits: two writers of the same rows in another order would block each other. */
export async function touch(
  pool: Pool,
  collection: Collection,
  times: ReadonlyMap<string, number>,
): Promise<void> {
  const rows = [...times].map(([key, at]) => ({ key, at }));
  await inTransaction(pool, [lockStand], async ({ send }) =>
    send(
      `update koor.records r set touched_at = greatest(r.touched_at, t.at)
         from json_to_recordset($2::text::json) as t(key text, at bigint)
         where r.collection = $1 and r.key = t.key and not r.deleted`,
      [collection, JSON.stringify(rows)],
    ),
  );
}

/** Removes one bite of the records that have ended; returns how many went. */
export function dropExpired(pool: Pool, collection: Collection, at: number): Promise<number> {
  const ended: Statement = [
    `select key from koor.records where collection = $1 and expires_at > 0 and expires_at <= $2
       order by expires_at limit ${trimBite}`,
    [collection, at],
  ];
  return inTransaction(pool, [lockStand, readStand, ended], async ({ answers, send }) => {
    const [, stand, rows = []] = answers;
    if (rows.length === 0) return 0;
    const { heads, n } = standOf(stand);
    const keys = rows.map(({ key }) => [collection, key as string] as const);
    remove(send, "versions", keys);
    remove(send, "records", keys);
    const live = { ...heads.live, [collection]: heads.live[collection] - keys.length };
    send(moveStand("$1", "$2"), [n, JSON.stringify({ ...heads, live })]);
    return keys.length;
  });
}

/** Removes one bite of the oldest events beyond the newest `keep`; returns how many went. */
export async function trimEvents(pool: Pool, keep: number): Promise<number> {
  const { rows } = await ask(pool, `select ${headsSql} as heads`);
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
  const taken = await ask(
    pool,
    `insert into koor.turns (job, taken_at) values ($1, ${clockSql})
       on conflict (job) do update set taken_at = excluded.taken_at
       where abs(excluded.taken_at - koor.turns.taken_at) >= $2`,
    [job, everyMs],
  );
  return taken.count === 1;
}

type Send = Transaction["send"];

function remove(
  send: Send,
  table: "versions" | "records",
  keys: readonly (readonly [collection: string, key: string])[],
): void {
  if (keys.length === 0) return;
  send(
    `delete from koor.${table} t using json_array_elements($1::text::json) name
       where t.collection = name ->> 0 and t.key = name ->> 1`,
    [JSON.stringify(keys)],
  );
}

function write(send: Send, { versions, events, audit, usage, heads }: Decision, n: string): void {
  const last = new Map(versions.map((row) => [recordId(row.head.collection, row.head.key), row]));
  const isLast = (row: VersionRow) => last.get(recordId(row.head.collection, row.head.key)) === row;
  const stays = ({ head }: VersionRow) => !head.deleted || collections[head.collection].tombstones;
  const names = (rows: readonly VersionRow[]) => rows.map(({ head }) => [head.collection, head.key] as const);
  const current = [...last.values()];
  // Before the rest: within one statement the rows that make room and those that need it do not see each other.
  remove(send, "versions", names(current.filter(({ head }) => !collections[head.collection].history)));
  remove(send, "records", names(current.filter((row) => !stays(row))));

  const kept = versions
    .filter((row) => stays(row) && (collections[row.head.collection].history || isLast(row)))
    .map((row) => ({ ...row, current: isLast(row) }));
  for (const [text, values = []] of usageStatements(usage)) send(text, values);
  send(writeAll, [
    ...versionValues(kept),
    JSON.stringify(events),
    JSON.stringify(audit),
    n,
    JSON.stringify(heads),
  ]);
}
