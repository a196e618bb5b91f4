import { KoorError } from "../contract/errors.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import { type PathGlob, overlapOf } from "../core/path-glob.ts";
import type { Lease } from "./lease.ts";

/**
 * The most that comparing one request with all leases may cost, in steps of `core/path-glob.ts`: a second or two. With a
 * thousand leases of 32 paths as people write them, one path takes 8 ms and 32 paths 30 to 70 (2 cores, busy); 32 globs
 * that begin and end like all of theirs half a second, which is 40% of this.
 */
export const overlapBudget = 200_000_000;
/**
 * Steps in one go, before others have their turn: a millisecond. While the whole budget was spent on patterns made to be
 * slow, on a machine with a load of four on each core, the event loop came round every 0.9 ms (p50; p99 6 to 31).
 */
const stepsAtOnce = 200_000;

/** Those of some leases that have a path in common with what is asked for. */
export type Overlapping = (leases: readonly Lease[]) => Promise<Lease[]>;

/** Prepares globs for being compared with leases. */
export type Comparer = (globs: readonly PathGlob[]) => Overlapping;

/** Compares for whoever asks: in bites, one of all in a turn of the event loop, so that everything else goes on. */
export function createComparer(budget = overlapBudget): Comparer {
  const inTurn = oneAtATime();
  const pause = () => inTurn("", () => new Promise<void>((resolve) => setImmediate(resolve)));

  return (globs) => {
    const mine = globs.map(overlapOf);
    /** By id: paths never change, so that who asks again pays for those that came since. */
    const known = new Map<string, boolean>();
    let spent = 0;
    let untilPause = stepsAtOnce;

    async function meets(lease: Lease): Promise<boolean> {
      for (const theirs of lease.globs) {
        for (const own of mine) {
          const differ = own.differs(theirs);
          const cost = differ ? 1 : own.cost(theirs);
          spent += cost;
          untilPause -= cost;
          if (spent > budget) throw overBudget();
          if (!differ && own.with(theirs)) return true;
          if (untilPause > 0) continue;
          untilPause = stepsAtOnce;
          await pause();
        }
      }
      return false;
    }

    return async (leases) => {
      const found: Lease[] = [];
      for (const lease of leases) {
        const meeting = known.get(lease.id) ?? (await meets(lease));
        known.set(lease.id, meeting);
        if (meeting) found.push(lease);
      }
      return found;
    };
  };
}

function overBudget(): KoorError {
  return new KoorError("over_budget", "comparing these paths with those that are leased takes too long", {
    path: "paths",
    hint: "Ask for fewer paths, or for ones with fewer wildcards.",
  });
}
