import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Glob, compileGlobs } from "../core/glob.ts";
import { type Feed, createFeed } from "./feed.ts";
import type { Entry, Log } from "./log.ts";

/** A log whose reads and hints come when the test says, and whose oldest entries can go. */
function scriptedLog() {
  const entries: Entry[] = [];
  let first = 1;
  let last = 0;
  const listeners = new Set<(last: number) => void>();
  let failing = false;
  const log: Log = {
    async read(after, limit, topic?: Glob) {
      await Promise.resolve();
      if (failing) throw new Error("the engine is away");
      return entries
        .filter(({ id, topic: name }) => id > after && id >= first && (!topic || topic.test(name)))
        .slice(0, limit);
    },
    async heads() {
      await Promise.resolve();
      return { epoch: "one", first, last };
    },
    watch: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    log,
    append(topic: string, hint = true) {
      last += 1;
      const frame = `${last}`;
      entries.push({ id: last, topic, size: frame.length, frame: () => frame });
      if (hint) for (const listener of listeners) listener(last);
    },
    hint: () => listeners.forEach((listener) => listener(last)),
    trim(keep: number) {
      first = Math.max(first, last - keep + 1);
    },
    fail(state: boolean) {
      failing = state;
    },
    last: () => last,
    watchers: () => listeners.size,
  };
}

const settle = async () => {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
};

function reader(feed: Feed, after: number, pattern = "*", room = () => true) {
  const frames: string[] = [];
  const subscription = feed.subscribe({
    after,
    topic: compileGlobs(pattern),
    sink: {
      send(entry) {
        frames.push(entry.frame());
        return room();
      },
      gap(from, to) {
        frames.push(`gap ${from}-${to}`);
        return room();
      },
    },
  });
  return { frames, subscription };
}

const open = (log: Log, errors: unknown[] = []) =>
  createFeed({ log, now: () => 7, onError: (error) => errors.push(error) });

describe("the feed", () => {
  test("sends what matches after the position, from the log and then live", async () => {
    const source = scriptedLog();
    for (const topic of ["a", "b", "a"]) source.append(topic);
    const feed = open(source.log);
    const { frames } = reader(feed, 1, "a");
    await settle();
    expect(frames).toEqual(["3"]);
    source.append("b");
    source.append("a");
    await settle();
    expect(frames).toEqual(["3", "5"]);
  });

  test("a reader without room stays where it is, delays nobody, and goes on from there", async () => {
    const source = scriptedLog();
    const feed = open(source.log);
    const stuck = reader(feed, 0, "*", () => false);
    const healthy = reader(feed, 0);
    for (let index = 0; index < 5000; index++) source.append("t");
    await settle();
    expect(healthy.frames).toHaveLength(5000);
    expect(stuck.frames).toEqual(["1"]);
    expect(stuck.subscription).toMatchObject({ blockedSince: 7, position: 1 });
    stuck.subscription.resume();
    await settle();
    expect(stuck.frames).toEqual(["1", "2"]);
  });

  test("what retention took is told once, and then the rest", async () => {
    const source = scriptedLog();
    for (let index = 0; index < 20; index++) source.append("t");
    source.trim(3);
    const feed = open(source.log);
    const { frames } = reader(feed, 5);
    await settle();
    expect(frames).toEqual(["gap 6-17", "18", "19", "20"]);
    expect([feed.gaps, feed.lag]).toEqual([1, 0]);
  });

  test("when the log cannot be read nobody is dropped, and the next hint goes on", async () => {
    const source = scriptedLog();
    const errors: unknown[] = [];
    const { frames } = reader(open(source.log, errors), 0);
    await settle();
    source.fail(true);
    source.append("t");
    await settle();
    expect(errors.length).toBeGreaterThan(0);
    source.fail(false);
    source.append("t");
    await settle();
    expect(frames).toEqual(["1", "2"]);
  });

  test("a reader behind the tail whose read failed goes on with a hint that tells of nothing new", async () => {
    const source = scriptedLog();
    const feed = open(source.log);
    for (let index = 0; index < 3; index++) source.append("t");
    const healthy = reader(feed, 0);
    await settle();
    source.append("t");
    await settle();
    source.fail(true);
    const late = reader(feed, 1);
    await settle();
    expect(late.frames).toEqual([]);
    source.fail(false);
    source.hint();
    await settle();
    expect([healthy.frames, late.frames]).toEqual([
      ["1", "2", "3", "4"],
      ["2", "3", "4"],
    ]);
  });

  test("after closing it hears no more", async () => {
    const source = scriptedLog();
    const feed = open(source.log);
    const { frames, subscription } = reader(feed, 0);
    await settle();
    subscription.close();
    source.append("t");
    await settle();
    expect(frames).toEqual([]);
    feed.close();
    expect(source.watchers()).toBe(0);
  });

  test("every reader sees each match once and in order, or is told of the gap, whatever happens (LOG-2)", async () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant("append" as const),
          topic: fc.constantFrom("a", "b"),
          hint: fc.boolean(),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant("burst" as const), size: fc.integer({ min: 1, max: 1500 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant("trim" as const), keep: fc.integer({ min: 0, max: 50 }) }),
      },
      { weight: 3, arbitrary: fc.record({ do: fc.constant("resume" as const), reader: fc.nat(3) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("fail" as const), state: fc.boolean() }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), turns: fc.nat(5) }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.infiniteStream(fc.boolean()),
        async (steps, rooms) => {
          const source = scriptedLog();
          const feed = open(source.log);
          const patterns = ["*", "a", "b", "[ab]"];
          const readers = patterns.map((pattern) =>
            reader(feed, 0, pattern, () => rooms.next().value as boolean),
          );
          const topics: string[] = [];
          for (const act of steps) {
            if (act.do === "append") {
              topics.push(act.topic);
              source.append(act.topic, act.hint);
            } else if (act.do === "burst") {
              for (let index = 0; index < act.size; index++) {
                topics.push("a");
                source.append("a", false);
              }
              source.hint();
            } else if (act.do === "trim") source.trim(act.keep);
            else if (act.do === "resume") readers[act.reader]?.subscription.resume();
            else if (act.do === "fail") source.fail(act.state);
            else
              for (let turn = 0; turn < act.turns; turn++)
                await new Promise((resolve) => setImmediate(resolve));
          }
          source.fail(false);
          source.hint();
          for (
            let round = 0;
            readers.some(({ subscription }) => subscription.position < source.last()) && round < 20_000;
            round++
          ) {
            for (const { subscription } of readers) subscription.resume();
            await new Promise((resolve) => setImmediate(resolve));
          }
          for (const [index, { frames }] of readers.entries()) {
            const glob = compileGlobs(patterns[index]);
            let next = 1;
            for (const frame of frames) {
              const [, from, to] = /^gap (\d+)-(\d+)$/.exec(frame) ?? [];
              const until = from === undefined ? Number(frame) : Number(from);
              // Whatever was passed over without a word did not match.
              for (let id = next; id < until; id++) expect(glob.test(topics[id - 1] as string)).toBe(false);
              expect(until).toBeGreaterThanOrEqual(next);
              next = Number(to ?? frame) + 1;
            }
            for (let id = next; id <= topics.length; id++)
              expect(glob.test(topics[id - 1] as string)).toBe(false);
          }
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);
});
