import type { Log, SubscribeOptions, Subscription } from "./log.ts";
import { type Tail, pageEntries } from "./tail.ts";

/** What all subscriptions of a feed read from. */
export interface Source {
  log: Log;
  tail: Tail;
  /** The newest id that anybody heard of. */
  last: number;
  now: () => number;
  onError: (error: unknown) => void;
}

export interface Reader extends Subscription {
  /** Hands on whatever is there, unless the sink has no room. */
  pump(): void;
}

/** One cursor over the log, and the sink it fills. */
export function openSubscription(source: Source, options: SubscribeOptions, onClose: () => void): Reader {
  const { topic, sink } = options;
  let position = options.after;
  let blockedSince: number | undefined;
  let state: "new" | "started" | "closed" = "new";
  let pumping = false;
  let again = false;

  const halted = () => state === "closed" || blockedSince !== undefined;

  function handOver(id: number, accepted: () => boolean): void {
    position = id;
    if (!accepted()) blockedSince = source.now();
  }

  /** Takes what is in memory. False when the next entry is not there, but in the log. */
  function takeFromTail(): boolean {
    for (;;) {
      if (halted()) return true;
      const entry = source.tail.get(position + 1);
      if (!entry) return position >= source.last;
      handOver(entry.id, () => !topic.test(entry.topic) || sink.send(entry.frame));
    }
  }

  async function takeFromLog(): Promise<void> {
    // Heads first: whatever is appended after them is told by a hint.
    const heads = await source.log.heads();
    source.last = Math.max(source.last, heads.last);
    if (halted()) return;
    if (heads.first > position + 1) {
      const from = position + 1;
      handOver(heads.first - 1, () => sink.gap(from, heads.first - 1));
      return;
    }
    const page = await source.log.read(position, pageEntries, topic);
    if (page.length === 0) position = Math.max(position, heads.last);
    for (const entry of page) {
      if (halted()) return;
      handOver(entry.id, () => sink.send(entry.frame));
    }
  }

  async function run(): Promise<void> {
    pumping = true;
    try {
      // Hints tell only of what is new; whether there is something old, the log knows.
      if (state === "new") await takeFromLog();
      if (state === "new") state = "started";
      do {
        again = false;
        while (!takeFromTail()) await takeFromLog();
      } while (again && !halted());
    } finally {
      // Here and not after the promise: a hint that came in between would be lost.
      pumping = false;
    }
  }

  function pump(): void {
    again = true;
    if (pumping || halted()) return;
    run().catch(source.onError);
  }

  return {
    pump,
    resume() {
      blockedSince = undefined;
      pump();
    },
    close() {
      state = "closed";
      onClose();
    },
    get position() {
      return position;
    },
    get blockedSince() {
      return blockedSince;
    },
  };
}
