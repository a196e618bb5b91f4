import type { Terms } from "../../src/contract/operation.ts";
import type { Op } from "../../src/core/commit.ts";
import { appendedEvent, perform, writtenRecord } from "../../src/store/write.ts";
import { KoorError } from "../../src/contract/errors.ts";
import type { Random } from "./random.ts";
import type { Answer, Call, Operation } from "./register.ts";
import { type Process, type World, answerOf } from "./simulated-world.ts";

const keys = ["a", "b", "c"];
const encoder = new TextEncoder();

/** One thing after the other, each of them until it is answered, where an idempotency key allows to send it again. */
export async function runClient(
  world: World,
  number: number,
  operations: number,
  random: Random,
): Promise<void> {
  const known = new Map<string, number>();
  for (let n = 0; n < operations; n++) {
    await world.time.sleep(random.below(40));
    const mark = `${number}/${n}`;
    const once = random.chance(0.5) ? { once: { key: mark, fingerprint: mark } } : {};
    const terms: Terms = { caller: { name: "" }, ...once };
    if (random.chance(0.3)) await publish(world, mark, terms, random);
    else if (random.chance(0.05)) await breakRules(world);
    else await change(world, mark, terms, random, known);
  }
}

/** Sends a request until something is known of it, or it must not be sent again. */
async function send<T>(
  world: World,
  random: Random,
  terms: Terms,
  request: (process: Process) => Promise<T>,
): Promise<{ answer: T } | { refusal: KoorError } | undefined> {
  for (let maybe = false; ;) {
    const process = await world.process();
    try {
      return { answer: await answerOf(process, request(process)) };
    } catch (error) {
      const refused = error instanceof KoorError;
      if (refused && error.reason !== "unavailable") return { refusal: error };
      maybe ||= !refused;
      if (!terms.once) return maybe ? undefined : { refusal: error as KoorError };
      await world.time.sleep(random.below(60));
    }
  }
}

async function publish(world: World, mark: string, terms: Terms, random: Random): Promise<void> {
  world.marks.set(mark, { fate: "unknown" });
  const op: Op = {
    kind: "append",
    topic: random.pick(["even", "odd"]),
    data: JSON.stringify(mark),
    source: "",
  };
  const outcome = await send(world, random, terms, ({ store }) =>
    perform(
      store,
      terms,
      () => ({ ops: [op], note: null }),
      (results) => appendedEvent(results).id,
    ),
  );
  if (!outcome) return;
  world.marks.set(mark, "answer" in outcome ? { fate: "done", event: outcome.answer } : { fate: "refused" });
}

/** A commit that no service would make takes none of its neighbours along. */
async function breakRules(world: World): Promise<void> {
  const process = await world.process();
  const op: Op = { kind: "delete", collection: "state", key: "unlabelled" };
  await answerOf(process, process.store.commit({ ops: [op], by: "" })).then(
    () => Promise.reject(new Error("a change without a label was accepted")),
    () => {},
  );
}

async function change(
  world: World,
  mark: string,
  terms: Terms,
  random: Random,
  known: Map<string, number>,
): Promise<void> {
  const key = random.pick(keys);
  const expected = random.chance(0.5) ? { expected: known.get(key) ?? 0 } : {};
  const call = random.pick<Call>([
    { kind: "read" },
    { kind: "write", value: mark, ...expected },
    { kind: "write", value: mark, ...expected },
    { kind: "delete" },
  ]);
  const operation: Operation = { call, answer: undefined, calledAt: world.moment(), answeredAt: Infinity };
  const history = world.histories.get(key) ?? [];
  world.histories.set(key, history);
  if (call.kind === "write") world.marks.set(mark, { fate: "unknown" });
  const outcome = await send(world, random, terms, (process) => ask(process, key, call, terms));
  const answer = outcome && ("answer" in outcome ? outcome.answer : answerTo(outcome.refusal));
  if (call.kind === "write" && outcome)
    world.marks.set(mark, { fate: "answer" in outcome ? "done" : "refused" });
  // Where nothing was written, for whatever fault of the engine, there is nothing to order.
  if (outcome && !answer) return;
  history.push(operation);
  if (!answer) return;
  operation.answer = answer;
  operation.answeredAt = world.moment();
  if ("version" in answer) known.set(key, answer.version);
}

async function ask({ store }: Process, key: string, call: Call, terms: Terms): Promise<Answer> {
  if (call.kind === "read") {
    const record = await store.get("state", key);
    return record
      ? { kind: "read", version: record.version, value: new TextDecoder().decode(record.value) }
      : { kind: "absent" };
  }
  const shared = {
    collection: "state",
    key,
    audit: { action: `state.${call.kind}`, resource: key },
  } as const;
  if (call.kind === "delete") {
    const op: Op = { kind: "delete", ...shared, guard: { exists: true } };
    return perform(
      store,
      terms,
      () => ({ ops: [op], note: null }),
      () => ({ kind: "deleted" }),
    );
  }
  const guard = call.expected === undefined ? {} : { version: call.expected };
  const op: Op = {
    kind: "put",
    ...shared,
    value: encoder.encode(call.value),
    contentType: "text/plain",
    guard,
  };
  return perform(
    store,
    terms,
    () => ({ ops: [op], note: null }),
    (results) => ({
      kind: "written",
      version: writtenRecord(results).version,
    }),
  );
}

/** What a refusal says of the key; undefined when it says nothing of it. */
function answerTo({ reason, details }: KoorError): Answer | undefined {
  if (reason === "not_found") return { kind: "absent" };
  if (reason === "version_mismatch") return { kind: "mismatch", current: details.current ?? 0 };
  return undefined;
}
