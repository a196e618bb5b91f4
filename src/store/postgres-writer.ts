import {
  type Collection,
  type Commit,
  type Outcome,
  type RecordHead,
  collections,
  recordId,
} from "../core/commit.ts";
import { type Before, type Decision, type VersionRow, decide, recordsOf } from "../core/decide.ts";
import { readHeads } from "./heads.ts";
import { type Sql, ask, clockSql, together } from "./postgres-database.ts";
import { readHead, recordColumns } from "./postgres-rows.ts";
import type { Newest } from "./store.ts";

/** Rows removed in one transaction: a bite of some milliseconds, after which waiting commits go first. */
const trimBite = 1000;

/** The row that every commit locks, for the length of its transaction: its order is the order of everything. */
const lockHeads = "select epoch, heads from koor.heads where id = 1 for update";

/** A connection for the length of one transaction. */
type Connection = Awaited<ReturnType<Sql["reserve"]>>;

export interface Transacted {
  outcomes: Outcome[];
  newest: Newest;
  /** The database's clock, in milliseconds since 1970. */
  at: number;
}

/**
 * One batch, one transaction, in two round trips: lock and load in one, write and commit in the other, so that the head
 * row is held as briefly as can be.
 *
 * @param clock stands in for the database's own in tests
 */
export async function transact(
  sql: Sql,
  batch: readonly Commit[],
  clock?: () => number,
): Promise<Transacted> {
  return inTransaction(sql, async (connection) => {
    const names = batch.flatMap((commit) =>
      [...recordsOf(commit)].map(({ collection, key }) => [collection, key]),
    );
    const [, [head] = [], [time] = [], rows = []] = await together([
      ask(connection, "begin"),
      ask(connection, lockHeads),
      // A statement of its own: within the one above it would be read before the lock is waited for.
      ask(connection, clockSql),
      ask(
        connection,
        `select ${recordColumns("r")} from (select distinct name ->> 0 as collection, name ->> 1 as key
           from json_array_elements($1::text::json) name) n
           join koor.records r on r.collection = n.collection and r.key = n.key`,
        [JSON.stringify(names)],
      ),
    ]);
    const heads = readHeads(head?.["heads"] as string);
    const records: Before["records"] & Map<string, RecordHead> = new Map();
    for (const row of rows.map(readHead)) records.set(recordId(row.collection, row.key), row);
    const at = Number(time?.["now"]);
    const decision = decide(batch, { heads, records }, clock?.() ?? at);
    const newest = { events: decision.heads.events, audit: decision.heads.audit };
    const result = { outcomes: decision.outcomes, newest, at };
    const changes = decision.outcomes.some(({ ok }) => ok);
    await end(connection, changes ? write(connection, decision) : []);
    return result;
  });
}

/** Notes signs of life, under the head row's lock: two writers of the same rows in another order would block each other. */
export async function touch(
  sql: Sql,
  collection: Collection,
  times: ReadonlyMap<string, number>,
): Promise<void> {
  const rows = [...times].map(([key, at]) => ({ key, at }));
  await inTransaction(sql, async (connection) => {
    await together([ask(connection, "begin"), ask(connection, lockHeads)]);
    const update = ask(
      connection,
      `update koor.records r set touched_at = greatest(r.touched_at, t.at)
         from json_to_recordset($2::text::json) as t(key text, at bigint)
         where r.collection = $1 and r.key = t.key and not r.deleted`,
      [collection, JSON.stringify(rows)],
    );
    await end(connection, [update]);
  });
}

/** Removes one bite of the records that have ended; returns how many went. */
export async function dropExpired(sql: Sql, collection: Collection, at: number): Promise<number> {
  return inTransaction(sql, async (connection) => {
    const [, [row] = [], ended = []] = await together([
      ask(connection, "begin"),
      ask(connection, lockHeads),
      ask(
        connection,
        `select key from koor.records where collection = $1 and expires_at > 0 and expires_at <= $2
           order by expires_at limit ${trimBite}`,
        [collection, at],
      ),
    ]);
    const heads = readHeads(row?.["heads"] as string);
    const keys = ended.map(({ key }) => [collection, key as string] as const);
    const live = { ...heads.live, [collection]: heads.live[collection] - keys.length };
    await end(connection, [
      remove(connection, "versions", keys),
      remove(connection, "records", keys),
      setHeads(connection, { ...heads, live }),
    ]);
    return keys.length;
  });
}

/** Removes one bite of the oldest events beyond the newest `keep`; returns how many went. */
export async function trimEvents(sql: Sql, keep: number): Promise<number> {
  const [row] = await ask(sql, "select heads from koor.heads where id = 1");
  const { events } = readHeads(row?.["heads"] as string);
  const gone = await ask(
    sql,
    `delete from koor.events where id in (select id from koor.events where id <= $1 order by id limit ${trimBite})`,
    [events - keep],
  );
  return gone.count ?? 0;
}

/** Takes a job's turn, unless another server had it within the last `everyMs`. */
export async function takeTurn(sql: Sql, job: string, everyMs: number): Promise<boolean> {
  const now = "(extract(epoch from clock_timestamp()) * 1000)::bigint";
  const taken = await ask(
    sql,
    `insert into koor.turns (job, taken_at) values ($1, ${now})
       on conflict (job) do update set taken_at = excluded.taken_at
       where abs(excluded.taken_at - koor.turns.taken_at) >= $2`,
    [job, everyMs],
  );
  return taken.count === 1;
}

/** A connection of its own for the length of the work; one that was left in the middle of a transaction is rolled back. */
async function inTransaction<T>(sql: Sql, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await sql.reserve();
  try {
    return await work(connection);
  } catch (error) {
    await ask(connection, "rollback").catch(() => {});
    throw error;
  } finally {
    connection.release();
  }
}

/** Sends what is left to write and the commit together. A commit that comes back as a rollback wrote nothing. */
async function end(connection: Connection, writes: readonly PromiseLike<unknown>[]): Promise<void> {
  const answers = await together([...writes, ask(connection, "commit")]);
  if (answers.at(-1)?.command !== "COMMIT") throw new Error("the transaction was rolled back");
}

function write(connection: Connection, decision: Decision): PromiseLike<unknown>[] {
  const { events, audit, heads } = decision;
  return [
    ...writeVersions(connection, decision.versions),
    ...(events.length > 0
      ? [
          ask(
            connection,
            `insert into koor.events (id, topic, source, created_at, data)
               select id, topic, source, "createdAt", data from json_to_recordset($1::text::json)
               as e(id bigint, topic text, source text, "createdAt" bigint, data text)`,
            [JSON.stringify(events)],
          ),
        ]
      : []),
    ...(audit.length > 0
      ? [
          ask(
            connection,
            `insert into koor.audit select * from json_to_recordset($1::text::json) as a(id bigint, at bigint,
               actor text, action text, resource text, detail text, outcome text, hash text)`,
            [JSON.stringify(audit)],
          ),
        ]
      : []),
    setHeads(connection, heads),
  ];
}

function setHeads(connection: Connection, heads: Decision["heads"]): PromiseLike<unknown> {
  return ask(connection, "update koor.heads set heads = $1 where id = 1", [JSON.stringify(heads)]);
}

function remove(
  connection: Connection,
  table: "versions" | "records",
  keys: readonly (readonly [collection: string, key: string])[],
): PromiseLike<unknown> {
  return ask(
    connection,
    `delete from koor.${table} t using json_array_elements($1::text::json) name
       where t.collection = name ->> 0 and t.key = name ->> 1`,
    [JSON.stringify(keys)],
  );
}

/** Names the columns of a version, in JSON and in the table. */
const versionFields = `r.collection, r.key, r.version, r.revision, r."contentType", r.hash, r.size, r.deleted, r."updatedAt", r."updatedBy"`;
const versionTypes = `collection text, key text, version bigint, revision bigint, "contentType" text, hash text,
  size bigint, deleted boolean, "updatedAt" bigint, "updatedBy" text`;

/**
 * All of a batch's rows in a few statements: their fields as one JSON text, their values as one run of bytes, from which
 * each row takes its own.
 */
function writeVersions(connection: Connection, rows: readonly VersionRow[]): PromiseLike<unknown>[] {
  if (rows.length === 0) return [];
  const last = new Map(rows.map((row) => [recordId(row.head.collection, row.head.key), row]));
  const isLast = (row: VersionRow) => last.get(recordId(row.head.collection, row.head.key)) === row;
  const kept = rows.filter((row) => collections[row.head.collection].history || isLast(row));
  const forgotten = [...last.values()].filter(({ head }) => !collections[head.collection].history);
  const stays = ({ head }: VersionRow) => !head.deleted || collections[head.collection].tombstones;

  const stored = kept.filter(stays);
  let at = 0;
  const withPlace = stored.map(({ head }) => {
    const row = { ...head, at };
    at += head.size;
    return row;
  });
  const names = (list: readonly VersionRow[]) => list.map(({ head }) => [head.collection, head.key] as const);
  const current = [...last.values()].filter(stays).map(({ head }) => head);
  const gone = [...last.values()].filter((row) => !stays(row));
  return [
    ...(forgotten.length > 0 ? [remove(connection, "versions", names(forgotten))] : []),
    ...(gone.length > 0 ? [remove(connection, "records", names(gone))] : []),
    ...(stored.length > 0
      ? [
          ask(
            connection,
            `insert into koor.versions (collection, key, version, revision, content_type, hash, size, deleted, updated_at,
               updated_by, value)
               select ${versionFields}, substring($2::bytea from r.at + 1 for r.size::int)
               from json_to_recordset($1::text::json) as r(${versionTypes}, at int) order by r.revision`,
            [JSON.stringify(withPlace), Buffer.concat(stored.map(({ value }) => value))],
          ),
          upsertRecords(connection, current),
        ]
      : []),
  ];
}

function upsertRecords(connection: Connection, heads: readonly RecordHead[]): PromiseLike<unknown> {
  return ask(
    connection,
    `insert into koor.records (collection, key, version, revision, content_type, hash, size, deleted, updated_at,
       updated_by, touched_at, create_revision, expires_at)
       select ${versionFields}, r."touchedAt", r."createRevision", r."expiresAt"
       from json_to_recordset($1::text::json)
       as r(${versionTypes}, "touchedAt" bigint, "createRevision" bigint, "expiresAt" bigint)
       on conflict (collection, key) do update set version = excluded.version, revision = excluded.revision,
         content_type = excluded.content_type, hash = excluded.hash, size = excluded.size, deleted = excluded.deleted,
         updated_at = excluded.updated_at, updated_by = excluded.updated_by, touched_at = excluded.touched_at,
         create_revision = excluded.create_revision, expires_at = excluded.expires_at`,
    [JSON.stringify(heads)],
  );
}
