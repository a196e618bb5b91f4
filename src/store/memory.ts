import { type Collection, type Commit, type EventRow, type Heads, type RecordHead } from "../core/commit.ts";
import { collections, emptyHeads, recordId } from "../core/commit.ts";
import { type VersionRow, decide } from "../core/decide.ts";
import { groupCommit } from "./group-commit.ts";
import { bounds, compareKeys } from "./key-range.ts";
import { type EventQuery, type KeyRange, type Store, eventPageBytes } from "./store.ts";

/** The engine for tests: the same promises as the others, but for durability. */
export function openMemory(options: { now: () => number; epoch?: string }): Store {
  const versions = new Map<string, VersionRow[]>();
  const records = new Map<string, RecordHead>();
  const listeners = new Set<(lastEvent: number) => void>();
  let events: EventRow[] = [];
  let heads: Heads = emptyHeads;

  const committer = groupCommit(async (batch: Commit[]) => {
    const decision = decide(batch, { heads, records }, options.now());
    heads = decision.heads;
    events.push(...decision.events);
    for (const row of decision.versions) {
      const id = recordId(row.head.collection, row.head.key);
      records.set(id, row.head);
      const kept = collections[row.head.collection].history ? (versions.get(id) ?? []) : [];
      versions.set(id, [...kept, { head: row.head, value: row.value.slice() }]);
    }
    queueMicrotask(() => {
      for (const listener of listeners) listener(heads.events);
    });
    return decision.outcomes;
  });

  const kept = (collection: Collection, key: string) => versions.get(recordId(collection, key)) ?? [];
  const stored = ({ head, value }: VersionRow) => ({ ...head, value });

  function current(collection: Collection, key: string) {
    const head = records.get(recordId(collection, key));
    const row = kept(collection, key).at(-1);
    return head && row && !head.deleted ? { ...head, value: row.value } : undefined;
  }

  function list(collection: Collection, range: KeyRange): RecordHead[] {
    const { from, after, before } = bounds(range);
    return [...records.values()]
      .filter((head) => head.collection === collection && !head.deleted)
      .filter(({ key }) => compareKeys(key, from) >= 0 && compareKeys(key, after ?? "") > 0)
      .filter(({ key }) => before === undefined || compareKeys(key, before) < 0)
      .sort((a, b) => compareKeys(a.key, b.key))
      .slice(0, range.limit);
  }

  return {
    commit: committer.commit,
    head: async (collection, key) => records.get(recordId(collection, key)),
    get: async (collection, key) => current(collection, key),
    version: async (collection, key, version) => {
      const row = kept(collection, key).find(({ head }) => head.version === version && !head.deleted);
      return row && stored(row);
    },
    history: async (collection, key, limit) =>
      kept(collection, key)
        .map(({ head }) => head)
        .reverse()
        .slice(0, limit),
    list: async (collection, range = {}) => list(collection, range),
    listValues: async (collection, range = {}) =>
      list(collection, range).flatMap((head) => current(collection, head.key) ?? []),
    events: async (query) => selectEvents(events, query),
    heads: async () => ({
      ...heads,
      epoch: options.epoch ?? "memory",
      firstEvent: events[0]?.id ?? heads.events + 1,
    }),
    touch: async (collection, times) => {
      for (const [key, at] of times) {
        const head = records.get(recordId(collection, key));
        if (!head || head.deleted) continue;
        records.set(recordId(collection, key), { ...head, touchedAt: Math.max(head.touchedAt, at) });
      }
    },
    trimEvents: async (keep) => {
      const before = events.length;
      events = events.filter((event) => event.id > heads.events - keep);
      return before - events.length;
    },
    watch: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => committer.idle(),
  };
}

function selectEvents(events: readonly EventRow[], query: EventQuery): EventRow[] {
  const passing = events.filter(
    (event) =>
      event.id > (query.after ?? 0) &&
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
