import type { Op } from "../core/commit.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import type { LaneHouse, LaneStart } from "./lane.ts";
import { type Place, putPlace } from "./webhook.ts";

/** How long is waited when the store cannot be written or read now, in milliseconds. */
const comeBackAfter = 1000;

export function later(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, comeBackAfter));
}

/** Where a webhook's lane stands, as it is in the store, and what is under way. */
export interface Book {
  readonly place: Place;
  /** Nothing more is begun. */
  readonly ending: boolean;
  end(): void;
  /** Aborted when what is under way is to mean nothing. */
  readonly cut: AbortController;
  /**
   * Writes what something came to, one after the other, and again until it is written. `step` is asked once.
   * @returns whether it was: not when the lane is over
   */
  settle(step: (place: Place) => { place: Place; ops: readonly Op[] }): Promise<boolean>;
  /** Resolves when all that was to be settled by now is written, or the lane is over. */
  written(): Promise<void>;
  track(work: Promise<unknown>): void;
  /** Resolves when nothing is under way. */
  finished(): Promise<void>;
}

export function openBook(
  { settler, warn, onVoid, countMissed }: LaneHouse,
  { id, webhook, place: from, placeVersion }: LaneStart,
): Book {
  const inTurn = oneAtATime();
  const cut = new AbortController();
  const running = new Set<Promise<unknown>>();
  let place = from;
  let version = placeVersion;
  let ending = false;

  async function write(next: { place: Place; ops: readonly Op[] }): Promise<boolean> {
    const put = { ...putPlace(webhook.uid, next.place), guard: { version } };
    const settled = await settler.settle([put, ...next.ops]);
    if (settled === "done") {
      countMissed(next.place.missed - place.missed);
      place = next.place;
      version += 1;
    } else ending = true;
    if (ending) onVoid();
    return settled === "done";
  }

  return {
    cut,
    get place() {
      return place;
    },
    get ending() {
      return ending;
    },
    end() {
      ending = true;
    },
    settle: (step) =>
      inTurn("place", async () => {
        const next = step(place);
        for (;;) {
          try {
            return await write(next);
          } catch (error) {
            warn(id, `what a delivery came to cannot be written now: ${String(error)}`);
            await later();
            if (cut.signal.aborted) return false;
          }
        }
      }),
    written: () => inTurn("place", async () => {}),
    track(work) {
      const tracked: Promise<unknown> = work
        .catch((error: unknown) => warn(id, String(error)))
        .finally(() => running.delete(tracked));
      running.add(tracked);
    },
    async finished() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
