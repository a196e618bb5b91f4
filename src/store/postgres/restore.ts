import { KoorError } from "../../contract/errors.ts";
import { type DumpRow, type DumpedRecord, type DumpedVersion, restoredHeads } from "../../core/dump.ts";
import type { AuditRow, EventRow } from "../../core/commit.ts";
import type { MetricRow, UsageRow } from "../../core/usage.ts";
import { type Connection, type Pool, type Statement, ask, inTransaction } from "./database.ts";
import { lockStand, moveStand, readStand, standOf } from "./stand.ts";
import { insertAudit, insertEvents, insertVersions } from "./statements.ts";
import { addMetrics, usageStatements } from "./usage.ts";

/** Rows written in one statement. */
const restoreRows = 500;
/** Bytes of values and data in one statement: one large value, or many small ones. */
const restoreBytes = 4 * 1024 * 1024;

export interface Replacement {
  pool: Pool;
  rows: AsyncIterable<DumpRow>;
  by: string;
  /** Milliseconds since 1970. */
  now: () => number;
  epoch: string;
}

interface Page {
  version: DumpedVersion[];
  record: DumpedRecord[];
  event: EventRow[];
  usage: UsageRow[];
  metric: MetricRow[];
  audit: AuditRow[];
}

const emptyPage = (): Page => ({ version: [], record: [], event: [], usage: [], metric: [], audit: [] });

/**
 * Replaces all that the database holds, in one transaction under the lock of commits: whoever reads meanwhile reads what
 * was there before, also on other servers.
 */
export async function restorePostgres({ pool, rows, by, now, epoch }: Replacement): Promise<void> {
  const patience: Statement = ["set local idle_in_transaction_session_timeout = 0"];
  await inTransaction(pool, [patience, lockStand, readStand], async ({ connection, answers }) => {
    const { heads: former, n } = standOf(answers[2]);
    await ask(
      connection,
      "delete from koor.records; delete from koor.versions; delete from koor.events; delete from koor.audit;\n       delete from koor.usage; delete from koor.usage_days; delete from koor.metrics",
    );
    let dumped: Extract<DumpRow, { kind: "heads" }> | undefined;
    let page = emptyPage();
    let [count, bytes] = [0, 0];
    for await (const row of rows) {
      if (row.kind === "heads") {
        dumped = row;
        continue;
      }
      bytes += collect(page, row);
      count += 1;
      if (count < restoreRows && bytes < restoreBytes) continue;
      await writePage(connection, page);
      page = emptyPage();
      [count, bytes] = [0, 0];
    }
    await writePage(connection, page);
    if (!dumped) throw contradiction("it does not say where it stands");
    const { heads, audit } = restoredHeads(dumped, former.revision, by, now());
    await insertAudit(connection, [audit]);
    await ask(connection, "update koor.heads set epoch = $1 where id = 1", [epoch]);
    await ask(connection, moveStand("$1", "$2"), [n, JSON.stringify(heads)]);
  });
}

/** @returns its bytes that may be many */
function collect(page: Page, row: Exclude<DumpRow, { kind: "heads" }>): number {
  switch (row.kind) {
    case "version":
      page.version.push(row.version);
      return row.version.value.length;
    case "record":
      page.record.push(row.record);
      return 0;
    case "event":
      page.event.push(row.event);
      return row.event.data.length;
    case "usage":
      page.usage.push(row.usage);
      return 0;
    case "metric":
      page.metric.push(row.metric);
      return 0;
    case "audit":
      page.audit.push(row.audit);
      return 0;
  }
}

async function writePage(connection: Connection, page: Page): Promise<void> {
  try {
    if (page.version.length > 0) {
      await insertVersions(
        connection,
        page.version.map(({ value, ...head }) => ({ head, value })),
      );
    }
    if (page.record.length > 0) await insertRecords(connection, page.record);
    if (page.event.length > 0) await insertEvents(connection, page.event);
    for (const [text, values] of usageStatements(page.usage)) await ask(connection, text, values);
    if (page.metric.length > 0) await addMetrics(connection, page.metric);
    if (page.audit.length > 0) await insertAudit(connection, page.audit);
  } catch (error) {
    // 23: an integrity constraint, such as one version that is there twice.
    const { code = "", message } = error as Error & { code?: string };
    throw code.startsWith("23") ? contradiction(message) : error;
  }
}

async function insertRecords(connection: Connection, records: readonly DumpedRecord[]): Promise<void> {
  const { count } = await ask(
    connection,
    `insert into koor.records (collection, key, version, revision, content_type, hash, size, deleted, updated_at,
       updated_by, touched_at, create_revision, expires_at)
       select v.collection, v.key, v.version, v.revision, v.content_type, v.hash, v.size, v.deleted, v.updated_at,
         v.updated_by, r."touchedAt", r."createRevision", r."expiresAt"
       from json_to_recordset($1::text::json) as r(collection text, key text, version bigint, "touchedAt" bigint,
         "createRevision" bigint, "expiresAt" bigint)
       join koor.versions v on v.collection = r.collection and v.key = r.key and v.version = r.version`,
    [JSON.stringify(records)],
  );
  if (count !== records.length) throw contradiction("a record is at a version which is not there");
}

function contradiction(message: string): KoorError {
  return new KoorError("bad_request", `the backup contradicts itself: ${message}`, {
    path: "body",
    hint: "Nothing was changed. Make a new backup, or take another one.",
  });
}
