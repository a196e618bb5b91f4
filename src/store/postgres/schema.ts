import { createHash } from "node:crypto";
import { emptyHeads } from "../../core/commit.ts";
import initial from "./migrations/0001-initial.sql" with { type: "text" };
import auditIndexes from "./migrations/0002-audit-indexes.sql" with { type: "text" };
import usage from "./migrations/0003-usage.sql" with { type: "text" };
import stand from "./migrations/0004-stand.sql" with { type: "text" };
import valuesInline from "./migrations/0005-values-inline.sql" with { type: "text" };
import { type Pool, type Row, ask, inTransaction } from "./database.ts";
import { lockSchema } from "./stand.ts";

/** In order; `koor.schema` holds the number of those applied. */
const migrations = [initial, auditIndexes, usage, stand, valuesInline];

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

/** The oldest major version that this is tried with. */
const oldestVersion = 13;

/** Which kind of database this is, and whether it has what we make: out of tables, since `to_regclass` answers from a cache. */
const lookSql = `select current_setting('server_version_num')::int / 10000 as version, pg_is_in_recovery() as standby,
  current_setting('server_encoding') as encoding,
  exists (select from pg_namespace where nspname = 'koor') as schema,
  exists (select from pg_tables where schemaname = 'koor' and tablename = 'schema') as tables`;

/** @throws Error when nothing of ours can be kept there */
function expectUsable(row: Row): void {
  const { version, standby, encoding } = row as { version: number; standby: boolean; encoding: string };
  if (version < oldestVersion)
    throw new Error(`PostgreSQL ${version} is too old: Koor needs ${oldestVersion} or newer`);
  if (standby) throw new Error("the database is a standby, where nothing can be written: name the primary");
  if (encoding !== "UTF8")
    throw new Error("the database does not keep UTF-8: create it with encoding 'UTF8', template template0");
}

/**
 * Makes the schema, or brings it up to date. Safe with several servers starting at once: they take turns. What is there
 * is not made again, so that a role may start on it that must not make anything.
 *
 * @param newEpoch names a database that is made now
 * @throws Error when a newer Koor wrote it, it is too old, a standby, or does not keep UTF-8
 */
export async function migrate(pool: Pool, newEpoch: () => string): Promise<void> {
  const { rows } = await ask(pool, lookSql);
  expectUsable(rows[0] as Row);
  await inTransaction(pool, [lockSchema, [lookSql]], async ({ connection: tx, answers }) => {
    const made = answers[1]?.[0] as Row;
    if (!made["schema"]) await ask(tx, "create schema koor");
    if (!made["tables"]) await ask(tx, "create table koor.schema (version integer not null)");
    const { rows } = await ask(tx, "select version from koor.schema");
    const current = Number(rows[0]?.["version"] ?? 0);
    if (current > migrations.length) {
      throw new Error(
        `the database was written by a newer Koor (schema ${current}, this one knows ${migrations.length}): ` +
          "use that one, or restore a backup into an empty database",
      );
    }
    if (current === migrations.length) return;
    for (const migration of migrations.slice(current)) await ask(tx, migration);
    await ask(tx, "delete from koor.schema");
    await ask(tx, "insert into koor.schema (version) values ($1)", [migrations.length]);
    await ask(tx, "insert into koor.heads (id, epoch) values (1, $1) on conflict do nothing", [newEpoch()]);
    await ask(
      tx,
      "insert into koor.stand (n, heads) select 1, $1 where not exists (select from koor.stand)",
      [JSON.stringify(emptyHeads)],
    );
  });
}
