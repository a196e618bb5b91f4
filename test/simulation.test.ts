import { describe, expect, test } from "bun:test";
import type { Commit, Outcome } from "../src/core/commit.ts";
import { decide } from "../src/core/decide.ts";
import { type Feed, createFeed } from "../src/feed/feed.ts";
import type { Entry } from "../src/feed/log.ts";
import { groupCommit } from "../src/store/group-commit.ts";
import type { Parts } from "./proof/simulated-store.ts";
import { simulate } from "./proof/simulation.ts";

/** Seeds of a test run; `npm run torture` goes on with others. */
const seeds = Array.from({ length: 40 }, (_, seed) => seed);

/** Parts that are wrong in one thing, in the product's place. */
const planted: Record<string, () => Partial<Parts>> = {
  "an engine that answers before what it wrote is durable": () => ({ answers: "before" }),

  "a decide that forgets a version now and then": () => {
    let writes = 0;
    return {
      decide(batch, before, now) {
        const decision = decide(batch, before, now);
        return { ...decision, versions: decision.versions.filter(() => ++writes % 20 !== 0) };
      },
    };
  },

  "a decide that lets a condition pass": () => ({
    decide(batch, before, now) {
      const bare = batch.map((commit) => ({
        ...commit,
        ops: commit.ops.map((op) => (op.kind === "put" ? { ...op, guard: {} } : op)),
      }));
      return decide(bare, before, now);
    },
  }),

  "a decide that does not know what was made once": () => ({
    decide: (batch, before, now) =>
      decide(
        batch.map(({ ops, by }) => ({ ops, by })),
        before,
        now,
      ),
  }),

  "a decide that passes over an event's id": () => ({
    decide(batch, before, now) {
      const decision = decide(batch, before, now);
      const skipped = decision.events.length > 1 ? 1 : 0;
      return { ...decision, heads: { ...decision.heads, events: decision.heads.events + skipped } };
    },
  }),

  "a committer that sends a batch again after any failure": () => ({
    groupCommit: (transact, ...rest) =>
      groupCommit((batch) => transact(batch).catch(() => transact(batch)), ...rest),
  }),

  "a committer that gives neighbours each other's answers": () => ({
    groupCommit: (transact, ...rest) =>
      groupCommit(async (batch) => (await transact(batch)).reverse(), ...rest),
  }),

  "a committer that takes an answer for what it sent": () => ({
    groupCommit: () => ({ add() {}, commit: forgetful, idle: async () => {} }),
  }),

  "a feed that loses what a reader has no room for": () => ({
    createFeed(options) {
      const feed = createFeed(options);
      return {
        ...whole(feed),
        subscribe({ sink, ...where }) {
          let full = false;
          const send = (entry: Entry) => {
            if (full) {
              full = false;
              return true;
            }
            full = !sink.send(entry);
            return !full;
          };
          return feed.subscribe({ ...where, sink: { ...sink, send } });
        },
      };
    },
  }),

  "a feed that begins one too late": () => ({
    createFeed(options) {
      const feed = createFeed(options);
      return {
        ...whole(feed),
        subscribe: ({ after, ...how }) => feed.subscribe({ ...how, after: after && after + 1 }),
      };
    },
  }),
};

/** Without what is counted by a getter, which a copy would not follow. */
function whole({ place, reset, close }: Feed) {
  return { place, reset, close, subscriptions: 0, lag: 0, gaps: 0 };
}

/** Says yes to everything, and writes nothing. */
async function forgetful(commit: Commit): Promise<Outcome> {
  return { ok: true, revision: 1, results: commit.ops.map((op) => (op.kind === "append" ? nothing : null)) };
}
const nothing = { event: { id: 1, topic: "", data: "", source: "", createdAt: 0 } };

async function failure(seed: number, parts: Partial<Parts>): Promise<string | undefined> {
  return simulate(seed, parts).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

describe("decide, committer and feed on a simulated engine", () => {
  test("keep what they promise through delays, failures before and after writing, and kills (CAS-2, LIN-1, LOG-1, LOG-2, IDEM-1)", async () => {
    for (const seed of seeds) await simulate(seed);
  });

  test.each(Object.entries(planted))("%s is found, with the seed to see it again", async (_, plant) => {
    for (const seed of seeds) {
      const found = await failure(seed, plant());
      if (found === undefined) continue;
      expect(found).toStartWith(`simulation of seed ${seed}: `);
      expect(await failure(seed, plant())).toBe(found);
      return;
    }
    throw new Error("no seed found it");
  });
});
