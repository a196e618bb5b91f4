import type { Op } from "../core/commit.ts";
import type { Store } from "../store/store.ts";

/** Kinds of signs that are committed at a time: what they wait for is one transaction. */
const flushedAtOnce = 256;

/** Instances of which is remembered what was written, at most: as many as there can be, and some that left. */
const remembered = 20_000;

/** What is said of an instance whose last sign nobody noted. */
export const unknownSign = "unknown";

/** Signs of life: when an instance was last heard of, and by what. */
export interface Signs {
  /** @param what the operation that it used: `state.put`; `mcp` */
  note(id: string, what: string): void;
  /** When an instance was last heard of at this server since the last flush; 0: not at all. */
  seenAt(id: string): number;
  /** By id: what was heard of them last. */
  all(): Promise<ReadonlyMap<string, string>>;
  of(id: string): Promise<string>;
  /** Writes what was gathered since the last time. */
  flush(): Promise<void>;
  forget(id: string): void;
}

/** Gathered in memory, since every request is one. */
export function openSigns(store: Store, now: () => number): Signs {
  /** Since the last flush. */
  const seen = new Map<string, { at: number; what: string }>();
  /** What this server wrote last; so that who does the same all day is written once. */
  const written = new Map<string, string>();

  const changed = () => [...seen].filter(([id, { what }]) => written.get(id) !== what);

  async function write(id: string, what: string): Promise<void> {
    const exists: Op = { kind: "guard", collection: "instances", key: id, guard: { exists: true } };
    await store.commit({ by: "", ops: [exists, putSign(id, what)] });
    if (written.size >= remembered) written.clear();
    written.set(id, what);
  }

  return {
    note: (id, what) => seen.set(id, { at: now(), what }),
    seenAt: (id) => seen.get(id)?.at ?? 0,
    async all() {
      const records = await store.listValues("instance_signs");
      const signs = new Map(records.map(({ key, value }) => [key, decode(value)]));
      for (const [id, { what }] of seen) signs.set(id, what);
      return signs;
    },
    async of(id) {
      const here = seen.get(id)?.what;
      if (here !== undefined) return here;
      const record = await store.get("instance_signs", id);
      return record ? decode(record.value) : unknownSign;
    },
    async flush() {
      if (seen.size === 0) return;
      const noted = new Map(seen);
      await store.touch("instances", new Map([...noted].map(([id, { at }]) => [id, at])));
      const news = changed();
      for (let from = 0; from < news.length; from += flushedAtOnce) {
        const some = news.slice(from, from + flushedAtOnce);
        await Promise.all(some.map(([id, { what }]) => write(id, what)));
      }
      // What came in meanwhile stays for the next time.
      for (const [id, sign] of noted) if (seen.get(id) === sign) seen.delete(id);
    },
    forget(id) {
      seen.delete(id);
      written.delete(id);
    },
  };
}

/** Goes into the same commit as what it is a sign of, or into one under the guard that the instance exists. */
export function putSign(id: string, what: string): Op {
  const value = new TextEncoder().encode(what);
  return { kind: "put", collection: "instance_signs", key: id, value, contentType: "text/plain" };
}

function decode(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}
