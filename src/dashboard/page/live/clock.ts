import { signal } from "@preact/signals";

/** The time that ages are told by: milliseconds since 1970, once a second while somebody looks. */
export const now = signal(Date.now());

export function beginClock(): void {
  const tick = () => {
    if (!document.hidden) now.value = Date.now();
  };
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);
}
