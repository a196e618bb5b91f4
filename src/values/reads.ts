import type { z } from "zod";
import { showTime } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import type { Condition, StoredAnswer } from "../contract/operation.ts";
import { RawJson } from "../contract/raw-json.ts";
import { changeTopic } from "../core/audit.ts";
import { type RecordHead, entityTag } from "../core/commit.ts";
import { names } from "../core/decide.ts";
import type { getQuery } from "./contract.ts";
import { type Place, type ValueNoun, type ValueOptions, currentOf, versionOf } from "./noun.ts";

/** What is asked for: `input` of the operation. */
interface Asked {
  query: z.output<typeof getQuery>;
  condition: Condition;
  signal?: AbortSignal | undefined;
}

/** Reading values: as they are, as they were, in part, and side by side. */
export function valueReads({ store, documents, waitForVersion }: ValueOptions, noun: ValueNoun) {
  const { collection } = noun;
  return {
    /**
     * The current version or an old one, whole or in part; the current one perhaps only once it is above a version. With
     * `If-None-Match` the head is looked at first, so that a caller who has the value costs no read of it.
     */
    async read(place: Place, { query, condition, signal }: Asked): Promise<StoredAnswer> {
      // Most reads wait for nothing, and there are many of them.
      if (query.version === undefined && (query.after_version ?? query.wait) !== undefined) {
        const topic = changeTopic({ action: `${noun.action}.put`, resource: place.label });
        const unchanged = await waitForVersion({ collection, key: place.key, topic, query, signal });
        if (unchanged) return unchanged;
      }
      if (condition.noneMatch !== undefined && query.version === undefined) {
        const head = await store.head(collection, place.key);
        if (head && !head.deleted && isKnown(head, condition)) return stored(head, null);
      }
      const record =
        query.version === undefined
          ? await currentOf(store, noun, place)
          : await versionOf(store, noun, place, query.version);
      if (isKnown(record, condition)) return stored(record, null);
      if (query.pick === undefined) return stored(record, record.value);
      const { text } = await documents.run({ kind: "pick", document: record.value, pointer: query.pick });
      const bytes = new TextEncoder().encode(text);
      return { ...stored(record, bytes), content_type: "application/json" };
    },

    async history({ key }: Place, limit: number = limits.historyRows) {
      return showVersions(await store.history(collection, key, limit));
    },

    async diff(place: Place, [v1, v2]: readonly [number, number]) {
      const before = await versionOf(store, noun, place, v1);
      const after = await versionOf(store, noun, place, v2);
      const job = { kind: "diff", before: before.value, after: after.value } as const;
      const { text, truncated } = await documents.run(job);
      // Made as text in the first place, so that its values keep every digit.
      const diffs = new RawJson(text) as never;
      return { v1, v2, diffs, ...(truncated && { truncated }) };
    },
  };
}

/** A history as the wire shows it. */
export function showVersions(heads: readonly RecordHead[]) {
  return heads.map(({ version, hash, updatedAt, updatedBy, deleted }) => ({
    version,
    hash,
    updated_at: showTime(updatedAt),
    updated_by: updatedBy,
    ...(deleted && { deleted }),
  }));
}

/** Whether the caller has this state already. */
function isKnown({ version, hash }: RecordHead, { noneMatch }: Condition): boolean {
  return noneMatch !== undefined && names(noneMatch, entityTag(version, hash));
}

function stored({ contentType, version, hash }: RecordHead, bytes: Uint8Array | null): StoredAnswer {
  return { bytes, content_type: contentType, version, hash };
}
