import { createHash } from "node:crypto";
import { checkChain } from "../core/audit-chain.ts";
import type { AuditRow, Heads } from "../core/commit.ts";
import type { DumpRow } from "../core/dump.ts";

type Kind = Exclude<DumpRow["kind"], "heads">;

/** What a dump came to: equal where two engines hold the same. */
export interface Tally {
  counts: Record<Kind, number>;
  /** SHA-256 over all rows of a kind, in their order. */
  digests: Record<Kind, string>;
  /** The last audit row. */
  last: AuditRow | undefined;
}

const kinds = ["version", "record", "event", "usage", "metric", "audit"] as const satisfies readonly Kind[];

/**
 * Counts rows and works out what they come to, and looks on the way whether each version's bytes have the hash that is
 * noted and the audit's hashes form a chain.
 *
 * @param leaveOut how many audit rows at the end are not counted: what was noted of the copying itself. 0 or 1
 * @throws Error naming the row that is not as it says
 */
export function tallier(leaveOut: 0 | 1 = 0) {
  const counts = { version: 0, record: 0, event: 0, usage: 0, metric: 0, audit: 0 };
  const hashes = {
    version: sha256(),
    record: sha256(),
    event: sha256(),
    usage: sha256(),
    metric: sha256(),
    audit: sha256(),
  };
  const chain = checkChain((text) => {
    throw new Error(`audit: ${text}`);
  });
  let last: AuditRow | undefined;
  let heads: Heads | undefined;

  function count(kind: Kind, row: object): void {
    counts[kind] += 1;
    hashes[kind].update(JSON.stringify(Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1))));
  }

  return {
    see(row: DumpRow): void {
      switch (row.kind) {
        case "heads":
          heads = row.heads;
          return;
        case "version": {
          const { value, ...head } = row.version;
          const name = `version ${head.version} of ${JSON.stringify(head.key)} (${head.collection})`;
          if (!head.deleted && sha256().update(value).digest("hex") !== head.hash)
            throw new Error(`the bytes of ${name} do not have the hash that is noted`);
          count("version", head);
          hashes.version.update(value);
          return;
        }
        case "record":
          count("record", row.record);
          return;
        case "event":
          count("event", row.event);
          return;
        case "usage":
          count("usage", row.usage);
          return;
        case "metric":
          count("metric", row.metric);
          return;
        case "audit": {
          chain.see(row.audit);
          if (last && leaveOut === 1) count("audit", last);
          last = row.audit;
          if (leaveOut === 0) count("audit", last);
        }
      }
    },
    /** @throws Error when the log does not end where the store says that it does */
    tally(): Tally {
      if (!heads) throw new Error("it does not say where it stands");
      chain.end(heads);
      const digests = Object.fromEntries(kinds.map((kind) => [kind, hashes[kind].digest("hex")]));
      return { counts, digests: digests as Tally["digests"], last };
    },
  };
}

const sha256 = () => createHash("sha256");

/** What of one differs from the other: the kinds of rows, with how many there are of each. */
export function differences(a: Tally, b: Tally): string[] {
  return kinds
    .filter((kind) => a.counts[kind] !== b.counts[kind] || a.digests[kind] !== b.digests[kind])
    .map((kind) => `${kind}: ${a.counts[kind]} and ${b.counts[kind]}`);
}
