import type { Entry, Log, SubscribeOptions, Subscription } from "./log.ts";
import { type Tail, pageEntries } from "./tail.ts";

/** What all subscriptions of a feed read from. */
export interface Source {
  log: Log;
  tail: Tail;
  /** The newest id that anybody heard of. */
  last: number;
  /** How often a reader was told of a gap. */
  gaps: number;
  now: () => number;
  onError: (error: unknown) => void;
}

export interface Reader extends Subscription {
  /** Hands on whatever is there, unless the sink has no room. */
  pump(): void;
  /** Whether the log could not be read when it was last tried. */
  readonly failed: boolean;
  /** Closes it, and tells the sink so. */
  end(): void;
}

/** One cursor over the log, and the sink it fills. */
export function openSubscription(source: Source, options: SubscribeOptions, onClose: () => void): Reader {
  const { topic, sink } = options;
  let position = options.after;
  let blockedSince: number | undefined;
  let state: "new" | "started" | "closed" = "new";
  let pageSize = pageEntries;
  let pumping = false;
  let again = false;
  let failed = false;

  const halted = () => state === "closed" || blockedSince !== undefined;

  function accept(room: boolean): void {
    if (!room) blockedSince = source.now();
  }

  function handOver(entries: readonly Entry[]): void {
    const each = () => {
      for (const entry of entries) {
        if (halted()) return;
        position = entry.id;
        if (!entry.hidden && topic.test(entry.topic)) accept(sink.send(entry));
      }
    };
    if (sink.together && entries.length > 1) sink.together(each);
    else each();
  }

  /** Takes what is in memory. False when the next entry is not there, but in the log. */
  function takeFromTail(): boolean {
    if (!halted()) handOver(source.tail.after(position));
    return halted() || position >= source.last;
  }

  async function takeFromLog(): Promise<void> {
    // Heads first: whatever is appended after them is told by a hint.
    const { last } = await source.log.heads();
    source.last = Math.max(source.last, last);
    if (halted()) return;
    const page = await source.log.read(position, pageSize, topic);
    // And heads once more: what retention took while the page was read is missing in it without a trace.
    const { first } = await source.log.heads();
    if (halted()) return;
    if (first > position + 1) {
      const from = position + 1;
      position = first - 1;
      source.gaps += 1;
      accept(sink.gap(from, position));
    } else if (page.length === 0) position = Math.max(position, last);
    else {
      handOver(page);
      // Whoever takes a few large entries at a time should not have 16 MiB read for each of them.
      const taken = page.findIndex(({ id }) => id === position) + 1;
      pageSize = taken < page.length ? Math.max(1, taken) : Math.min(pageEntries, pageSize * 2);
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
      if (!halted()) sink.idle?.();
    } finally {
      // Here and not after the promise: a hint that came in between would be lost.
      pumping = false;
    }
  }

  function pump(): void {
    again = true;
    if (pumping || halted()) return;
    failed = false;
    run().catch((error: unknown) => {
      failed = true;
      source.onError(error);
      sink.failed?.(error);
    });
  }

  function close(): void {
    state = "closed";
    onClose();
  }

  return {
    pump,
    close,
    end() {
      close();
      sink.ended?.();
    },
    resume() {
      blockedSince = undefined;
      pump();
    },
    get position() {
      return position;
    },
    get failed() {
      return failed;
    },
    get blockedSince() {
      return blockedSince;
    },
  };
}
