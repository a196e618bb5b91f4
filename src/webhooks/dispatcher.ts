import { getLogger } from "@logtape/logtape";
import { oneAtATime } from "../core/one-at-a-time.ts";
import type { Feed } from "../feed/feed.ts";
import type { Store } from "../store/store.ts";
import type { Send } from "./attempt.ts";
import { retryDelays } from "./backoff.ts";
import type { LaneHouse } from "./lane.ts";
import { type Lanes, openLanes } from "./lanes.ts";
import { openPacer } from "./pacer.ts";
import { openRetryRoom } from "./retry-room.ts";
import { openSettler } from "./settler.ts";
import { openTurn } from "./turn.ts";
import { messageId } from "./webhook.ts";

/** How often a server looks whether it is to deliver, and says that it still does, in milliseconds. */
export const roundEvery = 5_000;
/** How long after a change of anything it is looked whether webhooks changed, in milliseconds. */
const lookAfter = 100;

const log = getLogger(["koor", "webhooks"]);

export interface DispatcherOptions {
  store: Store;
  /** Over the events, as `payloadOf` and `afterAnswers` have them. */
  feed: Feed;
  send: Send;
  now: () => number;
  /** From 0 to 1. */
  random: () => number;
  /** Names this server. */
  server: string;
  /** No other server can be on the store. */
  alone: boolean;
  /** As `retryDelays`. */
  delays?: readonly number[];
}

export interface Dispatcher {
  /** Takes the turn, or keeps it, and sees to it that every webhook is served. */
  round(): Promise<void>;
  /** Lets deliveries that are under way come to their end, for a while. */
  stop(): Promise<void>;
  figures(): DispatcherFigures;
}

export interface DispatcherFigures {
  /** Webhooks that this server delivers for. */
  lanes: number;
  delivered: number;
  failed: number;
  /** Events that were lost for one of them. */
  missed: number;
  /** Deliveries that are kept for another attempt, or were given up. */
  kept: number;
  keptBytes: number;
  /** The most events that one of them has not looked at yet. */
  lag: number;
}

/** Serves all webhooks, on one server at a time: a lane each. */
export function openDispatcher(options: DispatcherOptions): Dispatcher {
  const { store } = options;
  const turn = openTurn(store, options.server, options.alone);
  const inTurn = oneAtATime();
  const counts = { delivered: 0, failed: 0, missed: 0 };
  let epoch = "";
  /** The last event that was heard of. */
  let last = 0;
  /** The last change of webhooks that the lanes are of; -1: look anew. */
  let asOf = -1;
  let stopped = false;
  let look: ReturnType<typeof setTimeout> | undefined;

  function lost(): void {
    turn.drop();
    asOf = -1;
  }

  const house: LaneHouse = {
    ...options,
    delays: options.delays ?? retryDelays,
    room: openRetryRoom(),
    settler: openSettler(store, turn.guard, lost),
    pace: openPacer(),
    messageId: (event) => messageId(epoch, event),
    count: (outcome) => {
      counts[outcome] += 1;
    },
    countMissed: (events) => {
      counts.missed += events;
    },
    warn: (id, what) => log.warn("webhook {id}: {what}", { id, what }),
    onVoid: () => {
      asOf = -1;
      lookSoon();
    },
  };
  const lanes = openLanes(house);

  async function round(): Promise<void> {
    const heads = await store.heads();
    last = heads.events;
    if (stopped || (heads.live.webhooks === 0 && lanes.open.size === 0)) return;
    // What lanes of an earlier turn, or of another log, are about must not be written in this one.
    if (epoch !== heads.epoch || !(await turn.keep())) {
      lost();
      await lanes.closeAll();
      if (!(await turn.take())) return;
      epoch = heads.epoch;
    }
    if (asOf === heads.changed.webhooks) return;
    asOf = heads.changed.webhooks;
    await lanes.serve().catch((error: unknown) => {
      asOf = -1;
      throw error;
    });
  }

  async function tidy(): Promise<void> {
    await round();
    await Promise.all([...lanes.open.values()].map((lane) => lane.tidy()));
  }

  async function lookOnce(): Promise<void> {
    const { changed } = await store.heads();
    if (asOf !== changed.webhooks) await round();
  }

  /** One round after the other: each leaves the lanes as the store has them. */
  const go = (work: () => Promise<void>) => inTurn("round", work);
  const failed = (error: unknown) => log.warn("webhooks cannot be looked at now: {error}", { error });

  /** Of many changes there is one look. */
  function lookSoon(): void {
    if (look !== undefined || stopped) return;
    look = setTimeout(() => {
      look = undefined;
      go(lookOnce).catch(failed);
    }, lookAfter);
    look.unref();
  }

  const unwatch = store.watch(({ events }) => {
    last = Math.max(last, events);
    lookSoon();
  });
  const unhook = store.onReplaced(() => {
    lost();
    lanes.cut();
    lookSoon();
  });

  return {
    round: () => go(tidy),
    async stop() {
      stopped = true;
      clearTimeout(look);
      unwatch();
      unhook();
      await go(lanes.closeAll);
      await turn.giveUp().catch(failed);
    },
    figures: () => figuresOf(lanes, counts, house.room.bytes, last),
  };
}

function figuresOf(
  lanes: Lanes,
  counts: Pick<DispatcherFigures, "delivered" | "failed" | "missed">,
  keptBytes: number,
  last: number,
): DispatcherFigures {
  const open = [...lanes.open.values()];
  const active = open.filter((lane) => lane.active);
  return {
    lanes: active.length,
    ...counts,
    kept: open.reduce((sum, { kept }) => sum + kept, 0),
    keptBytes,
    lag: active.reduce((most, { position }) => Math.max(most, last - position), 0),
  };
}
