import { computed, signal } from "@preact/signals";

/** How far apart the clocks of browser and server may be, in milliseconds: the server's is told in whole seconds. */
const sameWithin = 2_000;
/** Without a tick for so long the machine was asleep, in milliseconds: a hidden page has one a minute. */
const asleepAfter = 150_000;

/** By how much the browser's clock is ahead of the server's, in milliseconds. */
let ahead = 0;

/** The server's time, in milliseconds since 1970: whatever the page is told is by that. */
export function serverTime(): number {
  return Date.now() - ahead;
}

/** @param date of an answer that has just come, as its header has it */
export function heedServer(date: string | null): void {
  const apart = Date.now() - Date.parse(date ?? "");
  ahead = Math.abs(apart) > sameWithin ? apart : 0;
  now.value = serverTime();
}

/** The time that ages are told by: the server's, once a second while somebody looks. */
export const now = signal(Date.now());

/** When the day began, where the reader is; changes once a day. */
export const midnight = computed(() => new Date(now.value).setHours(0, 0, 0, 0));

/** @param onWake the machine slept, or has a network again: connections may be dead without a word */
export function beginClock(onWake: () => void): void {
  let ticked = Date.now();
  const tick = () => {
    const slept = Date.now() - ticked > asleepAfter;
    ticked = Date.now();
    if (slept) onWake();
    if (!document.hidden) now.value = serverTime();
  };
  window.addEventListener("online", onWake);
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);
}
