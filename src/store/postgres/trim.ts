import { type Collection, collections, recordId } from "../../core/commit.ts";
import type { Retention } from "../../core/retention.ts";
import { type Pool, ask } from "./database.ts";

/** Versions looked at in one go, and versions removed in one transaction: some milliseconds. */
const trimRows = 1000;
/** Keys with young versions to remove later that are remembered at once; with more the walk waits until some are done. */
const trackedKeys = 50_000;

interface Key {
  collection: Collection;
  key: string;
}

/**
 * Removes old versions. As on SQLite, a walk over the append-only table by its ids tells which keys can have too many, and
 * those are looked at until nothing of them is left to remove. The lock of commits is not taken: no commit touches old versions.
 */
export function postgresTrimmer(pool: Pool) {
  const tracked = new Map<string, Key>();
  let walked = 0;
  let keeping = 0;

  function reset(): void {
    tracked.clear();
    walked = 0;
  }

  async function walk(keep: number): Promise<void> {
    while (tracked.size < trackedKeys) {
      const { rows } = await ask(
        pool,
        "select id, collection, key, version from koor.versions where id > $1 order by id limit $2",
        [walked, trimRows],
      );
      for (const row of rows) {
        const collection = row["collection"] as Collection;
        const key = row["key"] as string;
        if (Number(row["version"]) > keep && collections[collection].history)
          tracked.set(recordId(collection, key), { collection, key });
        walked = Number(row["id"]);
      }
      if (rows.length < trimRows) return;
    }
  }

  /** @returns how many went; the key is forgotten when no more of it will have to go */
  async function trim({ collection, key }: Key, retention: Retention, at: number): Promise<number> {
    const aged = `select version, row_number() over newest as nth, updated_at, sum(size) over newest as bytes
      from koor.versions where collection = $1 and key = $2 window newest as (order by version desc)`;
    for (let removed = 0; ;) {
      const { count } = await ask(
        pool,
        `delete from koor.versions where collection = $1 and key = $2 and version in (
           select version from (${aged}) a
           where nth > $3 and (updated_at <= $4 or bytes > $5) order by version limit ${trimRows})`,
        [collection, key, retention.keep, at - retention.spareMs, retention.spareBytes],
      );
      removed += count;
      if (count === trimRows) continue;
      const { rows } = await ask(
        pool,
        "select count(*) > $3 as more from (select from koor.versions where collection = $1 and key = $2 limit $3 + 1) v",
        [collection, key, retention.keep],
      );
      if (rows[0]?.["more"] !== true) tracked.delete(recordId(collection, key));
      return removed;
    }
  }

  return {
    reset,
    async run(retention: Retention, at: number): Promise<number> {
      if (retention.keep !== keeping) reset();
      keeping = retention.keep;
      await walk(retention.keep);
      let removed = 0;
      for (const key of tracked.values()) removed += await trim(key, retention, at);
      return removed;
    },
  };
}
