import { effect, signal } from "@preact/signals";
import { type Lease, client } from "../server.ts";
import { runningSignal } from "./connection.ts";
import { leases } from "./lists.ts";

/** Who waits for whom. The server knows which globs have a path in common, so it is asked, for each that waits. */

/** Waiting leases that are looked into. */
const maxWaiting = 30;
/** Paths of one that are looked into. */
const maxPaths = 8;

/** By the id of a waiting lease: those in front of it that it has a path in common with. */
export const blockers = signal<ReadonlyMap<string, readonly Lease[]>>(new Map());

let asking = "";
/** Whether a question is under way: the next one waits for it, however often leases change. */
let busy = false;
const answered = signal(0);

effect(() => {
  const all = leases.value.value ?? [];
  const waiting = all.filter(({ state }) => state === "waiting").slice(0, maxWaiting);
  const wanted = waiting.length === 0 ? "" : all.map(({ id, state }) => `${id} ${state}`).join();
  void answered.value;
  if (wanted === asking || busy) return;
  asking = wanted;
  if (wanted === "") {
    blockers.value = new Map();
    return;
  }
  void ask(waiting, all);
});

async function ask(waiting: readonly Lease[], all: readonly Lease[]): Promise<void> {
  busy = true;
  try {
    const found = await Promise.all(
      waiting.map(async (lease) => [lease.id, await inFrontOf(lease, all)] as const),
    );
    blockers.value = new Map(found);
  } catch {
    // Asked anew with the next change.
    asking = "";
  } finally {
    busy = false;
  }
  // Also what was wanted meanwhile; after a fault not at once.
  if (asking !== "") answered.value += 1;
}

async function inFrontOf(waiting: Lease, all: readonly Lease[]): Promise<Lease[]> {
  const paths = waiting.resource === "" ? waiting.paths.slice(0, maxPaths) : [waiting.resource];
  const signal = runningSignal();
  const lists = await Promise.all(
    paths.map((path) => client.call("leases.list", { query: { path }, signal })),
  );
  const near = new Map(lists.flat().map((lease) => [lease.id, lease]));
  return all.filter((lease) => near.has(lease.id) && standsInTheWay(lease, waiting));
}

function standsInTheWay(lease: Lease, of: Lease): boolean {
  if (lease.id === of.id || (lease.mode === "shared" && of.mode === "shared")) return false;
  return lease.state === "held" || (lease.position ?? 0) < (of.position ?? 0);
}
