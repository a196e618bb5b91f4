import {
  type AuditRow,
  type Collection,
  type EventRow,
  type Heads,
  type RecordHead,
  type StoredRecord,
  collections,
  emptyHeads,
  recordId,
} from "../../core/commit.ts";
import { type Retention, surplus } from "../../core/retention.ts";
import type { Decision, VersionRow } from "../../core/decide.ts";
import { bounds, compareKeys } from "../key-range.ts";
import { MemoryUsage } from "./usage.ts";
import { type EventQuery, type KeyRange, eventPageBytes } from "../store.ts";

/** A version has no signs of life and no lifetime of its own: those are the record's. */
export const noLife = { touchedAt: 0, createRevision: 0, expiresAt: 0 };

/** What an engine holds, as plain collections. */
export class MemoryTables {
  heads: Heads = emptyHeads;
  /** By `recordId`, tombstones included. */
  readonly records = new Map<string, RecordHead>();
  /** By `recordId`, oldest first. */
  readonly versions = new Map<string, VersionRow[]>();
  events: EventRow[] = [];
  readonly audit: AuditRow[] = [];
  readonly usage = new MemoryUsage();

  apply(decision: Decision): void {
    this.heads = decision.heads;
    this.events.push(...decision.events);
    this.audit.push(...decision.audit);
    this.usage.rows.push(...decision.usage);
    for (const { head, value } of decision.versions) {
      const { history, tombstones } = collections[head.collection];
      const id = recordId(head.collection, head.key);
      if (head.deleted && !tombstones) {
        this.remove(id);
        continue;
      }
      const kept = history ? (this.versions.get(id) ?? []) : [];
      this.records.set(id, head);
      this.versions.set(id, [...kept, { head: { ...head, ...noLife }, value: value.slice() }]);
    }
  }

  remove(id: string): void {
    this.records.delete(id);
    this.versions.delete(id);
  }

  kept(collection: Collection, key: string): readonly VersionRow[] {
    return this.versions.get(recordId(collection, key)) ?? [];
  }

  current(collection: Collection, key: string): StoredRecord | undefined {
    const head = this.records.get(recordId(collection, key));
    const row = this.kept(collection, key).at(-1);
    return head && row && !head.deleted ? { ...head, value: row.value } : undefined;
  }

  list(collection: Collection, range: KeyRange): RecordHead[] {
    const { from, after, before } = bounds(range);
    return [...this.records.values()]
      .filter((head) => head.collection === collection && !head.deleted)
      .filter(({ key }) => compareKeys(key, from) >= 0 && compareKeys(key, after ?? "") > 0)
      .filter(({ key }) => before === undefined || compareKeys(key, before) < 0)
      .sort((a, b) => compareKeys(a.key, b.key))
      .slice(0, range.limit);
  }

  touch(collection: Collection, times: ReadonlyMap<string, number>): void {
    for (const [key, at] of times) {
      const id = recordId(collection, key);
      const head = this.records.get(id);
      if (head && !head.deleted) this.records.set(id, { ...head, touchedAt: Math.max(head.touchedAt, at) });
    }
  }

  dropExpired(collection: Collection, at: number): number {
    const ended = [...this.records].filter(
      ([, head]) => head.collection === collection && head.expiresAt > 0 && head.expiresAt <= at,
    );
    for (const [id] of ended) this.remove(id);
    const live = { ...this.heads.live, [collection]: this.heads.live[collection] - ended.length };
    this.heads = { ...this.heads, live };
    return ended.length;
  }

  trimEvents(keep: number): number {
    const before = this.events.length;
    this.events = this.events.filter((event) => event.id > this.heads.events - keep);
    return before - this.events.length;
  }

  trimHistory(retention: Retention, at: number): number {
    let removed = 0;
    for (const [id, kept] of this.versions) {
      const gone = surplus(
        kept.map(({ head }) => head),
        retention,
        at,
      );
      if (gone > 0) this.versions.set(id, kept.slice(gone));
      removed += gone;
    }
    return removed;
  }
}

export function selectEvents(events: readonly EventRow[], query: EventQuery): EventRow[] {
  const passing = events.filter(
    (event) =>
      event.id > (query.after ?? 0) &&
      event.id < (query.before ?? Infinity) &&
      event.createdAt >= (query.from ?? -Infinity) &&
      event.createdAt <= (query.to ?? Infinity) &&
      (query.source === undefined || event.source === query.source) &&
      (query.topic === undefined || query.topic.test(event.topic)),
  );
  if (query.order === "newest") passing.reverse();
  const page: EventRow[] = [];
  let bytes = 0;
  for (const event of passing.slice(0, query.limit)) {
    page.push(event);
    bytes += event.data.length;
    if (bytes > eventPageBytes) break;
  }
  return page;
}
