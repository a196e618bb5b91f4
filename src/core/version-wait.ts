import type { StoredAnswer } from "../contract/operation.ts";
import type { Collection, RecordHead } from "./commit.ts";

/** A read that waits until a record is above a version. */
export interface VersionWait {
  collection: Collection;
  key: string;
  /** The topic under which changes of the record are followed: `changeTopic`. */
  topic: string;
  /** As the request's query has them; without `after_version` nothing is waited for. */
  query: { after_version?: number | undefined; wait?: number | undefined };
  signal?: AbortSignal | undefined;
}

/**
 * Resolves with nothing when the record is to be read now, and when the time is up with the answer to that: 304.
 * @throws KoorError `bad_request` for a `wait` without `after_version`; `rate_limited` when too many wait
 */
export type WaitForVersion = (wait: VersionWait) => Promise<StoredAnswer | undefined>;

/**
 * Whether a record is above a version. A deletion takes a version, so that it ends waits, too; but above 0 is what is
 * there: who waits for a key that was deleted long ago to be made anew waits like for one that never was.
 */
export function isAbove(head: RecordHead | undefined, version: number): boolean {
  return head !== undefined && head.version > version && !(version === 0 && head.deleted);
}
