import { KoorError } from "../contract/errors.ts";
import type { Caller, Handlers } from "../contract/operation.ts";
import { type Op, isLive } from "../core/commit.ts";
import { PathError, type PathGlob, literalPath, parsePathGlob } from "../core/path-glob.ts";
import { whyLost } from "../store/fence.ts";
import type { Store } from "../store/store.ts";
import { perform, writtenRecord } from "../store/write.ts";
import { acquirer } from "./acquire.ts";
import { openBook } from "./book.ts";
import { createComparer } from "./conflicts.ts";
import type { leaseOperations } from "./contract.ts";
import {
  type Claim,
  type Lease,
  claimOf,
  listLease,
  putRenewed,
  readLease,
  remove,
  showLease,
  standing,
} from "./lease.ts";
import { type Timer, openLine } from "./line.ts";
import { absent, needsIdentity, notYours, stillWaiting } from "./refusals.ts";

export interface LeaseOptions {
  store: Store;
  /** Milliseconds since 1970. Whether a lease has ended the store's own clock decides; this one says when to ask it. */
  now: () => number;
  /** Ids: random UUIDs. */
  newId: () => string;
  timer: Timer;
}

export interface LeaseService extends Handlers<typeof leaseOperations> {
  /** Removes what has ended by itself, with a row in the audit, so that those who follow changes hear of it. */
  expire(): Promise<void>;
  /** What goes with an instance that leaves, in its own transaction: all its leases. Fails when one came in between. */
  endAllOf(instanceId: string): Promise<readonly Op[]>;
  /** Sends away everybody who waits now. */
  endWaits(): void;
  /** Sends away everybody who waits, and whoever comes later. */
  close(): void;
}

/**
 * Leases: who may work on which paths now. A lease is a record that ends by itself. Who waits is a record too: so the
 * line is one for all servers on the store, everybody sees it, and nobody stands in it longer than he said, whatever
 * crashes.
 */
export function leaseService({ store, now, newId, timer }: LeaseOptions): LeaseService {
  const book = openBook(store, now);
  const compare = createComparer();
  const line = openLine(store, book, now, timer);
  const acquire = acquirer({ store, book, line, compare });

  async function find(id: string): Promise<Lease | undefined> {
    const record = await store.get("leases", id);
    return record && isLive(record, now()) ? readLease(record) : undefined;
  }

  return {
    async acquire({ body: { wait, ttl, ...what }, caller, once, fence, signal }) {
      const holder_id = identityOf(caller);
      const { resource, paths } = oneSpelling(what);
      const claim: Claim = { ...what, resource, paths, holder_id, holder: caller.name, ttl_ms: ttl };
      return acquire(claim, { id: newId(), waitMs: wait, caller, once, fence, signal });
    },

    async renew({ params: { id }, body, ...terms }) {
      const holder = identityOf(terms.caller);
      const plan = async () => {
        const lease = await find(id);
        if (!lease) throw await whyLost(store, { lease: id });
        if (lease.holder_id !== holder) throw notYours(lease);
        if (lease.state === "waiting") throw stillWaiting();
        const claim = { ...claimOf(lease), ttl_ms: body.ttl ?? lease.ttl_ms };
        return { ops: [putRenewed(lease, claim)], note: claim };
      };
      return perform(store, terms, plan, (results, claim) =>
        showLease(claim, id, standing(writtenRecord(results))),
      );
    },

    async release({ params: { id }, ...terms }) {
      const { instanceId } = terms.caller;
      const plan = async () => {
        const lease = await find(id);
        if (!lease) throw absent(id);
        // Whoever is no instance is a person at this server, who must be able to clear the way.
        if (instanceId !== undefined && instanceId !== lease.holder_id) throw notYours(lease);
        return { ops: [remove(lease, "lease.release")], note: { deleted: id }, optimistic: true };
      };
      return perform(store, terms, plan, (_, note) => note);
    },

    async list({ query: { holder, path } }) {
      const leases = await book.live();
      const near = path ? await compare([spell("path", () => parsePathGlob(path))])(leases) : leases;
      let position = 0;
      return near
        .filter((lease) => !holder || lease.holder === holder || lease.holder_id === holder)
        .map((lease) => ({
          ...listLease(lease),
          ...(lease.state === "waiting" && { position: ++position }),
        }));
    },

    async expire() {
      await book.live();
    },

    async endAllOf(instanceId) {
      const unchanged = await book.noArrival();
      const leases = await book.live();
      const theirs = leases.filter((lease) => lease.holder_id === instanceId);
      return [...theirs.map((lease) => remove(lease, "lease.release")), unchanged];
    },

    endWaits: line.clear,
    close: line.close,
  };
}

function identityOf({ instanceId }: Caller): string {
  if (instanceId === undefined) throw needsIdentity();
  return instanceId;
}

/** What is leased, each path once, as it is stored. @throws KoorError `bad_request` naming the one that is none */
function oneSpelling({
  resource,
  paths,
}: Pick<Claim, "resource" | "paths">): Pick<Claim, "resource" | "paths"> {
  if (resource !== "") return { resource: spell("resource", () => literalPath(resource)).path, paths: [] };
  const spelled = paths.map((path, at) => spell(`paths.${at}`, () => parsePathGlob(path)).path);
  return { resource, paths: [...new Set(spelled)] };
}

function spell(field: string, parse: () => PathGlob): PathGlob {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof PathError)) throw error;
    throw new KoorError("bad_request", `${field} ${error.message}`, { path: field });
  }
}
