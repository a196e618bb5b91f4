import { computed, signal } from "@preact/signals";

/** The time that ages are told by: milliseconds since 1970, once a second while somebody looks. */
export const now = signal(Date.now());

/** When the day began, where the reader is; changes once a day. */
export const midnight = computed(() => new Date(now.value).setHours(0, 0, 0, 0));

export function beginClock(): void {
  const tick = () => {
    if (!document.hidden) now.value = Date.now();
  };
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);
}
