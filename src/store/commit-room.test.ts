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
