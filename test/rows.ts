import { Database } from "bun:sqlite";
import { join } from "node:path";
import type pg from "pg";
import { connect } from "../src/store/postgres/database.ts";

/** Where a server keeps its data. */
export interface Kept {
  /** Its data directory. */
  directory: string;
  /** Empty, or left out: in the directory. */
  config?: { database: string };
}

/** PostgreSQL's number for the type of 64-bit numbers. */
const int8 = 20;

export interface Rows {
  /** @param sql with `$1`, `$2` where the values go; none of them twice */
  ask(sql: string, ...values: (string | number)[]): Promise<any[]>;
  close(): Promise<void>;
}

/** What a server keeps, past the server: for what no operation shows or does. Both engines have the same tables but for `headsTable`. */
export function openRows({ directory, config }: Kept): Rows {
  if (!config?.database) {
    const file = new Database(join(directory, "data.db"));
    file.run("pragma busy_timeout = 5000");
    return { ask: async (sql, ...values) => file.query(sql).all(...values), close: async () => file.close() };
  }
  const url = new URL(config.database);
  url.searchParams.set("options", "-c search_path=koor");
  const pool = connect(url.href, 1);
  return {
    ask: async (sql, ...values) => numbered(await pool.query(sql, values)),
    close: () => pool.end(),
  };
}

/** 64-bit numbers as numbers, as SQLite gives them. */
function numbered({ rows, fields }: pg.QueryResult<Record<string, unknown>>): any[] {
  const long = fields.filter(({ dataTypeID }) => dataTypeID === int8).map(({ name }) => name);
  return rows.map((row) => ({
    ...row,
    ...Object.fromEntries(long.map((name) => [name, Number(row[name])])),
  }));
}

/** Where the heads are: PostgreSQL has them apart from the epoch. */
export const headsTable = ({ config }: Kept) => (config?.database ? "stand" : "heads");

/** One statement on what a server keeps. */
export async function sqlOn(kept: Kept, sql: string, ...values: (string | number)[]): Promise<any[]> {
  const rows = openRows(kept);
  try {
    return await rows.ask(sql, ...values);
  } finally {
    await rows.close();
  }
}

/** What retention does to the events each minute, done by hand. */
export async function trimEvents(kept: Kept, upTo: number): Promise<void> {
  await sqlOn(kept, "delete from events where id <= $1", upTo);
}
