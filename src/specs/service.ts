import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import type { Handlers } from "../contract/operation.ts";
import { changeTopic } from "../core/audit.ts";
import type { Op } from "../core/commit.ts";
import { joinKey, splitKey } from "../core/composite-key.ts";
import type { WaitForVersion } from "../core/version-wait.ts";
import type { Store } from "../store/store.ts";
import { readStored } from "../store/values.ts";
import { perform, writtenRecord } from "../store/write.ts";
import type { specOperations } from "./contract.ts";

// A name from a request never stands in a command: agents run those.
const listHint = "List them: koor-cli specs list PROJECT";

/** The spec registry: what a project has agreed on, by project and name. */
export function specService(store: Store, waitForVersion: WaitForVersion): Handlers<typeof specOperations> {
  return {
    async projects() {
      const counts = new Map<string, number>();
      for (const { key } of await store.list("specs")) {
        const [project] = splitKey(key) as [string, string];
        counts.set(project, (counts.get(project) ?? 0) + 1);
      }
      return [...counts]
        .map(([project, specs]) => ({ project, specs }))
        .sort((a, b) => (a.project < b.project ? -1 : 1));
    },

    async list({ params: { project } }) {
      const heads = await store.list("specs", { prefix: joinKey(project) });
      const specs = heads
        .map(({ key, version, updatedAt }) => {
          const [, name] = splitKey(key) as [string, string];
          return { name, version, updated_at: showTime(updatedAt) };
        })
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      return { project, specs };
    },

    async get({ params, query, condition, signal }) {
      const key = joinKey(params.project, params.name);
      const topic = changeTopic({ action: "spec.put", resource: label(params) });
      const unchanged = await waitForVersion({ collection: "specs", key, topic, query, signal });
      return unchanged ?? readStored(store, "specs", key, condition, absent(params), listHint);
    },

    async put({ params, body, condition, ...terms }) {
      if (body.length === 0) throw new KoorError("bad_request", "empty body", { path: "body" });
      const op: Op = {
        kind: "put",
        collection: "specs",
        key: joinKey(params.project, params.name),
        value: body,
        contentType: "application/json",
        guard: condition,
        audit: { action: "spec.put", resource: label(params) },
      };
      return perform(
        store,
        terms,
        () => ({ ops: [op], note: null }),
        (results) => {
          const { version, hash, updatedAt } = writtenRecord(results);
          return { ...params, version, hash, updated_at: showTime(updatedAt) };
        },
      );
    },

    async delete({ params, condition, ...terms }) {
      const op: Op = {
        kind: "delete",
        collection: "specs",
        key: joinKey(params.project, params.name),
        guard: { ...condition, exists: true },
        audit: { action: "spec.delete", resource: label(params) },
      };
      const plan = { ops: [op], note: null, absent: absent(params), hint: listHint };
      return perform(
        store,
        terms,
        () => plan,
        () => ({ deleted: label(params) }),
      );
    },
  };
}

/** How a person names a spec. Not a key: two specs may read the same. */
function label({ project, name }: { project: string; name: string }): string {
  return `${project}/${name}`;
}

function absent(params: { project: string; name: string }): string {
  return `spec not found: ${label(params)}`;
}
