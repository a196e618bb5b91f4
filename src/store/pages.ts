import { KoorError } from "../contract/errors.ts";
import type { RecordHead } from "../core/commit.ts";
import type { KeyRange } from "./store.ts";
import { turn } from "./turn.ts";

/** Records of a long list that are read in one go; after each page others have their turn. Some 2 ms, with their JSON. */
export const pageRecords = 256;

/** Long lists that are read at once: each holds a snapshot of the database open. */
const snapshotsAtOnce = 4;

/** Those that wait for that. */
const snapshotsWaiting = 256;

/** How long a long list may take to be read, in milliseconds: while it lasts the write-ahead log can only grow. */
export const snapshotMs = 60_000;

/** Lets a few have a snapshot at a time; the others wait in order of arrival. */
export function snapshotRoom(): <T>(read: () => AsyncGenerator<T>) => AsyncGenerator<T> {
  const waiting: (() => void)[] = [];
  let open = 0;

  return async function* within(read) {
    if (open >= snapshotsAtOnce) {
      if (waiting.length >= snapshotsWaiting)
        throw new KoorError("unavailable", "too many long lists are being read", { retryAfter: 1 });
      // Whoever leaves hands over the place.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else open += 1;
    try {
      const began = performance.now();
      for await (const page of read()) {
        yield page;
        if (performance.now() - began > snapshotMs) throw new Error("a list was read too slowly");
      }
    } finally {
      const next = waiting.shift();
      if (next) next();
      else open -= 1;
    }
  };
}

/** A list in pages, each of which begins where the one before ended. @param read a list of at most `range.limit` */
export async function* pageThrough(
  range: KeyRange,
  read: (range: KeyRange) => RecordHead[] | Promise<RecordHead[]>,
): AsyncGenerator<RecordHead[]> {
  let { after, limit: left = Infinity } = range;
  for (;;) {
    const limit = Math.min(pageRecords, left);
    const page = await read({ ...range, after, limit });
    if (page.length > 0) yield page;
    left -= page.length;
    if (page.length < pageRecords || left <= 0) return;
    after = page.at(-1)?.key;
    await turn();
  }
}
