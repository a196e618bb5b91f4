import type { Heads } from "../../core/commit.ts";
import { readHeads } from "../heads.ts";
import type { Row, Statement } from "./database.ts";

/** Where the store stands: the newest row of `koor.stand`, which every commit replaces under one lock. */

/** "koor" in ASCII: PostgreSQL knows its advisory locks by two numbers. */
const locks = 0x6b6f6f72;

/**
 * The lock that every commit holds, for the length of its transaction: its order is the order of everything. In the
 * database's memory alone, and first come first served. Who waited for it sees what was committed meanwhile by the next
 * statement, not by this one.
 */
export const lockStand: Statement = ["select pg_advisory_xact_lock($1::int, $2::int)", [locks, 1]];

/** The lock under which servers that start together migrate one after the other. */
export const lockSchema: Statement = ["select pg_advisory_xact_lock($1::int, $2::int)", [locks, 2]];

/** Milliseconds since 1970 by the database's clock. */
export const clockSql = "(extract(epoch from clock_timestamp()) * 1000)::bigint";

/** The newest heads, as an expression. */
export const headsSql = "(select heads from koor.stand order by n desc limit 1)";

/** The newest row, and the time. With a value, since only such statements are prepared. */
export const readStand: Statement = [
  `select n, heads, ${clockSql} as now from koor.stand where n > $1::bigint order by n desc limit 1`,
  [0],
];

export interface Stand {
  heads: Heads;
  /** The row's number, by which it is replaced. */
  n: string;
  /** The database's clock, in milliseconds since 1970. */
  at: number;
}

/** What `readStand` answered. */
export function standOf(rows: readonly Row[] = []): Stand {
  const [row] = rows as { n: string; heads: string; now: string }[];
  if (!row)
    throw new Error("koor.stand is empty: the database is damaged, restore a backup into an empty one");
  return { heads: readHeads(row.heads), n: row.n, at: Number(row.now) };
}

/** Replaces the newest row. @param n the number of it @param heads both as places of values: `$1` */
export const moveStand = (n: string, heads: string) =>
  `with former as (delete from koor.stand where n = ${n}::bigint) insert into koor.stand (n, heads) values (${n}::bigint + 1, ${heads})`;
