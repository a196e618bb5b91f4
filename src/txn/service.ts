import { KoorError } from "../contract/errors.ts";
import { compactJson, decodeString } from "../contract/json-text.ts";
import type { Handlers, Input } from "../contract/operation.ts";
import { RawJson } from "../contract/raw-json.ts";
import { type Collection, type Op, type OpResult, recordId } from "../core/commit.ts";
import { joinKey } from "../core/composite-key.ts";
import type { RefusalWords } from "../core/guard.ts";
import type { SpecChange, SpecGate } from "../core/spec-gate.ts";
import type { Store } from "../store/store.ts";
import { perform } from "../store/write.ts";
import { specNoun, stateNoun, wordsFor } from "../values/noun.ts";
import type { txnOperations } from "./contract.ts";

type Transaction = Input<(typeof txnOperations)["commit"]>["body"];
type Step = Transaction["do"][number];

export interface TxnOptions {
  store: Store;
  /** Refuse to overwrite what exists unless a condition says which version is replaced. */
  strictWrites: boolean;
  /** Judges the specs among what is written. */
  gate: SpecGate;
}

/**
 * Transactions over state, specs and events. Conditions are judged on what is there before. What is done is done in order:
 * a key may be put and deleted again, and each of it takes a version.
 */
export function txnService({ store, strictWrites, gate }: TxnOptions): Handlers<typeof txnOperations> {
  return {
    async commit({ body, ...terms }) {
      const { ops, words } = planOf(body, strictWrites, terms.caller.name);
      return perform(
        store,
        terms,
        async () => ({
          ops: [...ops, ...(await gate(ops.flatMap(specChange)))],
          note: null,
          optimistic: ops.length,
          wordsOf: (op) => words[op]?.() ?? {},
        }),
        (results, _, revision) => ({
          revision,
          results: body.do.map((step, index) => show(results[body.if.length + index] ?? null, step)),
        }),
      );
    },
  };
}

function specChange(op: Op): SpecChange[] {
  if ((op.kind !== "put" && op.kind !== "delete") || op.collection !== "specs") return [];
  return [{ key: op.key, value: op.kind === "put" ? op.value : null }];
}

/** Its operations, and what to say when one of them is refused: first the conditions, then what is to be done. */
function planOf(
  transaction: Transaction,
  strictWrites: boolean,
  source: string,
): { ops: Op[]; words: (() => RefusalWords)[] } {
  const conditions = transaction.if.map(({ version, ...target }): Op => {
    const { collection, key } = placeOf(target);
    return { kind: "guard", collection, key, guard: { version: version ?? 0 } };
  });
  const words = transaction.if.map((target, index) => () => placeOf(target).words(`if.${index}`));
  const named = new Set(transaction.if.map(idOf));
  /** Records that were written or deleted by what stands before, and whether they are there then. */
  const touched = new Map<string, boolean>();

  const steps = transaction.do.map((step, index): Op => {
    if (step.publish) {
      words.push(() => ({}));
      const { topic, data } = step.publish;
      const text = data instanceof RawJson ? data.text : JSON.stringify(data ?? null);
      // An event is one line wherever it goes.
      return { kind: "append", topic, data: compactJson(text), source };
    }
    const target = (step.put ?? step.delete) as Target;
    const place = placeOf(target);
    const path = `do.${index}.${step.put ? "put" : "delete"}`;
    words.push(() => place.words(path));
    const before = touched.get(idOf(target));
    touched.set(idOf(target), step.put !== undefined);
    if (!step.put) {
      if (before === false) {
        const { absent = "not found", hint } = place.words(path);
        throw new KoorError("not_found", absent, { path, hint });
      }
      return { ...place.remove, ...(before === undefined && { guard: { exists: true } }) };
    }
    const { value, contentType } = valueOf(step.put, `${path}.base64`);
    // Judged on what is there before, so that deleting it first is no way around.
    const guard = strictWrites && !named.has(idOf(target)) ? { fresh: true } : {};
    const type = place.collection === "specs" ? "application/json" : contentType;
    return { ...place.put, value, contentType: type, guard };
  });
  return { ops: [...conditions, ...steps], words };
}

interface Target {
  key?: string | undefined;
  spec?: string | undefined;
}

/** Where a target's record is, how it is changed and what is said of it. */
function placeOf({ key, spec }: Target) {
  const isSpec = spec !== undefined;
  const label = spec ?? key ?? "";
  const collection: Collection = isSpec ? "specs" : "state";
  const slash = label.indexOf("/");
  const recordKey = isSpec ? joinKey(label.slice(0, slash), label.slice(slash + 1)) : label;
  const noun = isSpec ? specNoun : stateNoun;
  const record = { collection, key: recordKey };
  return {
    ...record,
    /** What to say when it is refused. @param path where in the transaction it stands */
    words: (path: string): RefusalWords => ({
      ...wordsFor(noun, { key: recordKey, label }),
      path,
      write: `name the version you read in the transaction's if: {"${isSpec ? "spec" : "key"}":${JSON.stringify(label)},"version":N}`,
    }),
    put: { ...record, kind: "put" as const, audit: { action: `${noun.action}.put`, resource: label } },
    remove: {
      ...record,
      kind: "delete" as const,
      audit: { action: `${noun.action}.delete`, resource: label },
    },
  };
}

function idOf(target: Target): string {
  const { collection, key } = placeOf(target);
  return recordId(collection, key);
}

/** @param path where the bytes stand, for the refusal */
function valueOf(put: NonNullable<Step["put"]>, path: string): { value: Uint8Array; contentType: string } {
  if (put.base64 !== undefined) {
    const value = new Uint8Array(Buffer.from(put.base64, "base64"));
    if (value.length === 0) throw new KoorError("bad_request", "empty value", { path });
    return { value, contentType: put.content_type ?? "application/octet-stream" };
  }
  const contentType = put.content_type ?? "application/json";
  const text = put.value instanceof RawJson ? put.value.text : JSON.stringify(put.value);
  const isText = text.startsWith('"') && !/[/+]json\b/i.test(contentType);
  const meant = isText ? decodeString(text) : text;
  if (meant === "")
    throw new KoorError("bad_request", "empty value", { path: path.replace("base64", "value") });
  return { value: new TextEncoder().encode(meant), contentType };
}

function show(result: OpResult, { put, delete: removed }: Step) {
  if (removed) return { deleted: removed.spec ?? removed.key ?? "" };
  if (result && "event" in result) return { id: result.event.id, topic: result.event.topic };
  if (!result || !("record" in result) || !put)
    throw new Error("an operation of the transaction came to nothing");
  const { version, hash } = result.record;
  return put.spec === undefined
    ? { key: put.key as string, version, hash }
    : { spec: put.spec, version, hash };
}
