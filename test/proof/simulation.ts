import assert from "node:assert/strict";
import { eventLog } from "../../src/events/log.ts";
import { MemoryTables } from "../../src/store/memory/tables.ts";
import { isLinearizable } from "./linearizability.ts";
import { type Random, seeded } from "./random.ts";
import { type Operation, register } from "./register.ts";
import { type Parts, type Trouble, openSimulated, productParts } from "./simulated-store.ts";
import { runClient } from "./simulated-client.ts";
import { type Received, runSubscriber } from "./simulated-subscriber.ts";
import type { Mark, Process, World } from "./simulated-world.ts";
import { virtualTime } from "./virtual-time.ts";

const clients = 6;
const operations = 25;
const patterns = ["*", "even", "odd", "e*"];
const troubled: Trouble = { failsBefore: 0.03, failsAfter: 0.04, readFails: 0.05 };
const calm: Trouble = { failsBefore: 0, failsAfter: 0, readFails: 0 };

/**
 * Runs the product's `decide`, committer and feed on a clock of its own, with an engine that is slow, fails before and
 * after writing, and is killed; clients that write, compare, delete, publish, and send again under an idempotency key; and
 * subscribers that are slow and come and go. Then holds what is stored and what was received against what was answered.
 *
 * @throws Error that names the seed: the same seed is the same run
 */
export async function simulate(seed: number | string, parts: Partial<Parts> = {}): Promise<void> {
  try {
    await run(seeded(seed), { ...productParts, ...parts });
  } catch (error) {
    throw new Error(`simulation of seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}

async function run(random: Random, parts: Parts): Promise<void> {
  const time = virtualTime();
  const tables = new MemoryTables();
  let trouble = troubled;
  let moment = 0;
  let ending = false;
  let current = Promise.withResolvers<Process>();
  const marks = new Map<string, Mark>();
  const histories = new Map<string, Operation[]>();
  const world: World = {
    time,
    tables,
    marks,
    histories,
    process: () => current.promise,
    moment: () => moment++,
    ending: () => ending,
  };

  /** Starts and kills, until the clients have ended; the last process lives on. */
  async function runProcesses(): Promise<void> {
    for (let life = 0; ; life++) {
      const own = random.fork(`process ${life}`);
      const { store, kill } = openSimulated({ tables, time, random: own, parts, trouble: () => trouble });
      const feed = parts.createFeed({
        log: eventLog(store),
        now: time.now,
        onError() {},
        rest: () => time.sleep(own.below(20)),
      });
      const death = Promise.withResolvers<never>();
      death.promise.catch(() => {});
      current.resolve({ store, feed, died: death.promise });
      await time.sleep(50 + own.below(400));
      if (ending) return;
      current = Promise.withResolvers();
      kill();
      death.reject(new Error("the process was killed"));
      await time.sleep(own.below(30));
    }
  }

  let faults: unknown;
  const note = (fault: unknown) => void (faults ??= fault);
  runProcesses().catch(note);
  const working = Array.from({ length: clients }, (_, number) =>
    runClient(world, number, operations, random.fork(`client ${number}`)),
  );
  const received: Received[] = patterns.map((pattern) => ({ pattern, events: [], position: 0 }));
  for (const [index, list] of received.entries()) {
    runSubscriber(world, list, random.fork(`subscriber ${index}`)).catch(note);
  }
  let worked = false;
  void Promise.all(working).then(() => (worked = true), note);
  await time.runUntil(() => worked || faults !== undefined);
  if (faults) throw faults;

  trouble = calm;
  ending = true;
  // A log that could not be read is read again at the next hint.
  let published = false;
  const publishLast = async () => {
    const { store } = await world.process();
    await store.commit({ ops: [{ kind: "append", topic: "even", data: '"end"', source: "" }], by: "" });
    published = true;
  };
  publishLast().catch(note);
  const caughtUp = () => published && received.every(({ position }) => position === tables.heads.events);
  await time.runUntil(() => caughtUp() || faults !== undefined);
  if (faults) throw faults;
  checkStored(world);
  checkReceived(world, received);
}

function checkStored({ tables, marks, histories }: World): void {
  const times = new Map<string, number>();
  const count = (mark: string) => times.set(mark, (times.get(mark) ?? 0) + 1);
  for (const [id, rows] of tables.versions) {
    if (!id.startsWith("state")) continue;
    for (const [index, { head, value }] of rows.entries()) {
      assert.equal(head.version, index + 1, `${head.key}: version ${head.version} in place ${index + 1}`);
      if (!head.deleted) count(new TextDecoder().decode(value));
    }
    assert.equal(tables.records.get(id)?.version, rows.length, `${id}: the record's version`);
  }
  for (const [index, event] of tables.events.entries()) {
    assert.equal(event.id, index + 1, `event ${event.id} in place ${index + 1}`);
    count(JSON.parse(event.data) as string);
  }
  assert.equal(tables.heads.events, tables.events.length, "the heads' last event");
  for (const [mark, { fate, event }] of marks) {
    const found = times.get(mark) ?? 0;
    if (fate === "done") assert.equal(found, 1, `${mark} was acknowledged and is there ${found} times`);
    if (fate === "refused") assert.equal(found, 0, `${mark} was refused and is there`);
    assert.ok(found <= 1, `${mark} is there ${found} times`);
    if (event !== undefined)
      assert.equal(tables.events[event - 1]?.data, JSON.stringify(mark), `event ${event}`);
  }
  for (const [key, history] of histories) {
    assert.ok(isLinearizable(register, history), `${key}: what clients saw is not linearizable`);
  }
}

/** Each subscriber has what matches its pattern, each once and in order. */
function checkReceived({ tables }: World, received: readonly Received[]): void {
  for (const { pattern, events } of received) {
    const wanted = tables.events.filter(
      ({ topic }) => ["*", topic].includes(pattern) || (pattern === "e*" && topic === "even"),
    );
    assert.deepEqual(
      events.map(({ id, data }) => [id, JSON.stringify(data)]),
      wanted.map(({ id, data }) => [id, data]),
      `the subscriber of ${pattern}`,
    );
  }
}
