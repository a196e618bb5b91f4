import { type DumpRow, dumpedHeads, isDumped } from "../../core/dump.ts";
import { readHeads } from "../heads.ts";
import { type Connection, type Pool, type Row, ask, inSnapshot } from "./database.ts";
import { metricColumns, readMetric, readUsage, usageColumns } from "./usage.ts";
import { auditColumns, readAudit, readEvent, readHead, recordColumns, versionColumns } from "./rows.ts";
import { epochOf, identitySql } from "./schema.ts";
import { headsSql } from "./stand.ts";

/** Rows read in one go, without values and data. */
const dumpRows = 256;
/** Bytes of values and data that are read in one go: one large value, or many small ones. */
const dumpBytes = 8 * 1024 * 1024;

const standSql = `select epoch, ${headsSql} as heads, (${identitySql}) as identity from koor.heads where id = 1`;

/** The whole store out of one snapshot, on a connection of its own, which waits for whoever reads however slowly. */
export const dumpPostgres = (pool: Pool): AsyncGenerator<DumpRow> => inSnapshot(pool, 0, everything);

async function* everything(connection: Connection): AsyncGenerator<DumpRow> {
  const { rows } = await ask(connection, standSql);
  const { epoch, identity, heads } = rows[0] as Record<"epoch" | "identity" | "heads", string>;
  yield { kind: "heads", epoch: epochOf(epoch, identity), heads: dumpedHeads(readHeads(heads)) };
  yield* versions(connection);
  yield* records(connection);
  const eventColumns = "id, topic, source, created_at, octet_length(data) as size";
  for await (const row of byId(connection, "events", eventColumns, "data"))
    yield { kind: "event", event: readEvent(row) };
  for await (const row of byId(connection, "usage", usageColumns))
    yield { kind: "usage", usage: readUsage(row) };
  yield* metrics(connection);
  for await (const { size: _, ...row } of byId(connection, "audit", `${auditColumns}, 0 as size`))
    yield { kind: "audit", audit: readAudit(row) };
}

async function* versions(connection: Connection): AsyncGenerator<DumpRow> {
  for await (const row of byId(connection, "versions", `t.id, ${versionColumns("t")}`, "value")) {
    if (!isDumped(row["collection"] as string)) continue;
    const { touchedAt: _, createRevision: __, expiresAt: ___, ...head } = readHead(row);
    yield { kind: "version", version: { ...head, value: row["value"] as Uint8Array } };
  }
}

async function* records(connection: Connection): AsyncGenerator<DumpRow> {
  let last = ["", ""];
  for (;;) {
    const { rows } = await ask(
      connection,
      `select ${recordColumns("r")} from koor.records r where (r.collection, r.key) > ($1, $2)
         order by r.collection, r.key limit ${dumpRows}`,
      last,
    );
    for (const head of rows.map(readHead)) {
      last = [head.collection, head.key];
      if (!isDumped(head.collection)) continue;
      const { collection, key, version, touchedAt, createRevision, expiresAt } = head;
      yield { kind: "record", record: { collection, key, version, touchedAt, createRevision, expiresAt } };
    }
    if (rows.length < dumpRows) return;
  }
}

async function* metrics(connection: Connection): AsyncGenerator<DumpRow> {
  let last = ["", "", ""];
  for (;;) {
    const { rows } = await ask(
      connection,
      `select ${metricColumns} from koor.metrics where (instance_id, period, name) > ($1, $2, $3)
         order by instance_id, period, name limit ${dumpRows}`,
      last,
    );
    for (const metric of rows.map(readMetric)) {
      yield { kind: "metric", metric };
      last = [metric.instanceId, metric.period, metric.name];
    }
    if (rows.length < dumpRows) return;
  }
}

/**
 * A table's rows by their ids; what may be large is read apart, as much as fits.
 * @param columns with `id`, and `size` where there is a large one
 */
async function* byId(
  connection: Connection,
  table: string,
  columns: string,
  large?: string,
): AsyncGenerator<Row> {
  let last = 0;
  for (;;) {
    const { rows } = await ask(
      connection,
      `select ${columns} from koor.${table} t where t.id > $1 order by t.id limit ${dumpRows}`,
      [last],
    );
    if (large === undefined) yield* rows;
    else for (const group of groups(rows)) yield* await withLarge(connection, table, large, group);
    if (rows.length < dumpRows) return;
    last = Number(rows.at(-1)?.["id"]);
  }
}

function* groups(rows: readonly Row[]): Generator<Row[]> {
  let group: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    group.push(row);
    bytes += Number(row["size"]);
    if (bytes < dumpBytes) continue;
    yield group;
    group = [];
    bytes = 0;
  }
  if (group.length > 0) yield group;
}

async function withLarge(
  connection: Connection,
  table: string,
  large: string,
  group: readonly Row[],
): Promise<Row[]> {
  const { rows } = await ask(
    connection,
    `select ${large} from koor.${table} where id = any($1::bigint[]) order by id`,
    [group.map(({ id }) => id)],
  );
  return group.map((row, at) => ({ ...row, ...rows[at] }));
}
