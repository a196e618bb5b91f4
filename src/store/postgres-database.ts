import postgres from "postgres";
import { KoorError } from "../contract/errors.ts";
import { emptyHeads } from "../core/commit.ts";
import initial from "./migrations/postgres/0001-initial.sql" with { type: "text" };

/** In order; `koor.schema` holds the number of those applied. */
const migrations = [initial];

/** Names the lock under which servers that start together migrate one after the other. */
const migrationLock = 0x6b6f6f72;

/** How long a connection may take to be made, in seconds: a caller who waits longer is better told so. */
const connectSeconds = 5;

/**
 * How long the database lets a transaction of ours stand still before it ends it, in milliseconds. Whoever commits
 * holds the head row: a server that is frozen there must not stop the others.
 */
const idleInTransactionMs = 2000;

export interface Rows extends Array<Record<string, unknown>> {
  command: string;
  count: number;
}

/**
 * The client. Bun's own (1.4.5) was tried first, and is faster; but after some hundred connections that had come and gone
 * in one process it never heard of answers that the database had sent.
 */
export type Sql = postgres.Sql;

/** A pool of at most `max` connections; none is made before it is needed. */
export function connect(url: string, max: number): Sql {
  return postgres(url, {
    max,
    connect_timeout: connectSeconds,
    // Each attempt of ours is somebody's request, who is told at once.
    backoff: false,
    // No types but the basic ones: asking for more costs a round trip with every connection.
    fetch_types: false,
    onnotice: () => {},
    connection: {
      application_name: "koor",
      idle_in_transaction_session_timeout: idleInTransactionMs,
    },
  });
}

/** A statement, prepared once on each connection. */
export function ask(sql: Sql, text: string, values: readonly unknown[] = []): Promise<Rows> {
  return sql.unsafe(text, values as never[], { prepare: true }) as unknown as Promise<Rows>;
}

/**
 * Waits for statements that were sent together, one behind the other on one connection. All are waited for, also when
 * one fails: what follows it on the connection must not be taken for the answer to something else.
 * @throws the first failure
 */
export async function together(queries: readonly PromiseLike<unknown>[]): Promise<Rows[]> {
  const settled = await Promise.allSettled(queries);
  const failed = settled.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  return settled.map((result) => (result as PromiseFulfilledResult<Rows>).value);
}

/** Milliseconds since 1970 by the database's clock. */
export const clockSql = "select (extract(epoch from clock_timestamp()) * 1000)::bigint as now";

/**
 * Names the cluster and its timeline. A database that was restored from a dump carries its epoch along, and a standby
 * that was promoted may lack the last commits: in both, positions of before mean nothing.
 */
export const identitySql = `select (select system_identifier from pg_control_system()) || ':' ||
  substring(pg_walfile_name(pg_current_wal_lsn()) from 1 for 8)`;

/**
 * Makes the schema, or brings it up to date. Safe with several servers starting at once: they take turns.
 * @param newEpoch names a database that is made now
 * @throws Error when a newer Koor wrote it, or it does not keep UTF-8
 */
export async function migrate(sql: Sql, newEpoch: () => string): Promise<void> {
  await sql.begin(async (tx) => {
    await tx.unsafe(`select pg_advisory_xact_lock(${migrationLock})`);
    const [encoding] = (await tx.unsafe("show server_encoding")) as unknown as Rows;
    if (encoding?.["server_encoding"] !== "UTF8")
      throw new Error("the database does not keep UTF-8: create it with encoding 'UTF8'");
    await tx.unsafe("create schema if not exists koor");
    await tx.unsafe("create table if not exists koor.schema (version integer not null)");
    const [row] = (await tx.unsafe("select version from koor.schema")) as unknown as Rows;
    const current = Number(row?.["version"] ?? 0);
    if (current > migrations.length) {
      throw new Error(
        `the database was written by a newer Koor (schema ${current}, this one knows ${migrations.length}): ` +
          "use that one, or restore a backup into an empty database",
      );
    }
    for (const migration of migrations.slice(current)) await tx.unsafe(migration);
    if (!row) await tx.unsafe("insert into koor.schema (version) values ($1)", [migrations.length]);
    else await tx.unsafe("update koor.schema set version = $1", [migrations.length]);
    await tx.unsafe(
      "insert into koor.heads (id, epoch, heads) values (1, $1, $2) on conflict (id) do nothing",
      [newEpoch(), JSON.stringify(emptyHeads)],
    );
  });
}

/** SQLSTATEs after which nothing was committed and trying again makes sense (appendix A of PostgreSQL's manual). */
const passing = /^(08|40|53[23]|55P03|57P0|25006|25P03)/;

/** What the client and the system say when there is no connection, or not any more. */
const lost = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/** The engine's failures in Koor's words; what is none of them is a fault of the program and comes through as it is. */
export function translateError(error: unknown): unknown {
  const { code = "" } = (error ?? {}) as { code?: string };
  if (code === "53100") {
    return new KoorError("out_of_space", "the database's disk is full", {
      hint: "Nothing was written; reads go on. Free some space and try again.",
    });
  }
  if (!lost.has(code) && !passing.test(code)) return error;
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
