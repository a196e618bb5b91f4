import { showTime } from "../contract/fields.ts";
import type { Handlers } from "../contract/operation.ts";
import type { RecordHead } from "../core/commit.ts";
import { type Place, type ValueOptions, stateNoun } from "../values/noun.ts";
import { valueReads } from "../values/reads.ts";
import { valueWrites } from "../values/writes.ts";
import type { stateOperations } from "./contract.ts";

/** Shared state: values by key, each with its versions. */
export function stateService(options: ValueOptions): Handlers<typeof stateOperations> {
  const { store } = options;
  const reads = valueReads(options, stateNoun);
  const writes = valueWrites(options, stateNoun);
  return {
    async list({ query }) {
      return shown(
        query.limit === undefined ? store.pages("state", query) : [await store.list("state", query)],
      );
    },

    get: (input) => reads.read(placeOf(input.params), input),

    async history({ params, query }) {
      return { ...params, versions: await reads.history(placeOf(params), query.limit) };
    },

    async diff({ params, query }) {
      return { ...params, ...(await reads.diff(placeOf(params), query.diff)) };
    },

    put: ({ params, body, contentType, ...asked }) =>
      writes.put(placeOf(params), { value: body, contentType }, asked, showWritten),

    patch: ({ params, body, contentType, ...asked }) =>
      writes.patch(placeOf(params), { body, contentType }, asked, showWritten),

    rollback: ({ params, query, ...asked }) =>
      writes.rollback(placeOf(params), query.rollback, asked, ({ key, version, hash, updatedAt }) => ({
        key,
        version,
        hash,
        updated_at: showTime(updatedAt),
      })),

    delete: ({ params, ...asked }) => writes.delete(placeOf(params), asked),
  };
}

async function* shown(pages: AsyncIterable<RecordHead[]> | Iterable<RecordHead[]>) {
  for await (const page of pages)
    yield page.map((head) => ({ ...showHead(head), updated_by: head.updatedBy }));
}

function placeOf({ key }: { key: string }): Place {
  return { key, label: key };
}

function showHead(head: RecordHead) {
  return {
    key: head.key,
    version: head.version,
    content_type: head.contentType,
    updated_at: showTime(head.updatedAt),
  };
}

function showWritten(head: RecordHead) {
  return { ...showHead(head), hash: head.hash };
}
