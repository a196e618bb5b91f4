import { dirname } from "node:path";
import type { DumpRow } from "../core/dump.ts";
import { type Tally, differences, tallier } from "./dump-tally.ts";
import { inShell } from "./in-shell.ts";
import { openPostgres } from "./postgres/open.ts";
import { checkSqlite } from "./sqlite/check.ts";
import { openDatabase } from "./sqlite/database.ts";
import { dumpSqlite } from "./sqlite/dump.ts";
import { lockDirectory } from "./sqlite/lock.ts";

export interface Move {
  /** A `data.db`. */
  file: string;
  /** `postgres://user:password@host:port/database` */
  database: string;
  /** Told what is done now, and how many of how many rows of it are. */
  onProgress: (doing: string, done: number, all: number) => void;
}

/**
 * Copies what a SQLite file holds into an empty PostgreSQL database, in one transaction, and reads all of it back: the
 * counts, the bytes and their hashes, the chain of the audit. Leases are not copied, as by a backup.
 *
 * @returns what was copied
 * @throws Error when a server runs on the file, the file is not sound, or the database is not empty; then nothing was
 * changed. When what was read back differs
 */
export async function moveToPostgres({ file, database, onProgress }: Move): Promise<Tally["counts"]> {
  const unlock = lockDirectory(dirname(file), `process ${process.pid} (migrate-from-sqlite)`);
  try {
    onProgress("checking the file", 0, 1);
    if (!checkSqlite(file).sound)
      throw new Error(`${file} is damaged. See what is wrong with it: koor-server check ${inShell(file)}`);
    onProgress("checking the file", 1, 1);
    const all = rowsIn(file);
    const store = await openPostgres({ url: database, onError: () => {} });
    try {
      const source = tallier();
      async function* rows(): AsyncGenerator<DumpRow> {
        // Looked at here, under the lock that everybody who commits takes: nothing can come in between.
        const { revision } = await store.heads();
        if (revision > 0) {
          throw new Error(
            "the database is not empty: Koor has written to it. Make a new one (createdb), and name that.",
          );
        }
        yield* counted(dumpSqlite(file), source.see, (done) => onProgress("copying", done, all));
      }
      await store.restore(rows(), "migrate-from-sqlite");
      onProgress("copying", all, all);
      const target = tallier(1);
      const back = counted(store.dump(), target.see, (done) => onProgress("reading back", done, all + 1));
      for await (const _ of back);
      const [wanted, found] = [source.tally(), target.tally()];
      const different = differences(wanted, found);
      if (different.length > 0 || found.last?.action !== "store.restore") {
        throw new Error(
          `what is in the database is not what was in the file (${different.join(", ")}): do not use it, and tell us`,
        );
      }
      return wanted.counts;
    } finally {
      await store.close();
    }
  } finally {
    unlock();
  }
}

/** How many rows a dump of it has, about: those that a dump leaves out count, too. */
function rowsIn(file: string): number {
  const db = openDatabase(file, "read");
  try {
    const tables = ["versions", "records", "events", "usage", "metrics", "audit"];
    const counts = tables.map((table) => `(select count(*) from ${table})`).join(" + ");
    return (db.query(`select ${counts} as count`).get() as { count: number }).count;
  } finally {
    db.close();
  }
}

async function* counted(
  rows: AsyncIterable<DumpRow>,
  see: (row: DumpRow) => void,
  onRow: (done: number) => void,
): AsyncGenerator<DumpRow> {
  let done = 0;
  for await (const row of rows) {
    see(row);
    yield row;
    if (row.kind !== "heads") onRow(++done);
  }
}
