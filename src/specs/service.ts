import { showTime } from "../contract/fields.ts";
import type { Handlers } from "../contract/operation.ts";
import type { RecordHead } from "../core/commit.ts";
import { joinKey, splitKey } from "../core/composite-key.ts";
import type { Place, ValueNoun, ValueOptions } from "../values/noun.ts";
import { valueReads } from "../values/reads.ts";
import { valueWrites } from "../values/writes.ts";
import type { specOperations } from "./contract.ts";

const noun: ValueNoun = {
  collection: "specs",
  action: "spec",
  what: "spec",
  listHint: "List them: koor-cli specs list PROJECT",
  historyHint: "List its versions: koor-cli specs history PROJECT/NAME",
};

/** Whatever type it came in as. */
const specType = "application/json";

/** The spec registry: what a project has agreed on, by project and name. */
export function specService(options: ValueOptions): Handlers<typeof specOperations> {
  const { store } = options;
  const reads = valueReads(options, noun);
  const writes = valueWrites(options, noun);
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

    get: (input) => reads.read(placeOf(input.params), input),

    async history({ params, query }) {
      return { ...params, versions: await reads.history(placeOf(params), query.limit) };
    },

    async diff({ params, query }) {
      return { ...params, ...(await reads.diff(placeOf(params), query.diff)) };
    },

    put: ({ params, body, contentType: _, ...asked }) =>
      writes.put(placeOf(params), { value: body, contentType: specType }, asked, showWritten),

    patch: ({ params, body, contentType, ...asked }) =>
      writes.patch(placeOf(params), { body, contentType }, asked, showWritten),

    rollback: ({ params, query, ...asked }) =>
      writes.rollback(placeOf(params), query.rollback, asked, showWritten),

    delete: ({ params, ...asked }) => writes.delete(placeOf(params), asked),
  };
}

/** How a person names a spec is not its key: two specs may read the same. */
function placeOf({ project, name }: { project: string; name: string }): Place {
  return { key: joinKey(project, name), label: `${project}/${name}` };
}

function showWritten({ key, version, hash, updatedAt }: RecordHead) {
  const [project, name] = splitKey(key) as [string, string];
  return { project, name, version, hash, updated_at: showTime(updatedAt) };
}
