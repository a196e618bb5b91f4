import type { AuditEntry, Change, Lease } from "../server.ts";

/** Who waited for a lease, since when and until when: no stream tells it, so it is seen in the lists as they come. Pure. */

export interface Wait {
  /** Of the lease that is waited for: the same when it is held. */
  id: string;
  /** Who waits. */
  holder: string;
  /** What for. */
  what: string;
  /** Behind whom, by name. */
  behind: readonly string[];
  /** When it began, in milliseconds since 1970. */
  from: number;
  /** When it gives up by itself. */
  until: number;
  /** When it was over; undefined: it waits still. */
  to: number | undefined;
  /** Whether it got the lease. */
  got: boolean;
}

/** What is leased, as a person calls it. */
export function pathsOf({ resource, paths }: Pick<Lease, "resource" | "paths">): string {
  return resource || paths.join(", ");
}

/** Refused again within this time is one wait, in milliseconds: agents wait for minutes, and do other things between. */
const asksAgainWithin = 900_000;

/** What was refused and what was granted, as the page knows it. */
export interface Asked {
  /** Newest first. */
  refused: readonly AuditEntry[];
  /** Oldest first. */
  changes: readonly Change[];
  /** What is and was leased, by the lease's id. */
  paths: ReadonlyMap<string, string>;
}

/** Attempts to get a lease that came to nothing, without one between that did. */
export interface Attempts {
  /** The first of them, in milliseconds since 1970. */
  since: number;
  /** How many were refused. */
  refused: number;
}

/**
 * How long somebody has been asking for something already: a wait that gives up and begins anew is one to a person.
 *
 * @param at when the last attempt began, or was refused
 */
export function attemptsOf(who: string, what: string, at: number, asked: Asked): Attempts {
  // What a lease was of is not always known; then it counts as this one.
  const got = asked.changes.findLast(
    ({ actor, action, resource }) =>
      actor === who && action === "lease.acquire" && (asked.paths.get(resource) ?? what) === what,
  );
  const gotAt = got ? Date.parse(got.created_at) : 0;
  let since = at;
  let refused = 0;
  for (const entry of asked.refused) {
    if (!isRefusedLease(entry) || entry.actor !== who || entry.resource !== what) continue;
    const then = Date.parse(entry.timestamp);
    if (then > at) continue;
    if (then <= gotAt || since - then > asksAgainWithin) break;
    since = then;
    refused += 1;
  }
  return { since, refused };
}

/** Whether somebody wanted a lease and did not get it, because of somebody else. */
export function isRefusedLease({ action, outcome }: AuditEntry): boolean {
  return action === "lease.acquire" && outcome === "conflict";
}

type Seen = Pick<Lease, "id" | "holder" | "resource" | "paths" | "state" | "waiting_since" | "expires_at"> & {
  inFront: readonly Pick<Lease, "holder">[];
};

/**
 * The waits after another look at the leases.
 *
 * @param at when that was, in milliseconds since 1970
 * @param kept for how long a wait that is over is kept, in milliseconds
 */
export function followWaits(
  waits: readonly Wait[],
  leases: readonly Seen[],
  at: number,
  kept: number,
): readonly Wait[] {
  const byId = new Map(leases.map((lease) => [lease.id, lease]));
  const followed = waits
    .filter(({ to = at }) => to >= at - kept)
    .map((wait): Wait => {
      const lease = byId.get(wait.id);
      if (wait.to !== undefined) return wait;
      if (lease?.state === "waiting") return { ...wait, behind: namesOf(lease, wait.behind) };
      return { ...wait, to: Math.max(wait.from, Math.min(at, wait.until)), got: lease !== undefined };
    });
  const known = new Set(followed.map(({ id }) => id));
  const fresh = leases
    .filter(({ id, state }) => state === "waiting" && !known.has(id))
    .map((lease): Wait => {
      const { id, holder, waiting_since = "", expires_at } = lease;
      const [what, behind] = [pathsOf(lease), namesOf(lease, [])];
      const [from, until] = [Date.parse(waiting_since), Date.parse(expires_at)];
      return { id, holder, what, behind, from, until, to: undefined, got: false };
    });
  return [...followed, ...fresh];
}

/** Those in front now; those of before when nobody is, as in the moment before it is its turn. */
function namesOf({ inFront }: Seen, before: readonly string[]): readonly string[] {
  return inFront.length === 0 ? before : [...new Set(inFront.map(({ holder }) => holder))];
}
