import { KoorError } from "../contract/errors.ts";
import type { Commit, Outcome } from "../core/commit.ts";
import { bytesOf } from "./group-commit.ts";

/** Commits that wait or are being written, at once: about a second's work; one more is told to come back. */
export const queueCommits = 16_384;
/** Bytes of values of those: twice what bodies under way may hold, since background work commits too. */
export const queueBytes = 128 * 1024 * 1024;

/**
 * Bounds what an engine is given before it has answered: what waits for it waits in memory.
 *
 * @returns `commit`, which refuses as `unavailable` what is too much; nothing of it was written
 */
export function boundedCommit(commit: (commit: Commit) => Promise<Outcome>): typeof commit {
  let commits = 0;
  let bytes = 0;
  return async (one) => {
    const size = bytesOf(one);
    if (commits >= queueCommits || (commits > 0 && bytes + size > queueBytes)) {
      throw new KoorError("unavailable", "too many writes are waiting: nothing was written", {
        retryAfter: 1,
      });
    }
    commits += 1;
    bytes += size;
    try {
      return await commit(one);
    } finally {
      commits -= 1;
      bytes -= size;
    }
  };
}
