import type { AuditRow } from "../core/commit.ts";
import type { Glob } from "../core/glob.ts";

/** What is asked of an audit row's names, and of what came of it. */
export interface AuditFilters {
  actor?: Glob | undefined;
  action?: Glob | undefined;
  resource?: Glob | undefined;
  outcome?: Glob | undefined;
}

const names = ["resource", "actor", "action", "outcome"] as const;
/** Those with an index of their own. */
const indexes: readonly Name[] = ["resource", "actor"];
type Name = (typeof names)[number];

type Exact = [name: Name, value: string];

/** What a database compares by itself, and what it cannot: its own patterns are of another dialect. */
export interface AuditConditions {
  /** The name that is asked for whole and has the best index, of those that have one. */
  indexed: Exact | undefined;
  /** The other names that are asked for whole. */
  others: Exact[];
  /** What the others ask; undefined when there are none. */
  passes: ((row: AuditRow) => boolean) | undefined;
}

export function auditConditions(filters: AuditFilters): AuditConditions {
  const given = names.flatMap((name) => {
    const glob = filters[name];
    return glob === undefined || glob.kind === "all" ? [] : [{ name, glob }];
  });
  const exact = given
    .filter(({ glob }) => glob.kind === "exact")
    .map(({ name, glob }): Exact => [name, glob.prefix]);
  const indexed = exact.find(([name]) => indexes.includes(name));
  const globs = given.filter(({ glob }) => glob.kind !== "exact");
  return {
    indexed,
    others: exact.filter((filter) => filter !== indexed),
    passes: globs.length === 0 ? undefined : (row) => globs.every(({ name, glob }) => glob.test(row[name])),
  };
}
