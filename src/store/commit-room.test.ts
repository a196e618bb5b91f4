import { describe, expect, test } from "bun:test";
import type { Commit, Outcome } from "../core/commit.ts";
import { boundedCommit, queueBytes, queueCommits } from "./commit-room.ts";
import { groupCommit } from "./group-commit.ts";

const done: Outcome = { ok: true, revision: 1, results: [] };
const one = (bytes = 0): Commit => ({
  by: "",
  ops: [{ kind: "append", topic: "t", data: "x".repeat(bytes), source: "" }],
});

/** An engine that writes when the test says so. */
function stoppedEngine() {
  const gate = Promise.withResolvers<void>();
  const committer = groupCommit(async (batch) => {
    await gate.promise;
    return batch.map(() => done);
  });
  return { commit: boundedCommit(committer.commit), start: () => gate.resolve() };
}

describe("what waits for an engine", () => {
  test("refuses what is over its number of commits, and takes more when those are written (LIMIT-1)", async () => {
    const { commit, start } = stoppedEngine();
    const accepted = Array.from({ length: queueCommits }, () => commit(one()));
    await expect(commit(one())).rejects.toMatchObject({
      reason: "unavailable",
      details: { retryAfter: 1 },
    });
    start();
    expect((await Promise.all(accepted)).every(({ ok }) => ok)).toBe(true);
    expect(await commit(one())).toBe(done);
  });

  test("refuses what is over its bytes, but never the only one (LIMIT-1)", async () => {
    const { commit, start } = stoppedEngine();
    const large = commit(one(queueBytes + 1));
    await expect(commit(one(1))).rejects.toMatchObject({ reason: "unavailable" });
    start();
    expect(await large).toBe(done);
    expect(await commit(one(1))).toBe(done);
  });
});

describe("the committer's batches", () => {
  test("hold what came in the turn before them, one at least", async () => {
    const sizes: number[] = [];
    let arriving = 3;
    const committer = groupCommit(
      async (batch) => {
        sizes.push(batch.length);
        return batch.map(() => done);
      },
      {
        turn: async () => {
          await Promise.resolve();
          while (arriving-- > 0) void committer.commit(one());
        },
      },
    );
    await committer.commit(one());
    arriving = 2;
    await committer.idle();
    await committer.commit(one());
    expect(sizes).toEqual([4, 2, 1]);
  });

  test("hold at most as many as was said, and each is answered before the next is begun", async () => {
    const log: string[] = [];
    const committer = groupCommit(
      async (batch) => {
        log.push(`write ${batch.length}`);
        return batch.map(() => done);
      },
      { most: 2 },
    );
    for (const name of ["a", "b", "c"]) {
      committer.add(one(), { resolve: () => log.push(name), reject: () => {} });
    }
    await committer.idle();
    expect(log).toEqual(["write 2", "a", "b", "write 1", "c"]);
  });

  test("may be begun while answers of the one before wait: those come in order, and idle waits for them", async () => {
    const log: string[] = [];
    const committer = groupCommit(
      async (batch) => {
        log.push(`write ${batch.length}`);
        if (log.length === 2) throw new Error("the database is gone");
        return batch.map(() => done);
      },
      { most: 2, answering: () => new Promise(setImmediate) },
    );
    for (const name of ["a", "b", "c"]) {
      committer.add(one(), { resolve: () => log.push(name), reject: () => log.push(`no ${name}`) });
    }
    await committer.idle();
    expect(log).toEqual(["write 2", "write 1", "a", "b", "no c"]);
  });
});
