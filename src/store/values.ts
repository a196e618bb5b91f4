import { KoorError } from "../contract/errors.ts";
import type { Condition, StoredAnswer } from "../contract/operation.ts";
import { type Collection, entityTag } from "../core/commit.ts";
import { names } from "../core/decide.ts";
import type { Store } from "./store.ts";

/**
 * What nouns of stored values (state, specs) have in common.
 *
 * With `If-None-Match` the head is looked at first, so that a caller who has the value costs no read of it.
 * @throws KoorError `not_found` with the text `absent`, and what to do as `hint`
 */
export async function readStored(
  store: Store,
  collection: Collection,
  key: string,
  condition: Condition,
  absent: string,
  hint: string,
): Promise<StoredAnswer> {
  if (condition.noneMatch !== undefined) {
    const head = await store.head(collection, key);
    if (head && !head.deleted && names(condition.noneMatch, entityTag(head.version, head.hash))) {
      return { bytes: null, content_type: head.contentType, version: head.version, hash: head.hash };
    }
  }
  const record = await store.get(collection, key);
  if (!record) throw new KoorError("not_found", absent, { hint });
  return {
    bytes: record.value,
    content_type: record.contentType,
    version: record.version,
    hash: record.hash,
  };
}
