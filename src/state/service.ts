import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import type { Handlers } from "../contract/operation.ts";
import { changeTopic } from "../core/audit.ts";
import type { Op, RecordHead } from "../core/commit.ts";
import type { WaitForVersion } from "../core/version-wait.ts";
import type { Store } from "../store/store.ts";
import { readStored } from "../store/values.ts";
import { perform, writtenRecord } from "../store/write.ts";
import type { stateOperations } from "./contract.ts";

const listHint = "List the keys: koor-cli state list";

/** Shared state: values by key, each with its versions. */
export function stateService(store: Store, waitForVersion: WaitForVersion): Handlers<typeof stateOperations> {
  return {
    async list({ query }) {
      const heads = await store.list("state", query);
      return heads.map(showHead);
    },

    async get({ params: { key }, query, condition, signal }) {
      const topic = changeTopic({ action: "state.put", resource: key });
      const unchanged = await waitForVersion({ collection: "state", key, topic, query, signal });
      return unchanged ?? readStored(store, "state", key, condition, `key not found: ${key}`, listHint);
    },

    async put({ params: { key }, body, contentType, condition, ...terms }) {
      if (body.length === 0) throw new KoorError("bad_request", "empty body", { path: "body" });
      const op: Op = {
        kind: "put",
        collection: "state",
        key,
        value: body,
        contentType,
        guard: condition,
        audit: { action: "state.put", resource: key },
      };
      return perform(
        store,
        terms,
        () => ({ ops: [op], note: null }),
        (results) => {
          const record = writtenRecord(results);
          return { ...showHead(record), hash: record.hash };
        },
      );
    },

    async delete({ params: { key }, condition, ...terms }) {
      const op: Op = {
        kind: "delete",
        collection: "state",
        key,
        guard: { ...condition, exists: true },
        audit: { action: "state.delete", resource: key },
      };
      const plan = { ops: [op], note: null, absent: `key not found: ${key}`, hint: listHint };
      return perform(
        store,
        terms,
        () => plan,
        () => ({ deleted: key }),
      );
    },
  };
}

function showHead(head: RecordHead) {
  return {
    key: head.key,
    version: head.version,
    content_type: head.contentType,
    updated_at: showTime(head.updatedAt),
  };
}
