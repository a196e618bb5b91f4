import type { Database } from "bun:sqlite";
import type { AuditRow } from "../../core/commit.ts";
import type { MetricRow, UsageRow } from "../../core/usage.ts";
import { type DumpRow, dumpedHeads, isDumped } from "../../core/dump.ts";
import { readHeads } from "../heads.ts";
import { openDatabase } from "./database.ts";
import {
  type EventHeadRow,
  type RecordRow,
  auditColumns,
  readEvent,
  readHead,
  recordColumns,
  versionColumns,
} from "./rows.ts";
import { metricColumns, usageColumns } from "./usage.ts";
import { turn } from "../turn.ts";

/** Rows read in one go, without values and data; after each page the event loop gets its turn. */
const dumpRows = 256;

type IdRow<T> = T & { id: number };

/**
 * The whole store out of one snapshot, on a connection of its own. Values are read one at a time. While it lasts the
 * write-ahead log cannot be folded into the database and grows by what is written meanwhile.
 */
export async function* dumpSqlite(file: string): AsyncGenerator<DumpRow> {
  const db = openDatabase(file, "read");
  try {
    db.run("begin");
    yield headsOf(db);
    yield* versions(db);
    yield* records(db);
    yield* events(db);
    yield* usage(db);
    yield* metrics(db);
    yield* audit(db);
  } finally {
    db.run("rollback");
    // It finalizes the statements that `query` made, and would throw for others.
    db.close(true);
  }
}

function headsOf(db: Database): DumpRow {
  const row = db.query("select epoch, heads from heads where id = 1").get() as {
    epoch: string;
    heads: string;
  };
  return { kind: "heads", epoch: row.epoch, heads: dumpedHeads(readHeads(row.heads)) };
}

async function* versions(db: Database): AsyncGenerator<DumpRow> {
  const page = db.query(`select id, ${versionColumns} from versions where id > ? order by id limit ?`);
  const value = db.query("select value from versions where id = ?");
  let last = 0;
  for (;;) {
    const rows = page.all(last, dumpRows) as IdRow<RecordRow>[];
    for (const row of rows) {
      last = row.id;
      if (!isDumped(row.collection)) continue;
      const { touchedAt: _, createRevision: __, expiresAt: ___, ...head } = readHead(row);
      yield { kind: "version", version: { ...head, ...(value.get(row.id) as { value: Uint8Array }) } };
    }
    if (rows.length < dumpRows) return;
    await turn();
  }
}

async function* records(db: Database): AsyncGenerator<DumpRow> {
  const page = db.query(
    `select ${recordColumns} from records where (collection, key) > (?, ?) order by collection, key limit ?`,
  );
  let last = ["", ""] as [collection: string, key: string];
  for (;;) {
    const rows = page.all(...last, dumpRows) as RecordRow[];
    for (const row of rows) {
      last = [row.collection, row.key];
      if (!isDumped(row.collection)) continue;
      const { collection, key, version, touchedAt, createRevision, expiresAt } = readHead(row);
      yield { kind: "record", record: { collection, key, version, touchedAt, createRevision, expiresAt } };
    }
    if (rows.length < dumpRows) return;
    await turn();
  }
}

async function* events(db: Database): AsyncGenerator<DumpRow> {
  const page = db.query("select id, topic, source, created_at from events where id > ? order by id limit ?");
  const data = db.query("select data from events where id = ?");
  let last = 0;
  for (;;) {
    const rows = page.all(last, dumpRows) as EventHeadRow[];
    for (const row of rows) {
      yield { kind: "event", event: readEvent(row, (data.get(row.id) as { data: string }).data) };
      last = row.id;
    }
    if (rows.length < dumpRows) return;
    await turn();
  }
}

async function* usage(db: Database): AsyncGenerator<DumpRow> {
  for await (const row of byId<UsageRow>(db, "usage", usageColumns)) yield { kind: "usage", usage: row };
}

async function* metrics(db: Database): AsyncGenerator<DumpRow> {
  const page = db.query(
    `select ${metricColumns} from metrics where (instance_id, period, name) > (?, ?, ?)
       order by instance_id, period, name limit ?`,
  );
  let last = ["", "", ""];
  for (;;) {
    const rows = page.all(...last, dumpRows) as MetricRow[];
    for (const metric of rows) {
      yield { kind: "metric", metric };
      last = [metric.instanceId, metric.period, metric.name];
    }
    if (rows.length < dumpRows) return;
    await turn();
  }
}

async function* audit(db: Database): AsyncGenerator<DumpRow> {
  for await (const row of byId<AuditRow>(db, "audit", auditColumns)) yield { kind: "audit", audit: row };
}

/** All rows of a log whose rows are small. */
async function* byId<T extends { id: number }>(
  db: Database,
  table: string,
  columns: string,
): AsyncGenerator<T> {
  const page = db.query(`select ${columns} from ${table} where id > ? order by id limit ?`);
  for (let last = 0; ;) {
    const rows = page.all(last, dumpRows) as T[];
    for (const row of rows) {
      yield row;
      last = row.id;
    }
    if (rows.length < dumpRows) return;
    await turn();
  }
}
