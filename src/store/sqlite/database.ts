import { Database, type Statement } from "bun:sqlite";
import { KoorError } from "../../contract/errors.ts";
import { emptyHeads } from "../../core/commit.ts";
import initial from "./migrations/0001-initial.sql" with { type: "text" };
import lifetimes from "./migrations/0002-lifetimes.sql" with { type: "text" };
import auditIndexes from "./migrations/0003-audit-indexes.sql" with { type: "text" };
import usage from "./migrations/0004-usage.sql" with { type: "text" };

/** In order; the number of those applied is the database's `user_version`. */
export const migrations = [initial, lifetimes, auditIndexes, usage];

/**
 * Opens the database file and sets what a connection needs.
 *
 * `synchronous=FULL`: with WAL's usual `NORMAL` the last commits before a power cut are lost, acknowledged ones
 * too (sqlite.org/pragma.html#pragma_synchronous). `wal_autocheckpoint` stays at its 1000 pages: larger ones made
 * the slowest writes five times slower and the rest no faster.
 */
export function openDatabase(
  file: string,
  mode: "read" | "write",
  synchronous: "FULL" | "NORMAL" = "FULL",
): Database {
  const db = new Database(file, mode === "read" ? { readonly: true } : { readwrite: true, create: true });
  db.run("pragma busy_timeout = 5000");
  if (mode === "write") {
    db.run("pragma journal_mode = WAL");
    db.run(`pragma synchronous = ${synchronous}`);
  }
  return db;
}

/**
 * Brings the schema up to date, in one transaction.
 * @param newEpoch names a database that is made now
 * @throws Error when the database was written by a newer Koor
 */
export function migrate(db: Database, newEpoch: () => string): void {
  const { user_version: applied } = db.query("pragma user_version").get() as { user_version: number };
  if (applied > migrations.length) {
    throw new Error(
      `the database has schema ${applied}, this Koor knows up to ${migrations.length}: ` +
        "it was written by a newer Koor. Start that version, or another --data-dir.",
    );
  }
  if (applied === migrations.length) return;
  db.transaction(() => {
    for (const sql of migrations.slice(applied)) db.run(sql);
    if (applied === 0) {
      db.query("insert into heads (id, epoch, heads) values (1, ?, ?)").run(
        newEpoch(),
        JSON.stringify(emptyHeads),
      );
    }
    db.run(`pragma user_version = ${migrations.length}`);
  }).immediate();
}

/**
 * Closes a connection at once. With statements left open SQLite would keep it, and its locks, until they are
 * collected; `close(true)` throws in that case, so none is forgotten.
 */
export function closeDatabase(db: Database, statements: Readonly<Record<string, Statement>>): void {
  for (const statement of Object.values(statements)) statement.finalize();
  db.close(true);
}

/** SQLite's faults in Koor's words. What is not named here is a fault of the program. */
export function translateError(error: unknown): unknown {
  const code = (error as { code?: string }).code ?? "";
  if (code === "SQLITE_FULL") {
    return new KoorError("out_of_space", "the disk is full: nothing was written", {
      hint: "Free some space; reads go on, and writes work again by themselves.",
    });
  }
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_IOERR")) {
    return new KoorError("unavailable", "the database cannot be written to now: nothing was written", {
      retryAfter: 1,
    });
  }
  return error;
}
