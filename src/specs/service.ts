import { createHash } from "node:crypto";
import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import type { Condition, Handlers, Terms } from "../contract/operation.ts";
import type { Op, RecordHead } from "../core/commit.ts";
import { joinKey, splitKey } from "../core/composite-key.ts";
import { overwriteGuard } from "../core/guard.ts";
import type { SpecGate } from "../core/spec-gate.ts";
import { perform } from "../store/write.ts";
import { type Place, type ValueOptions, specNoun, wordsFor } from "../values/noun.ts";
import { valueReads } from "../values/reads.ts";
import { valueWrites } from "../values/writes.ts";
import type { specOperations } from "./contract.ts";

/** Whatever type it came in as. */
const specType = "application/json";

export interface SpecOptions extends ValueOptions {
  gate: SpecGate;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** The spec registry: what a project has agreed on, by project and name. */
export function specService(options: SpecOptions): Handlers<typeof specOperations> {
  const { store } = options;
  const tryPut = dryRun(options);
  const reads = valueReads(options, specNoun);
  const writes = valueWrites(options, specNoun);
  return {
    async projects() {
      const counts = new Map<string, number>();
      for await (const page of store.pages("specs")) {
        for (const { key } of page) {
          const [project] = splitKey(key) as [string, string];
          counts.set(project, (counts.get(project) ?? 0) + 1);
        }
      }
      return [...counts]
        .map(([project, specs]) => ({ project, specs }))
        .sort((a, b) => (a.project < b.project ? -1 : 1));
    },

    async list({ params: { project } }) {
      const found = [];
      for await (const page of store.pages("specs", { prefix: joinKey(project) })) {
        for (const { key, version, updatedAt } of page) {
          const [, name] = splitKey(key) as [string, string];
          found.push({ name, version, updated_at: showTime(updatedAt) });
        }
      }
      const specs = found.sort((a, b) => (a.name < b.name ? -1 : 1));
      return { project, specs };
    },

    get: (input) => reads.read(placeOf(input.params), input),

    async history({ params, query }) {
      return { ...params, versions: await reads.history(placeOf(params), query.limit) };
    },

    async diff({ params, query }) {
      return { ...params, ...(await reads.diff(placeOf(params), query.diff)) };
    },

    put: ({ params, query, body, contentType: _, ...asked }) =>
      query.dry_run === "1"
        ? tryPut(params, body, asked)
        : writes.put(placeOf(params), { value: body, contentType: specType }, asked, showWritten),

    patch: ({ params, body, contentType, ...asked }) =>
      writes.patch(placeOf(params), { body, contentType }, asked, showWritten),

    rollback: ({ params, query, ...asked }) =>
      writes.rollback(placeOf(params), query.rollback, asked, showWritten),

    delete: ({ params, ...asked }) => writes.delete(placeOf(params), asked),
  };
}

/** What a write would come to: its guards are judged as in the write itself, and nothing else is done. */
function dryRun({ store, gate, strictWrites, now }: SpecOptions) {
  return (
    params: { project: string; name: string },
    value: Uint8Array,
    asked: Terms & { condition: Condition },
  ) => {
    if (value.length === 0) throw new KoorError("bad_request", "empty body", { path: "body" });
    const place = placeOf(params);
    const { key } = place;
    const { condition, ...terms } = asked;
    const plan = async () => {
      const guard: Op = {
        kind: "guard",
        collection: "specs",
        key,
        guard: overwriteGuard(condition, strictWrites),
      };
      const guards = await gate([{ key, value }]);
      const note = { version: ((await store.head("specs", key))?.version ?? 0) + 1, at: now() };
      return { ops: [guard, ...guards], note, optimistic: 1, wordsOf: () => wordsFor(specNoun, place) };
    };
    return perform(store, terms, plan, (_, { version, at }) => ({
      project: params.project,
      name: params.name,
      version,
      hash: createHash("sha256").update(value).digest("hex"),
      updated_at: showTime(at),
      dry_run: true as const,
    }));
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
