import type { Op } from "../core/commit.ts";
import { ownNames } from "../core/own-names.ts";
import type { Store } from "../store/store.ts";
import { type Lease, readLease, remove } from "./lease.ts";

/** Leases read in one go, before the event loop has its turn: of 32 paths each they take 4 ms. */
const readAtOnce = 20;

/** Who may see all leases and add one under the condition that no other came in between. */
export interface Book {
  /** Those that are held or wait now, in order of arrival. What has ended is removed, with a row in the audit. */
  live(): Promise<readonly Lease[]>;
  /** Says in a commit that another lease comes, and fails it when one came since this was called. */
  arrival(): Promise<Op>;
  /** Fails a commit when a lease came since this was called. */
  noArrival(): Promise<Op>;
}

export function openBook(store: Store, now: () => number): Book {
  /** By id: a lease is large, is looked at by each that comes, and changes in nothing but how long it lasts. */
  let read = new Map<string, Lease>();
  /** In order of arrival; `asOf` is the last change that it surely has. */
  let last = { asOf: -1, leases: [] as readonly Lease[] };

  async function all(): Promise<readonly Lease[]> {
    const asOf = (await store.heads()).changed.leases;
    if (asOf === last.asOf) return last.leases;
    const found = new Map<string, Lease>();
    let fresh = 0;
    for (const head of await store.list("leases")) {
      const known = read.get(head.key);
      if (known?.version === head.version) {
        found.set(head.key, known);
        continue;
      }
      if (++fresh % readAtOnce === 0) await new Promise((resolve) => setImmediate(resolve));
      const record = await store.get("leases", head.key);
      if (record) found.set(head.key, readLease(record));
    }
    read = found;
    last = { asOf, leases: [...found.values()].sort((a, b) => a.fence - b.fence) };
    return last.leases;
  }

  /** Whether it is removed: the store's clock decides whether it has ended. */
  async function expire(lease: Lease): Promise<boolean> {
    const { ok } = await store.commit({ by: ownNames.leases, ops: [remove(lease, "lease.expire")] });
    return ok;
  }

  async function arrivals() {
    const { version } = (await store.head("lease_arrivals", "last")) ?? { version: 0 };
    return { collection: "lease_arrivals", key: "last", guard: { version } } as const;
  }

  return {
    async live() {
      const leases = await all();
      const at = now();
      const ended = leases.filter((lease) => lease.expiresAt <= at);
      const removed = await Promise.all(ended.map(expire));
      const gone = new Set(ended.filter((_, index) => removed[index]));
      return gone.size === 0 ? leases : leases.filter((lease) => !gone.has(lease));
    },

    async arrival() {
      return { kind: "put", ...(await arrivals()), value: new Uint8Array(), contentType: "" };
    },

    async noArrival() {
      return { kind: "guard", ...(await arrivals()) };
    },
  };
}
