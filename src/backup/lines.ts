import { z } from "zod";
import { type Collection, type Heads, auditOutcomes } from "../core/commit.ts";
import { type DumpRow, type DumpedVersion, dumpedCollections } from "../core/dump.ts";
import { backupCounts } from "./contract.ts";

import { type UsageRow, costSources } from "../core/usage.ts";

/**
 * A backup's lines. Each is a JSON object: the first names the format, the last holds counts and a checksum, and each between
 * is a row of the store under the name of its kind.
 */

/** What the first line says of itself. */
export const format = "koor-backup";
/** Of the lines: raised when an older Koor could not read them. */
export const formatVersion = 1;
/** Of what the rows hold: raised when a row has a new field, or a collection is new. */
export const schemaVersion = 3;

export type Counts = z.output<typeof backupCounts>;

const whole = z.int().nonnegative();
const collection = z.enum(dumpedCollections as [Collection, ...Collection[]]);
const perCollection = z.record(z.string(), whole).transform((counts) => counts as Heads["live"]);

export const headerLine = z.object({
  format: z.literal(format),
  version: whole,
  schema: whole,
  epoch: z.string(),
  created_at: z.string(),
});

export const endLine = z.strictObject({
  end: z.strictObject({ counts: backupCounts, sha256: z.string() }),
});

const heads = z.strictObject({
  epoch: z.string(),
  revision: whole,
  events: whole,
  audit: whole,
  audit_hash: z.string(),
  /** Since schema 3. */
  usage: whole.default(0),
  live: perCollection,
  changed: perCollection,
});

const version = z.strictObject({
  collection,
  key: z.string(),
  version: whole,
  revision: whole,
  content_type: z.string(),
  hash: z.string(),
  size: whole,
  deleted: z.boolean(),
  updated_at: whole,
  updated_by: z.string(),
  /** Base64. */
  value: z.string(),
});

const record = z.strictObject({
  collection,
  key: z.string(),
  version: whole,
  touched_at: whole,
  create_revision: whole,
  expires_at: whole,
});

const event = z.strictObject({
  id: whole,
  topic: z.string(),
  source: z.string(),
  created_at: whole,
  data: z.string(),
});

const audit = z.strictObject({
  id: whole,
  at: whole,
  actor: z.string(),
  action: z.string(),
  resource: z.string(),
  detail: z.string(),
  outcome: z.enum(auditOutcomes),
  hash: z.string(),
});

const usage = z.strictObject({
  id: whole,
  at: whole,
  provider: z.string(),
  model: z.string(),
  tokens_in: whole,
  tokens_out: whole,
  cache_read: whole,
  cache_write: whole,
  cost: whole,
  cost_source: z.enum(costSources),
  instance_id: z.string(),
  project: z.string(),
  session_tag: z.string(),
  request_type: z.string(),
});

const metric = z.strictObject({
  instance_id: z.string(),
  period: z.string(),
  name: z.string(),
  value: whole,
});

/** By the kind that a line names. A union of them all was tried one after the other: half of the time of reading a backup. */
const rows = { heads, version, record, event, usage, metric, audit };

/** A row without the value of a version, whose base64 is written in pieces. Fields are spelled out: their order is the format's. */
export function showRow(row: DumpRow): object {
  switch (row.kind) {
    case "heads": {
      const { revision, events, audit, auditHash, usage, live, changed } = row.heads;
      const logs = { events, audit, audit_hash: auditHash, usage };
      return { heads: { epoch: row.epoch, revision, ...logs, live, changed } };
    }
    case "version": {
      const { collection, key, version, revision, contentType, hash, size, deleted, updatedAt, updatedBy } =
        row.version;
      const times = { updated_at: updatedAt, updated_by: updatedBy };
      return {
        version: {
          collection,
          key,
          version,
          revision,
          content_type: contentType,
          hash,
          size,
          deleted,
          ...times,
        },
      };
    }
    case "record": {
      const { collection, key, version, touchedAt, createRevision, expiresAt } = row.record;
      const life = { touched_at: touchedAt, create_revision: createRevision, expires_at: expiresAt };
      return { record: { collection, key, version, ...life } };
    }
    case "event": {
      const { id, topic, source, createdAt, data } = row.event;
      return { event: { id, topic, source, created_at: createdAt, data } };
    }
    case "usage":
      return { usage: showUsage(row.usage) };
    case "metric": {
      const { instanceId, period, name, value } = row.metric;
      return { metric: { instance_id: instanceId, period, name, value } };
    }
    case "audit": {
      const { id, at, actor, action, resource, detail, outcome, hash } = row.audit;
      return { audit: { id, at, actor, action, resource, detail, outcome, hash } };
    }
  }
}

/** @returns the row, or what is wrong with it */
export function readRow(line: unknown): DumpRow | string {
  const [[kind, fields] = ["", undefined], more] = Object.entries(line ?? {}) as [string, unknown][];
  if (more || !Object.hasOwn(rows, kind)) return unknownRow;
  switch (kind as keyof typeof rows) {
    case "heads":
      return readAs(heads, fields, ({ epoch, audit_hash: auditHash, ...rest }) => {
        return { kind: "heads", epoch, heads: { ...rest, auditHash } };
      });
    case "version":
      return readAs(version, fields, readVersion);
    case "record":
      return readAs(record, fields, (row) => {
        const {
          touched_at: touchedAt,
          create_revision: createRevision,
          expires_at: expiresAt,
          ...rest
        } = row;
        return { kind: "record", record: { ...rest, touchedAt, createRevision, expiresAt } };
      });
    case "event":
      return readAs(event, fields, ({ created_at: createdAt, ...rest }) => {
        return { kind: "event", event: { ...rest, createdAt } };
      });
    case "usage":
      return readAs(usage, fields, (row) => ({ kind: "usage", usage: readUsage(row) }));
    case "metric":
      return readAs(metric, fields, ({ instance_id: instanceId, ...rest }) => {
        return { kind: "metric", metric: { instanceId, ...rest } };
      });
    case "audit":
      return readAs(audit, fields, (row) => ({ kind: "audit", audit: row }));
  }
}

const unknownRow = "it is no row that this Koor knows";

function readAs<T extends z.ZodType>(
  schema: T,
  fields: unknown,
  read: (fields: z.output<T>) => DumpRow | string,
): DumpRow | string {
  const parsed = schema.safeParse(fields);
  return parsed.success ? read(parsed.data) : unknownRow;
}

function readVersion(line: z.output<typeof version>): DumpRow | string {
  const { content_type, updated_at, updated_by, value: text, ...rest } = line;
  const value = new Uint8Array(Buffer.from(text, "base64"));
  if (value.length !== line.size) return "its value is not of its size";
  const read: DumpedVersion = {
    ...rest,
    contentType: content_type,
    updatedAt: updated_at,
    updatedBy: updated_by,
    value,
  };
  return { kind: "version", version: read };
}

function showUsage({ id, at, provider, model, cost, project, ...row }: UsageRow): z.input<typeof usage> {
  return {
    id,
    at,
    provider,
    model,
    tokens_in: row.tokensIn,
    tokens_out: row.tokensOut,
    cache_read: row.cacheRead,
    cache_write: row.cacheWrite,
    cost,
    cost_source: row.costSource,
    instance_id: row.instanceId,
    project,
    session_tag: row.sessionTag,
    request_type: row.requestType,
  };
}

function readUsage({ id, at, provider, model, cost, project, ...row }: z.output<typeof usage>): UsageRow {
  return {
    id,
    at,
    provider,
    model,
    tokensIn: row.tokens_in,
    tokensOut: row.tokens_out,
    cacheRead: row.cache_read,
    cacheWrite: row.cache_write,
    cost,
    costSource: row.cost_source,
    instanceId: row.instance_id,
    project,
    sessionTag: row.session_tag,
    requestType: row.request_type,
  };
}
