import { computed, effect, untracked } from "@preact/signals";
import { changes } from "./changes.ts";
import { now } from "./clock.ts";
import { allEvents } from "./event-log.ts";
import type { Instance } from "../server.ts";
import { instances } from "./lists.ts";

/**
 * Signs of life are in no stream: the server only counts them. So before the page says that an agent has been silent for
 * longer, it asks once whether that is still so; and never while everybody works.
 */

/** Silence of an agent at work that is worth a word, in milliseconds: two to five of a model's longer thoughts. */
export const silentAfter = 120_000;
/** When the page asks for the first time, in milliseconds of silence. It then waits twice as long each time. */
const firstLook = 15_000;
/** The longest wait between two times, in milliseconds. */
const lastLook = 300_000;

/** When somebody was last heard of by what the page itself has seen, in milliseconds since 1970, by name. */
const heard = computed(() => {
  const heard = new Map<string, number>();
  for (const { actor, created_at } of changes.value ?? []) heard.set(actor, Date.parse(created_at));
  const events = allEvents.rows.value ?? [];
  for (const row of events.slice(0, 500)) {
    if (row.kind === "gap" || row.source === "") continue;
    const at = Date.parse(row.createdAt);
    if (at > (heard.get(row.source) ?? 0)) heard.set(row.source, at);
  }
  return heard;
});

/** The last sign of life, in milliseconds since 1970. */
export function seenAt({ name, last_seen }: Instance): number {
  return Math.max(Date.parse(last_seen), heard.value.get(name) ?? 0);
}

let nextLook = 0;
let wait = firstLook;

export function beginSilence(): void {
  effect(() => {
    const time = now.value;
    const list = instances.value.peek();
    if (!list || time < nextLook) return;
    const atWork = list.filter(({ status }) => status === "active");
    if (!untracked(() => atWork.some((instance) => time - seenAt(instance) > firstLook))) {
      wait = firstLook;
      return;
    }
    nextLook = time + wait;
    wait = Math.min(lastLook, wait * 2);
    instances.refresh();
  });
}
