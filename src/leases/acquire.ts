import { limits } from "../contract/limits.ts";
import type { Terms } from "../contract/operation.ts";
import type { Op } from "../core/commit.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import type { Store } from "../store/store.ts";
import { type Plan, perform, writtenRecord } from "../store/write.ts";
import type { Book } from "./book.ts";
import type { Comparer } from "./conflicts.ts";
import {
  type Claim,
  type Lease,
  excludes,
  globsOf,
  putHeld,
  putWaiting,
  readLease,
  remove,
  showLease,
  standing,
} from "./lease.ts";
import type { Line } from "./line.ts";
import { blocked, gaveUp, removed, tooBusy, tooMany, unknownHolder } from "./refusals.ts";

/** How often a place in line is asked for anew when requests at other servers came in between. */
const attempts = 10;

export interface Acquiring {
  store: Store;
  book: Book;
  line: Line;
  compare: Comparer;
}

/** What a request for a lease asks, beside the lease. */
export interface Request extends Terms {
  id: string;
  /** How long to stand in line, in milliseconds; 0: not at all. */
  waitMs: number;
  /** Aborted when the client has left. */
  signal?: AbortSignal | undefined;
}

/**
 * How leases come to be held.
 *
 * A request that finds nobody in front of it holds its lease with one commit. Another gets a record that waits; its
 * place in line is its revision, and it holds the lease, by a second commit, once all that came before it and exclude
 * it have ended, whether they were held or waited. Who comes looks at all leases, so both kinds of first commit are made
 * under the condition that no other came in between.
 */
export function acquirer({ store, book, line, compare }: Acquiring) {
  const inTurn = oneAtATime();

  /** Until it calls what this gives the others at this server wait, so that they need not all try again. */
  async function enter(): Promise<() => void> {
    const through = Promise.withResolvers<void>();
    await new Promise<void>((entered) => {
      void inTurn("", () => {
        entered();
        return through.promise;
      });
    });
    return through.resolve;
  }

  /** What there is of a lease while its client does not know of it: a place in line, or all of it. */
  async function forget(id: string, by: string): Promise<void> {
    const record = await store.get("leases", id);
    if (record) await store.commit({ by, ops: [remove(readLease(record), "lease.release")] });
  }

  return async function acquire(claim: Claim, request: Request): Promise<ReturnType<typeof showLease>> {
    const { id, waitMs, signal } = request;
    const overlapping = compare(globsOf(claim));
    /** Those that exclude it. */
    const among = (leases: readonly Lease[]) =>
      overlapping(leases.filter((lease) => excludes(lease, claim) && lease.id !== id));
    const isRegistered = async () => (await store.head("instances", claim.holder_id)) !== undefined;
    const registered: Op = {
      kind: "guard",
      collection: "instances",
      key: claim.holder_id,
      guard: { exists: true },
    };
    let inFront: readonly Lease[] | undefined;

    /** Takes a place in line, unless nobody is in front. @returns what is to be committed then */
    async function arrive(): Promise<Plan<Claim> | undefined> {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const arrival = await book.arrival();
        const leases = await book.live();
        const found = await among(leases);
        if (!(await isRegistered())) throw unknownHolder();
        if (found.length === 0) {
          refuseMore(leases, "held", limits.leases);
          const ops = [{ ...putHeld(id, claim), guard: { version: 0 } }, registered, arrival];
          return { ops, note: claim, optimistic: true };
        }
        if (waitMs === 0) throw blocked(found, claim);
        refuseMore(leases, "waiting", limits.leasesWaiting);
        const ops = [putWaiting(id, claim, waitMs), registered, arrival];
        const { ok } = await store.commit({ by: claim.holder, ops });
        if (ok) {
          inFront = found;
          return undefined;
        }
      }
      throw tooBusy();
    }

    /** Stands in line until the lease can be held. */
    async function stand(all: readonly Lease[]): Promise<Plan<Claim>> {
      if ((await line.wait(id, all, signal)) === "free") {
        const op = { ...putHeld(id, claim), guard: { version: 1, exists: true } };
        return { ops: [op], note: claim, optimistic: true };
      }
      if (!(await isRegistered())) throw unknownHolder();
      const still = await among(await book.live());
      throw still.length > 0 ? gaveUp(still, claim) : removed();
    }

    // What takes long is done before it is our turn: then only what came since has to be compared.
    await among(await book.live());
    const leave = await enter();
    let settled = false;
    try {
      const lease = await perform(
        store,
        request,
        async () => {
          const arrived = inFront ? undefined : await arrive();
          if (arrived) return arrived;
          leave();
          return stand(inFront as readonly Lease[]);
        },
        (results, note) => {
          const record = writtenRecord(results);
          return showLease(note, record.key, standing(record));
        },
      );
      // A client that left meanwhile does not know that it holds it; one with an idempotency key may ask again.
      settled = request.once !== undefined || !signal?.aborted;
      return lease;
    } finally {
      leave();
      if (!settled && (inFront || signal?.aborted)) await forget(id, claim.holder);
    }
  };
}

function refuseMore(leases: readonly Lease[], state: Lease["state"], bound: number): void {
  if (leases.filter((lease) => lease.state === state).length >= bound) throw tooMany(state, bound);
}
