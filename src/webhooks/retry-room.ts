import type { Retry } from "./webhook.ts";

/** Deliveries that are kept of one webhook, tried again or given up. */
export const retriesMost = 1000;
/** What is sent of all of them, over all webhooks, in bytes: copies, since events are kept for less long. */
export const retryBytesMost = 256 * 1024 * 1024;

/** How much is kept for another attempt, so that what nobody takes does not fill the disk. */
export interface RetryRoom {
  /** Whether there is room for one more, which is taken then. @param count of the webhook's own */
  take(count: number, bytes: number): boolean;
  /** Counts what is kept already. */
  add(retries: Iterable<Retry>): void;
  leave(bytes: number): void;
  readonly bytes: number;
}

export function openRetryRoom(most = retryBytesMost): RetryRoom {
  let bytes = 0;
  return {
    take(count, more) {
      if (count >= retriesMost || bytes + more > most) return false;
      bytes += more;
      return true;
    },
    add(retries) {
      for (const retry of retries) bytes += retry.bytes;
    },
    leave(less) {
      bytes = Math.max(0, bytes - less);
    },
    get bytes() {
      return bytes;
    },
  };
}
