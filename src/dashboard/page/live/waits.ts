import type { Lease } from "../server.ts";

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
