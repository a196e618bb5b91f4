import { KoorError } from "../contract/errors.ts";
import type { Fence } from "../contract/operation.ts";
import { type AuditRow, isLive } from "../core/commit.ts";
import { exactGlob } from "../core/glob.ts";
import { decodeJson } from "../core/json-bytes.ts";
import { shellWords } from "../core/shell-words.ts";
import type { Store } from "./store.ts";

/**
 * What a write is told whose lease is not held. That it is, `decide` judges in the write's own transaction, by the lease's id
 * and fence; here is what it cannot see, and why.
 */

/** Rows of the audit that are looked at for how a lease came to its end: what was refused of it stands among them. */
const rowsLookedAt = 50;

/**
 * Refuses the fence of a place in line. `decide` knows a lease by when it came, which stays as it is when its turn comes: so
 * somebody who guesses the number could write before. What is held never waits again, so looking beforehand is as good.
 *
 * @throws KoorError `lease_lost`
 */
export async function refusePlaceInLine(store: Store, { lease }: Fence): Promise<void> {
  const record = await store.get("leases", lease);
  if (!isLive(record, store.now())) return;
  if (decodeJson<{ state: "waiting" | "held" }>(record.value).state === "held") return;
  throw new KoorError("lease_lost", "the lease is not held yet: it waits in line", {
    hint:
      "Nothing was written. It is held when koor-cli lease acquire answers, with the fence to write with. " +
      "Who holds what, and who waits: koor-cli lease list",
  });
}

/**
 * Why a lease is not held under its fence, or not any more.
 *
 * @param fence unknown where only its id was given: where it was to be renewed
 */
export async function whyLost(
  store: Store,
  { lease, fence }: { lease: string; fence?: number },
): Promise<KoorError> {
  const record = await store.get("leases", lease);
  if (isLive(record, store.now()) && fence !== undefined && record.createRevision !== fence) {
    return new KoorError("lease_lost", "the lease is held, but its fence is another number", {
      path: "Koor-Fence",
      hint:
        "Nothing was written. Both numbers of Koor-Fence are those of one lease, as koor-cli lease acquire answered; " +
        "who holds what: koor-cli lease list",
    });
  }
  const rows = await store.auditTrail({ resource: exactGlob(lease), limit: rowsLookedAt });
  const last = rows.find(({ outcome, action }) => outcome === "ok" && ends.includes(action));
  const why =
    !last && rows.length < rowsLookedAt
      ? "no lease of this id is known here: it ended long ago, a backup was restored since, or it never was one"
      : `the lease is lost: ${howItEnded(last, record?.expiresAt)}`;
  const again = `take a new lease: koor-cli lease acquire --wait 60s ${pathsOf(last)}`;
  return fence === undefined
    ? new KoorError("lease_lost", why, {
        hint: `It cannot be renewed. Others may hold its paths by now: ${again}`,
      })
    : new KoorError("lease_lost", why, {
        hint:
          `Nothing was written. Others may hold its paths by now: ${again}. Set KOOR_FENCE to ID:FENCE of its answer, ` +
          "or unset it: until then it names the lost lease. Then read again what you are about to change",
      });
}

/**
 * What was leased, as words of a command. Several paths stand in the audit as one text, and commas may be in their names; nor does
 * it tell a glob from a name with a star in it.
 */
function pathsOf(row: AuditRow | undefined): string {
  const { paths = "" } = row ? (JSON.parse(row.detail) as { paths?: string }) : {};
  return /[,*?]/.test(paths) || paths === "" ? "PATHS" : shellWords([paths], "PATHS");
}

/** What the audit says of a lease's beginning and its two ends. */
const ends: readonly string[] = ["lease.acquire", "lease.release", "lease.expire"];

/** @param endOf when it ends by itself, of one that is still there */
function howItEnded(last: AuditRow | undefined, endOf: number | undefined): string {
  if (!last) return "it has ended or was released";
  const { action, at, actor } = last;
  if (action === "lease.release") return `it was released by ${JSON.stringify(actor)} at ${timeOf(at)}`;
  if (endOf !== undefined) return `its time was over at ${timeOf(endOf)}`;
  // Whoever removes it comes some seconds later.
  if (action === "lease.expire") return `its time was over before ${timeOf(at)}`;
  // Leases are in no backup.
  return "a backup was restored since";
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
