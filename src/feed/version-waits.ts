import { KoorError } from "../contract/errors.ts";
import type { StoredAnswer } from "../contract/operation.ts";
import type { RecordHead } from "../core/commit.ts";
import { compileGlobs } from "../core/glob.ts";
import { type VersionWait, type WaitForVersion, isAbove } from "../core/version-wait.ts";
import type { Store } from "../store/store.ts";
import type { Feed } from "./feed.ts";
import type { Entry, Subscription } from "./log.ts";
import type { WaitingRoom } from "./waiting-room.ts";

export interface VersionWaitsOptions {
  store: Pick<Store, "head">;
  /** Of the log of changes. Only it wakes, since the change may have been made by another server on the same store. */
  feed: Feed;
  room: WaitingRoom;
}

interface Waiter {
  after: number;
  /** Look again. */
  wake: () => void;
}

/**
 * Reads that wait for a record's next version: one subscription for all of them, while there are any, and a map from the
 * topic to who waits for it. So the database is not asked while nothing happens, and a change of what nobody waits for costs one look
 * at the map.
 */
export function versionWaits({ store, feed, room }: VersionWaitsOptions): WaitForVersion {
  const waiters = new Map<string, Set<Waiter>>();
  let following: Promise<Subscription> | undefined;

  function send(entry: Entry): boolean {
    const here = waiters.get(entry.topic);
    if (!here) return true;
    const { version } = JSON.parse(entry.frame()) as { version: number };
    for (const { after, wake } of here) if (version > after) wake();
    return true;
  }

  function wakeAll(): boolean {
    for (const here of waiters.values()) for (const { wake } of here) wake();
    return true;
  }

  async function subscribe(): Promise<Subscription> {
    const { after } = await feed.place({});
    const sink = { send, gap: wakeAll, failed: wakeAll, ended };
    return feed.subscribe({ after, topic: compileGlobs("*"), sink });
  }

  /** Who waits on the log that was replaced goes on waiting on the one that took its place. */
  function ended(): void {
    following = undefined;
    wakeAll();
  }

  function follow(): Promise<Subscription> {
    if (following) return following;
    const begun = subscribe().catch((error: unknown) => {
      if (following === begun) following = undefined;
      throw error;
    });
    following = begun;
    return begun;
  }

  function add(topic: string, waiter: Waiter): () => void {
    const here = waiters.get(topic) ?? new Set();
    waiters.set(topic, here.add(waiter));
    return () => {
      here.delete(waiter);
      if (here.size === 0) waiters.delete(topic);
      if (waiters.size > 0) return;
      following?.then((subscription) => subscription.close()).catch(() => {});
      following = undefined;
    };
  }

  /** The record once it is above the version, or as it is when the time is up. */
  async function headAbove(wait: VersionWait, after: number, ms: number): Promise<RecordHead | undefined> {
    const look = () => store.head(wait.collection, wait.key);
    let head = await look();
    if (isAbove(head, after) || ms === 0) return head;
    let over = false;
    let wake = () => {};
    const leave = room.enter(ms, wait.signal, () => {
      over = true;
      wake();
    });
    const remove = add(wait.topic, { after, wake: () => wake() });
    try {
      for (;;) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        // Registered first, then looked: a change in between is seen by the look, a later one wakes.
        await follow();
        head = await look();
        if (over || isAbove(head, after)) return head;
        await woken;
      }
    } finally {
      leave();
      remove();
    }
  }

  return async (wait) => {
    const { after_version: after, wait: ms = 0 } = wait.query;
    if (after === undefined) {
      if (ms === 0) return undefined;
      throw new KoorError("bad_request", "wait needs after_version: the version that you have", {
        path: "after_version",
        hint: "0 waits until it exists.",
      });
    }
    const head = await headAbove(wait, after, ms);
    return isAbove(head, after) ? undefined : notYet(head);
  };
}

function notYet(head: RecordHead | undefined): StoredAnswer {
  if (!head || head.deleted) return { bytes: null, content_type: "", version: 0, hash: "" };
  return { bytes: null, content_type: head.contentType, version: head.version, hash: head.hash };
}
