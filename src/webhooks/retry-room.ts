import type { Retry } from "./webhook.ts";

/** Deliveries that are kept of one webhook, tried again or given up. */
export const retriesMost = 1000;
/** What is sent of all of them, over all webhooks, in bytes: copies, since events are kept for less long. */
export const retryBytesMost = 256 * 1024 * 1024;

/** How much is kept for another attempt, so that what nobody takes does not fill the disk. */
export interface RetryRoom {
  /** @param retries what is kept already: it counts, however much it is */
  open(retries: Iterable<Retry>): Shelf;
  readonly bytes: number;
}

/** What is kept of one webhook, by its event. It takes room as long as it is on the shelf, and the shelf is open. */
export interface Shelf {
  /** In place of what is kept of the same event. @returns whether there was room */
  put(retry: Retry): boolean;
  remove(event: number): void;
  values(): Iterable<Retry>;
  readonly size: number;
  /** Gives all of its room back, and takes none any more. */
  close(): void;
}

export function openRetryRoom(most = retryBytesMost): RetryRoom {
  let bytes = 0;

  function open(retries: Iterable<Retry>): Shelf {
    const kept = new Map<number, Retry>();
    let closed = false;

    function remove(event: number): void {
      bytes -= kept.get(event)?.bytes ?? 0;
      kept.delete(event);
    }

    function add(retry: Retry): void {
      remove(retry.event);
      kept.set(retry.event, retry);
      bytes += retry.bytes;
    }

    for (const retry of retries) add(retry);
    return {
      put(retry) {
        const before = kept.get(retry.event);
        const more = retry.bytes - (before?.bytes ?? 0);
        const full = (!before && kept.size >= retriesMost) || (more > 0 && bytes + more > most);
        if (closed || full) return false;
        add(retry);
        return true;
      },
      remove,
      values: () => kept.values(),
      get size() {
        return kept.size;
      },
      close() {
        closed = true;
        for (const event of kept.keys()) remove(event);
      },
    };
  }

  return {
    open,
    get bytes() {
      return bytes;
    },
  };
}
