import { createHash } from "node:crypto";
import pg from "pg";
import { KoorError } from "../contract/errors.ts";
import { emptyHeads } from "../core/commit.ts";
import initial from "./migrations/postgres/0001-initial.sql" with { type: "text" };
import auditIndexes from "./migrations/postgres/0002-audit-indexes.sql" with { type: "text" };
import usage from "./migrations/postgres/0003-usage.sql" with { type: "text" };

/** In order; `koor.schema` holds the number of those applied. */
const migrations = [initial, auditIndexes, usage];

/** Names the lock under which servers that start together migrate one after the other. */
const migrationLock = 0x6b6f6f72;

/** How long a connection may take to be made, in milliseconds: a caller who waits longer is better told so. */
const connectMs = 5000;

/**
 * How long one statement may take, in milliseconds: what takes longer is a database that is frozen or cut off, of which no
 * system tells for a quarter of an hour. Most statements take a millisecond; a server frozen while it commits holds others
 * up for two seconds.
 */
const answerMs = 10_000;

/**
 * How long the database lets a transaction of ours stand still before it ends it, in milliseconds. Whoever commits
 * holds the head row: a server that is frozen there must not stop the others.
 */
const idleInTransactionMs = 2000;

export type Row = Record<string, unknown>;
export type Pool = pg.Pool;
export type Connection = pg.ClientBase;

/**
 * What a connection needs. The client is node-postgres: of Bun's own (1.4.5) some answers never came after a hundred
 * connections had come and gone, and the `postgres` package (3.4.9) ended the process, or lost the next query, when the
 * database was killed in the middle of a transaction.
 */
export function connectionOptions(url: string): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: "koor",
    connectionTimeoutMillis: connectMs,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    keepAlive: true,
  };
}

/**
 * A pool of at most `max` connections; none is made before it is needed.
 * @param patient for statements that may take as long as they do
 */
export function connect(url: string, max: number, patient = false): Pool {
  const pool = new pg.Pool({
    ...connectionOptions(url),
    max,
    ...(!patient && { query_timeout: answerMs }),
  });
  // An idle connection broke: the pool drops it, and whoever needs one next gets another.
  pool.on("error", () => {});
  return pool;
}

/** One statement; those with values are prepared once on each connection, under their own text as name. */
export async function ask(
  sql: Pool | Connection,
  text: string,
  values: readonly unknown[] = [],
): Promise<{ rows: Row[]; count: number }> {
  const query = values.length > 0 ? { name: nameOf(text), text, values: [...values] } : { text };
  const { rows, rowCount } = await sql.query<Row>(query);
  return { rows, count: rowCount ?? 0 };
}

const names = new Map<string, string>();

/** Names of statements are cut at 63 bytes, so they are numbered. */
function nameOf(text: string): string {
  const name = names.get(text) ?? `koor-${names.size}`;
  names.set(text, name);
  return name;
}

/**
 * Runs work in a transaction, on a connection of its own.
 * @param begin a statement that begins with `begin`, and others behind it; what each of them answers is handed on
 */
export async function inTransaction<T>(
  pool: Pool,
  begin: string,
  work: (connection: Connection, begun: Row[][]) => Promise<T>,
): Promise<T> {
  const connection = await pool.connect();
  let broken: Error | undefined;
  const noticeBreak = (error: Error) => {
    broken = error;
  };
  connection.on("error", noticeBreak);
  try {
    // Several statements in one message answer with an array, which the types do not know.
    const answers = (await connection.query(begin)) as unknown as pg.QueryResult<Row>[] | pg.QueryResult<Row>;
    const result = await work(
      connection,
      [answers].flat().map(({ rows }) => rows),
    );
    const { command } = await connection.query("commit");
    if (command !== "COMMIT") throw new Error("the transaction was rolled back");
    return result;
  } catch (error) {
    // What does not answer would let this wait, too. Without the connection the database rolls back by itself.
    if (silent.test((error as Error).message)) broken = error as Error;
    else await connection.query("rollback").catch(noticeBreak);
    throw error;
  } finally {
    connection.removeListener("error", noticeBreak);
    connection.release(broken);
  }
}

/** Milliseconds since 1970 by the database's clock. */
export const clockSql = "select (extract(epoch from clock_timestamp()) * 1000)::bigint as now";

/**
 * Names the cluster and its timeline. A database that was restored from a dump carries its epoch along, and a standby
 * that was promoted may lack the last commits: in both, positions of before mean nothing.
 */
export const identitySql = `select (select system_identifier from pg_control_system()) || ':' ||
  substring(pg_walfile_name(pg_current_wal_lsn()) from 1 for 8)`;

/** The epoch as clients see it: the database's own, in this cluster, on this timeline. */
export function epochOf(epoch: string, identity: string): string {
  return createHash("sha256")
    .update(JSON.stringify([epoch, identity]))
    .digest("hex")
    .slice(0, 32);
}

/**
 * Makes the schema, or brings it up to date. Safe with several servers starting at once: they take turns.
 * @param newEpoch names a database that is made now
 * @throws Error when a newer Koor wrote it, or it does not keep UTF-8
 */
export async function migrate(pool: Pool, newEpoch: () => string): Promise<void> {
  const begin = `begin; select pg_advisory_xact_lock(${migrationLock}); show server_encoding`;
  await inTransaction(pool, begin, async (tx, [, , encoding]) => {
    if (encoding?.[0]?.["server_encoding"] !== "UTF8")
      throw new Error("the database does not keep UTF-8: create it with encoding 'UTF8'");
    await ask(
      tx,
      "create schema if not exists koor; create table if not exists koor.schema (version integer not null)",
    );
    const { rows } = await ask(tx, "select version from koor.schema");
    const current = Number(rows[0]?.["version"] ?? 0);
    if (current > migrations.length) {
      throw new Error(
        `the database was written by a newer Koor (schema ${current}, this one knows ${migrations.length}): ` +
          "use that one, or restore a backup into an empty database",
      );
    }
    for (const migration of migrations.slice(current)) await ask(tx, migration);
    await ask(tx, "delete from koor.schema");
    await ask(tx, "insert into koor.schema (version) values ($1)", [migrations.length]);
    const heads = [newEpoch(), JSON.stringify(emptyHeads)];
    await ask(
      tx,
      "insert into koor.heads (id, epoch, heads) values (1, $1, $2) on conflict do nothing",
      heads,
    );
  });
}

/** SQLSTATEs after which nothing was committed and trying again makes sense (appendix A of PostgreSQL's manual). */
const passing = /^(08|40|53[23]|55P03|57P0|25006|25P03)/;

/** What the client says when a statement takes too long. */
const silent = /query read timeout/i;

/** What the client and the system say when there is no connection, or not any more. */
const lost =
  /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN)|connection terminated|timeout exceeded|not queryable|client was closed/i;

/** The engine's failures in Koor's words; what is none of them is a fault of the program and comes through as it is. */
export function translateError(error: unknown): unknown {
  const { code = "", message = "" } = (error ?? {}) as { code?: string; message?: string };
  if (code === "53100") {
    return new KoorError("out_of_space", "the database's disk is full", {
      hint: "Nothing was written; reads go on. Free some space and try again.",
    });
  }
  const passes = passing.test(code) || lost.test(code) || lost.test(message) || silent.test(message);
  if (!passes) return error;
  return new KoorError("unavailable", "the database does not answer", {
    retryAfter: 1,
    hint: "Try again in a moment, a write with an Idempotency-Key: it may have been made.",
  });
}

/** As `work`, with the engine's failures in Koor's words. */
export async function speaking<T>(work: () => PromiseLike<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translateError(error);
  }
}
