import type { Database, Statement } from "bun:sqlite";
import { type Collection, collections, recordId } from "../../core/commit.ts";
import { type Retention, isSpared } from "../../core/retention.ts";

/** Versions looked at in one bite, and versions removed: some milliseconds, after which waiting commits go first. */
export const trimRows = 500;
/** Bytes of values removed in one bite: freeing a large one walks all its pages. */
export const trimBytes = 8 * 1024 * 1024;
/**
 * Keys with young versions to remove later that are remembered at once; some 300 bytes each. With more the walk over what
 * was written waits until some of them are old enough: nothing is forgotten, it goes later.
 */
export const trackedKeys = 50_000;

export interface TrimBite {
  removed: number;
  /** Nothing more is to be done now. */
  done: boolean;
}

export interface HistoryTrimmer {
  /** One bite of work; to be called in a transaction, again and again until it is done. */
  bite(retention: Retention, at: number): TrimBite;
  /** What is known of the versions is void. */
  reset(): void;
  statements: Readonly<Record<string, Statement>>;
}

/** A key with more versions than are to be kept. */
interface Tracked {
  collection: Collection;
  key: string;
  /** The newest version that the walk has come by. */
  newest: number;
  /** The oldest that is stored. */
  oldest: number;
  /** Of all its versions from `oldest` to `newest`. */
  bytes: number;
  /** When its oldest version has been young for long enough, in milliseconds since 1970. */
  due: number;
}

interface ScannedRow {
  id: number;
  collection: Collection;
  key: string;
  version: number;
  size: number;
}

/**
 * Removes old versions. What it costs follows what was written, not what is stored: it walks over the append-only
 * table once, by its ids, and of each row's key it knows by the version's number alone whether there can be too many.
 * Such keys are tracked, with the sum of their sizes, until nothing of them is left to remove; so a key with a million young
 * versions costs one look at its oldest in each pass. After a start the walk begins at the first row.
 */
export function historyTrimmer(db: Database): HistoryTrimmer {
  const sql = prepare(db);
  const tracked = new Map<string, Tracked>();
  /** Of the tracked ones those that may have something to remove now. */
  const ready = new Set<Tracked>();
  let walked = 0;
  let inPass = false;
  let keeping = 0;
  let epoch = "";

  function reset(): void {
    tracked.clear();
    ready.clear();
    walked = 0;
    inPass = false;
  }

  /** @returns whether there is more to walk over */
  function walk(keep: number): boolean {
    const rows = sql.walk.all(walked, trimRows) as ScannedRow[];
    for (const row of rows) {
      if (row.version > keep && collections[row.collection].history) {
        const entry = tracked.get(recordId(row.collection, row.key)) ?? track(row);
        if (!entry) return false;
        entry.newest = row.version;
        entry.bytes += row.size;
        ready.add(entry);
      }
      walked = row.id;
    }
    return rows.length === trimRows;
  }

  /** @returns undefined when there is no room for more */
  function track({ collection, key, version }: ScannedRow): Tracked | undefined {
    if (tracked.size >= trackedKeys) return undefined;
    // Not more rows than are kept: each version beyond those has passed here, and was tracked until it was gone.
    const before = sql.before.get(collection, key, version) as { oldest: number | null; bytes: number };
    const { oldest, bytes } = before;
    const entry = { collection, key, newest: version, oldest: oldest ?? version, bytes, due: 0 };
    tracked.set(recordId(collection, key), entry);
    return entry;
  }

  /** Removes of one key what fits into the room. @returns what it took, and whether the key is settled for now */
  function trim(entry: Tracked, retention: Retention, at: number, room: { rows: number; bytes: number }) {
    const { collection, key } = entry;
    const last = entry.newest - retention.keep;
    const rows = sql.oldest.all(collection, key, last, room.rows + 1) as {
      version: number;
      size: number;
      updatedAt: number;
    }[];
    let cut = 0;
    let settled = true;
    for (const row of rows) {
      if (isSpared(row, entry.bytes, retention, at)) {
        entry.due = row.updatedAt + retention.spareMs;
        break;
      }
      if (room.rows === 0 || room.bytes <= 0) {
        settled = false;
        break;
      }
      cut = row.version;
      entry.bytes -= row.size;
      room.rows -= 1;
      room.bytes -= row.size;
    }
    if (cut > 0) {
      sql.remove.run(collection, key, cut);
      entry.oldest = cut + 1;
    }
    if (settled && entry.oldest > last) tracked.delete(recordId(collection, key));
    return settled;
  }

  return {
    reset,
    statements: sql,
    bite(retention, at) {
      const { epoch: now } = sql.epoch.get() as { epoch: string };
      // Another epoch has other versions: a backup was restored.
      if (retention.keep !== keeping || now !== epoch) reset();
      keeping = retention.keep;
      epoch = now;
      if (!inPass) for (const entry of tracked.values()) if (entry.due <= at) ready.add(entry);
      const more = walk(retention.keep);
      const room = { rows: trimRows, bytes: trimBytes };
      for (const entry of ready) {
        if (!trim(entry, retention, at, room)) break;
        ready.delete(entry);
      }
      inPass = more || ready.size > 0;
      return { removed: trimRows - room.rows, done: !inPass };
    },
  };
}

function prepare(db: Database) {
  return {
    epoch: db.prepare("select epoch from heads where id = 1"),
    walk: db.prepare(
      "select id, collection, key, version, size from versions where id > ? order by id limit ?",
    ),
    before: db.prepare(
      `select min(version) as oldest, coalesce(sum(size), 0) as bytes from versions
         where collection = ? and key = ? and version < ?`,
    ),
    oldest: db.prepare(
      `select version, size, updated_at as updatedAt from versions
         where collection = ? and key = ? and version <= ? order by version limit ?`,
    ),
    remove: db.prepare("delete from versions where collection = ? and key = ? and version <= ?"),
  };
}
