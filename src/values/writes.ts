import { KoorError } from "../contract/errors.ts";
import { limits } from "../contract/limits.ts";
import { type Condition, type Terms, patchTypes } from "../contract/operation.ts";
import type { Op, RecordHead } from "../core/commit.ts";
import { expectCondition, overwriteGuard } from "../core/guard.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import { perform, writtenRecord } from "../store/write.ts";
import type { PatchForm } from "./document-job.ts";
import { type Place, type ValueNoun, type ValueOptions, currentOf, versionOf, wordsFor } from "./noun.ts";

/** What a change is asked for with. */
type Asked = Terms & { condition: Condition };

type Show<Answer> = (record: RecordHead) => Answer;

/** Writing values: whole, in part, as they were before, and not at all. */
export function valueWrites(options: ValueOptions, noun: ValueNoun) {
  const { store, strictWrites } = options;
  const patchNow = patcher(options, noun);
  const inTurn = oneAtATime();
  return {
    async put<Answer>(
      place: Place,
      { value, contentType }: { value: Uint8Array; contentType: string },
      { condition, ...terms }: Asked,
      show: Show<Answer>,
    ): Promise<Answer> {
      if (value.length === 0) throw new KoorError("bad_request", "empty body", { path: "body" });
      const op: Op = {
        ...putOf(noun, place, value, contentType),
        guard: overwriteGuard(condition, strictWrites),
      };
      const plan = async () => ({
        ops: [op, ...(await admit(options, place, value))],
        note: null,
        optimistic: 1,
        wordsOf: () => wordsFor(noun, place),
      });
      return perform(store, terms, plan, (results) => show(writtenRecord(results)));
    },

    /**
     * Changes parts of a value. It is worked out from what was read and committed under that version, and patches of one
     * key wait for each other, so that many at once do not wear each other out. Not an overwrite, as long as what it does not
     * name stays as others left it: then `--strict-writes` lets it be.
     */
    async patch<Answer>(
      place: Place,
      { body, contentType }: { body: Uint8Array; contentType: string },
      asked: Asked,
      show: Show<Answer>,
    ): Promise<Answer> {
      const form = formOf(contentType);
      return inTurn(place.key, () => patchNow(place, body, form, asked, show));
    },

    async rollback<Answer>(
      place: Place,
      version: number,
      { condition, ...terms }: Asked,
      show: Show<Answer>,
    ): Promise<Answer & { rolled_back: number }> {
      const plan = async () => {
        const { value, contentType } = await versionOf(store, noun, place, version);
        const op: Op = {
          ...putOf(noun, place, value, contentType),
          guard: overwriteGuard(condition, strictWrites),
          audit: {
            action: `${noun.action}.rollback`,
            resource: place.label,
            detail: { rolled_back: version },
          },
        };
        const ops = [op, ...(await admit(options, place, value))];
        return { ops, note: null, optimistic: 1, wordsOf: () => wordsFor(noun, place) };
      };
      return perform(store, terms, plan, (results) => ({
        ...show(writtenRecord(results)),
        rolled_back: version,
      }));
    },

    async delete(place: Place, { condition, ...terms }: Asked): Promise<{ deleted: string }> {
      const op: Op = {
        kind: "delete",
        collection: noun.collection,
        key: place.key,
        guard: { ...condition, exists: true },
        audit: { action: `${noun.action}.delete`, resource: place.label },
      };
      const plan = async () => ({
        ops: [op, ...(await admit(options, place, null))],
        note: null,
        optimistic: 1,
        wordsOf: () => wordsFor(noun, place),
      });
      return perform(store, terms, plan, () => ({ deleted: place.label }));
    },
  };
}

/** Works a patch out from what is there, and writes it if that is still there. */
function patcher(options: ValueOptions, noun: ValueNoun) {
  const { store, documents, strictWrites } = options;
  return async <Answer>(
    place: Place,
    body: Uint8Array,
    form: PatchForm,
    { condition, ...terms }: Asked,
    show: Show<Answer>,
  ): Promise<Answer> => {
    const plan = async () => {
      const record = await currentOf(store, noun, place);
      expectCondition(condition, record, wordsFor(noun, place));
      const job = { kind: "patch", document: record.value, patch: body, form } as const;
      const { text, replacesAll = false } = await documents.run(job);
      const value = new TextEncoder().encode(text);
      if (value.length > limits.valueBytes) {
        throw new KoorError("too_large", `the patched value is over ${limits.valueBytes} bytes`);
      }
      const op: Op = {
        ...putOf(noun, place, value, record.contentType),
        guard: { version: record.version, ...(replacesAll && overwriteGuard(condition, strictWrites)) },
        audit: { action: `${noun.action}.patch`, resource: place.label },
      };
      return { ops: [op, ...(await admit(options, place, value))], note: null, optimistic: true };
    };
    return perform(store, terms, plan, (results) => show(writtenRecord(results)));
  };
}

/** What goes into the commit behind the change itself. @throws KoorError for a change that is not let through */
async function admit({ gate }: ValueOptions, { key }: Place, value: Uint8Array | null): Promise<Op[]> {
  return gate ? gate([{ key, value }]) : [];
}

function putOf(noun: ValueNoun, place: Place, value: Uint8Array, contentType: string): Op & { kind: "put" } {
  const audit = { action: `${noun.action}.put`, resource: place.label };
  return { kind: "put", collection: noun.collection, key: place.key, value, contentType, audit };
}

function formOf(contentType: string): PatchForm {
  if (contentType === patchTypes.merge) return "merge";
  return contentType === patchTypes.operations ? "operations" : "either";
}
