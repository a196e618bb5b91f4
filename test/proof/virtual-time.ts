/** A clock that moves only when nothing else is left to do, so that a run depends on its seed and on nothing else. */
export interface VirtualTime {
  now(): number;
  sleep(ms: number): Promise<void>;
  /**
   * Lets time pass until a condition holds.
   * @throws Error when it never does: nobody waits for any moment any more, or they do for longer than any run takes
   */
  runUntil(condition: () => boolean): Promise<void>;
}

/** Moments in one run: those of the simulation take some thousands. */
const mostMoments = 100_000;

export function virtualTime(): VirtualTime {
  let now = 1;
  let order = 0;
  const sleepers: { at: number; order: number; wake: () => void }[] = [];
  return {
    now: () => now,
    sleep: (ms) =>
      new Promise((wake) => {
        sleepers.push({ at: now + ms, order: order++, wake });
      }),
    async runUntil(condition) {
      for (let moments = 0; moments < mostMoments; moments++) {
        // All that follows from what has happened, before the next thing happens.
        await new Promise((resolve) => setImmediate(resolve));
        if (condition()) return;
        sleepers.sort((a, b) => a.at - b.at || a.order - b.order);
        const next = sleepers.shift();
        if (!next) throw new Error("everybody waits, and nothing will happen");
        now = next.at;
        next.wake();
      }
      throw new Error("time passes, and what is waited for does not come");
    },
  };
}
