import { KoorError } from "../contract/errors.ts";
import type { Once, Terms } from "../contract/operation.ts";
import type { Commit, EventRow, KeptOnce, Op, OpResult, RecordHead } from "../core/commit.ts";
import { type RefusalWords, expectCommitted } from "../core/guard.ts";
import { refusePlaceInLine, whyLost } from "./fence.ts";
import type { Store } from "./store.ts";
import { decodeJson } from "../core/json-bytes.ts";

/** How often a change is worked out anew when another came between its reads and its commit. */
const attempts = 10;

/** What a request comes to, before it is committed. */
export interface Plan<Note> {
  ops: readonly Op[];
  /** What the answer needs beside the results; JSON, since it is kept for whoever sends the request again. */
  note: Note;
  /**
   * The guards are of the service's own making: when one fails, it reads again and makes another plan. A number: so are
   * those of the operations from this index on, and the others are the caller's.
   */
  optimistic?: boolean | number;
  /** What to say when the operation of this index is refused: of a record that must exist and does not, of its version. */
  wordsOf?: (op: number) => RefusalWords;
}

/**
 * The one way in which requests change the store: makes a plan, commits it under the request's terms, and shows what it
 * came to. A request that was made before under the same idempotency key changes nothing and is shown the same.
 *
 * @param plan called again when the plan was optimistic and another change came in between
 * @param show what the caller is told: a function of the results, the note and the commit's revision alone
 * @throws KoorError what `plan` throws; `version_mismatch`, `not_found`, `lease_lost`; `conflict` when others are
 * always quicker; `key_reused` for another request under a key in use
 */
export async function perform<Note, Answer>(
  store: Store,
  terms: Terms,
  plan: () => Plan<Note> | Promise<Plan<Note>>,
  show: (results: readonly OpResult[], note: Note, revision: number) => Answer,
): Promise<Answer> {
  const { once, fence, caller } = terms;
  const before: Op[] = fence
    ? [{ kind: "guard", collection: "leases", key: fence.lease, guard: { fence: fence.fence } }]
    : [];
  const repeat = (made: Made) => show(made.results.slice(before.length), made.note as Note, made.revision);
  const made = once && (await recall(store, once));
  if (made) return repeat(made);
  if (fence) await refusePlaceInLine(store, fence);

  for (let attempt = 0; attempt < attempts; attempt++) {
    const { ops, note, optimistic, wordsOf } = await plan();
    const commit: Commit = { by: caller.name, ops: before.length === 0 ? ops : [...before, ...ops] };
    if (once) commit.once = { ...once, note: JSON.stringify(note ?? null) };
    else if (commit.ops.length === 0) return show([], note, 0);
    const outcome = await store.commit(commit);
    if (outcome.ok) return show(outcome.results.slice(before.length), note, outcome.revision);
    if (outcome.failure === "repeated") {
      const meanwhile = await recall(store, once as Once);
      if (meanwhile) return repeat(meanwhile);
    } else {
      const op = outcome.op - before.length;
      if (fence && op < 0) throw await whyLost(store, fence);
      const isOwn = typeof optimistic === "number" ? op >= optimistic : optimistic;
      if (!isOwn || outcome.failure === "lost" || outcome.failure === "unconditional")
        expectCommitted(outcome, wordsOf?.(op));
    }
  }
  throw new KoorError("conflict", "others are changing this all the time", {
    hint: "Nothing was changed. Try the same request again.",
  });
}

interface Made {
  results: readonly OpResult[];
  note: unknown;
  revision: number;
}

/** What a request came to when it was first made. @throws KoorError `key_reused` when it was another one */
async function recall(store: Store, once: Once): Promise<Made | undefined> {
  const record = await store.get("idempotency", once.key);
  if (!record) return undefined;
  const kept = decodeJson<KeptOnce>(record.value);
  if (kept.fingerprint !== once.fingerprint) {
    throw new KoorError("key_reused", "this Idempotency-Key was used for another request", {
      path: "Idempotency-Key",
      hint: "Nothing was changed. Send a new request under a key of its own.",
    });
  }
  // It was kept in the commit itself, so that its record bears the same revision.
  return { results: kept.results, note: JSON.parse(kept.note) as unknown, revision: record.revision };
}

/** The record that an operation wrote. */
export function writtenRecord(results: readonly OpResult[], index = 0): RecordHead {
  const result = results[index];
  if (!result || !("record" in result)) throw new Error(`operation ${index} of the commit wrote no record`);
  return result.record;
}

/** The event that an operation appended. */
export function appendedEvent(results: readonly OpResult[], index = 0): EventRow {
  const result = results[index];
  if (!result || !("event" in result)) throw new Error(`operation ${index} of the commit appended no event`);
  return result.event;
}
