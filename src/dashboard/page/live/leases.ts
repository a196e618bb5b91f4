import { effect, signal } from "@preact/signals";
import { ClientError, type Lease, client } from "../server.ts";
import { hour, maxChanges } from "./changes.ts";
import { now, serverTime } from "./clock.ts";
import { onForget } from "./connection.ts";
import { resource } from "./resource.ts";
import { type Wait, followWaits, pathsOf } from "./waits.ts";

/** Who holds what, who waits for it, and behind whom. */

/** One that waits knows those in front of it that it has a path in common with. */
export interface LeaseInLine extends Lease {
  inFront: readonly Lease[];
}

/** How often leases are asked for while one is held, in milliseconds: that somebody waits for it is in no stream. */
const askEvery = 5_000;
/** Waiting leases that are looked into. */
const maxWaiting = 30;
/** Paths of one that are looked into. */
const maxPaths = 8;

export const leases = resource(read, ({ topic }) => topic.startsWith("leases."));

/** Of the last hour, as far as this page has seen it. */
export const waits = signal<readonly Wait[]>([]);

/** Looks who waits, as long as there is something to wait for and somebody looks. */
export function beginLeases(): void {
  let asked = 0;
  effect(() => {
    const time = now.value;
    if (document.hidden || time - asked < askEvery || !leases.value.peek()?.length) return;
    asked = time;
    leases.refresh();
  });
  effect(() => {
    const all = leases.value.value;
    if (all) waits.value = followWaits(waits.peek(), all, serverTime(), hour);
  });
}

/** What was leased, by the lease's id, also of those that have ended: changes do not tell it. */
export const pathsSeen = new Map<string, string>();
/** Leases whose paths are remembered: as many as the changes that are kept can have begun. The oldest go. */
const maxSeen = maxChanges;

onForget(() => {
  waits.value = [];
  pathsSeen.clear();
  known.clear();
});

/** Who is in front of each one that waits: asked once, since whoever comes later stands behind. */
let known = new Map<string, ReadonlySet<string>>();

async function read(signal: AbortSignal): Promise<readonly LeaseInLine[]> {
  const all = await client.call("leases.list", { signal });
  const waiting = all.filter(({ state }) => state === "waiting").slice(0, maxWaiting);
  const asks = waiting.map(
    async (lease) => [lease.id, known.get(lease.id) ?? (await inFrontOf(lease, all, signal))] as const,
  );
  const answers = await Promise.all(asks);
  known = new Map(answers.flatMap(([id, inFront]) => (inFront ? [[id, inFront]] : [])));
  for (const lease of all) pathsSeen.set(lease.id, pathsOf(lease));
  for (const id of pathsSeen.keys()) if (pathsSeen.size > maxSeen) pathsSeen.delete(id);
  return all.map((lease) => {
    const ids = known.get(lease.id);
    return { ...lease, inFront: ids ? all.filter(({ id }) => ids.has(id)) : [] };
  });
}

/** The server knows which globs have a path in common, so it is asked. undefined: it did not say, perhaps next time. */
async function inFrontOf(
  waiting: Lease,
  all: readonly Lease[],
  signal: AbortSignal,
): Promise<ReadonlySet<string> | undefined> {
  const paths = waiting.resource === "" ? waiting.paths.slice(0, maxPaths) : [waiting.resource];
  const asks = paths.map((path) => client.call("leases.list", { query: { path }, signal }));
  const lists = await Promise.all(asks).catch((error: unknown) => {
    if (signal.aborted) throw error;
    // Globs that take too long to compare are not asked about again.
    return error instanceof ClientError && error.reason === "over_budget" ? [] : undefined;
  });
  if (!lists) return undefined;
  const near = new Set(lists.flat().map(({ id }) => id));
  const inFront = all.filter((lease) => near.has(lease.id) && standsInTheWay(lease, waiting));
  return new Set(inFront.map(({ id }) => id));
}

function standsInTheWay(lease: Lease, of: Lease): boolean {
  if (lease.id === of.id || (lease.mode === "shared" && of.mode === "shared")) return false;
  return lease.state === "held" || (lease.position ?? 0) < (of.position ?? 0);
}
