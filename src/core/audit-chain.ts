import { chainHash } from "./audit.ts";
import type { AuditRow, Heads } from "./commit.ts";

/** A row of the audit log that somebody wrote down elsewhere. */
export interface Anchor {
  id: number;
  hash: string;
}

export interface ChainCheck {
  /** Looks at the next row; rows come by their ids. */
  see(row: AuditRow): void;
  /** Compares what was seen with where the store says that the log ends. Returns the newest row. */
  end(heads: Pick<Heads, "audit" | "auditHash">): Anchor;
}

/**
 * Looks at the chain of hashes over the audit log, which is never trimmed: each row's hash covers the row and the hash
 * before it, the first row is row 1, and the store remembers the last hash. So a row that was changed, removed or put in
 * between is found; where everything from there on was worked out anew, only against a hash that was written down elsewhere.
 *
 * @param fault what is wrong, as a sentence
 * @param anchor a row as it was once
 */
export function checkChain(fault: (text: string) => void, anchor?: Anchor): ChainCheck {
  let last: Anchor = { id: 0, hash: "" };
  let anchored = false;
  return {
    see({ hash, ...row }) {
      if (row.id < 1) {
        fault(`row ${row.id} was put in: the log begins with row 1`);
        return;
      }
      if (row.id !== last.id + 1) {
        fault(
          last.id === 0
            ? `the first row is ${row.id}: what was before it is missing`
            : `after ${last.id} comes ${row.id}, what is between is missing`,
        );
      } else if (chainHash(last.hash, row) !== hash) {
        fault(`row ${row.id} was changed, or one before it: its hash does not cover what is there`);
      }
      if (row.id === anchor?.id) {
        anchored = true;
        if (hash !== anchor.hash) fault(`row ${row.id} does not have the hash that is expected of it`);
      }
      last = { id: row.id, hash };
    },
    end({ audit, auditHash }) {
      if (last.id !== audit) fault(`the newest row is ${last.id}, but ids were given up to ${audit}`);
      if (last.hash !== auditHash) fault("the newest row does not have the hash that the store ended with");
      if (anchor && !anchored) fault(`row ${anchor.id}, of which a hash is expected, is not there`);
      return last;
    },
  };
}
