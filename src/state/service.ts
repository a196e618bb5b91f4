import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import type { Handlers } from "../contract/operation.ts";
import type { RecordHead } from "../core/commit.ts";
import { expectCommitted } from "../core/guard.ts";
import { readStored, writtenRecord } from "../store/values.ts";
import type { Store } from "../store/store.ts";
import type { stateOperations } from "./contract.ts";

const listHint = "List the keys: koor-cli state list";

/** Shared state: values by key, each with its versions. */
export function stateService(store: Store): Handlers<typeof stateOperations> {
  return {
    async list({ query }) {
      const heads = await store.list("state", query);
      return heads.map(showHead);
    },

    async get({ params, condition }) {
      return readStored(store, "state", params.key, condition, `key not found: ${params.key}`, listHint);
    },

    async put({ params, body, contentType, condition, caller }) {
      if (body.length === 0) throw new KoorError("bad_request", "empty body", { path: "body" });
      const { key } = params;
      const outcome = await store.commit({
        by: caller.name,
        ops: [
          {
            kind: "put",
            collection: "state",
            key,
            value: body,
            contentType,
            guard: condition,
            audit: { action: "state.put", resource: key },
          },
        ],
      });
      const record = writtenRecord(expectCommitted(outcome));
      return { ...showHead(record), hash: record.hash };
    },

    async delete({ params, condition, caller }) {
      const { key } = params;
      const outcome = await store.commit({
        by: caller.name,
        ops: [
          {
            kind: "delete",
            collection: "state",
            key,
            guard: { ...condition, exists: true },
            audit: { action: "state.delete", resource: key },
          },
        ],
      });
      expectCommitted(outcome, `key not found: ${key}`, listHint);
      return { deleted: key };
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
