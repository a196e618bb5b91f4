import { createHash } from "node:crypto";
import { checkChain } from "../core/audit-chain.ts";
import type { AuditRow, Heads } from "../core/commit.ts";
import { type DumpRow, dumpOrder } from "../core/dump.ts";

type Kind = Exclude<DumpRow["kind"], "heads">;

/** What a dump came to: equal where two engines hold the same. */
export interface Tally {
  counts: Record<Kind, number>;
  /** SHA-256 over all rows of a kind, in their order. */
  digests: Record<Kind, string>;
  /** The last audit row. */
  last: AuditRow | undefined;
}

const kinds = dumpOrder.filter((kind): kind is Kind => kind !== "heads");

function ofEach<T>(make: (kind: Kind) => T): Record<Kind, T> {
  return Object.fromEntries(kinds.map((kind) => [kind, make(kind)])) as Record<Kind, T>;
}

/**
 * Counts rows and works out what they come to, and looks on the way whether each version's bytes have the hash that is
 * noted and the audit's hashes form a chain.
 *
 * @param leaveOut how many audit rows at the end are not counted: what was noted of the copying itself. 0 or 1
 * @throws Error naming the row that is not as it says
 */
export function tallier(leaveOut: 0 | 1 = 0) {
  const counts = ofEach(() => 0);
  const hashes = ofEach(sha256);
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
          return count("record", row.record);
        case "event":
          return count("event", row.event);
        case "usage":
          return count("usage", row.usage);
        case "metric":
          return count("metric", row.metric);
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
      return { counts, digests: ofEach((kind) => hashes[kind].digest("hex")), last };
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
