import type { AuditRow } from "../core/commit.ts";
import type { Glob } from "../core/glob.ts";

/** What is asked of an audit row's names. */
export interface AuditFilters {
  actor?: Glob | undefined;
  action?: Glob | undefined;
  resource?: Glob | undefined;
}

const names = ["resource", "actor", "action"] as const;
type Name = (typeof names)[number];

/** What a database compares by itself, and what it cannot: its own patterns are of another dialect. */
export interface AuditConditions {
  /** Names that are asked for whole; the first of them has the best index. */
  exact: [name: Name, value: string][];
  /** What the others ask; undefined when there are none. */
  passes: ((row: AuditRow) => boolean) | undefined;
}

export function auditConditions(filters: AuditFilters): AuditConditions {
  const given = names.flatMap((name) => {
    const glob = filters[name];
    return glob === undefined || glob.kind === "all" ? [] : [{ name, glob }];
  });
  const globs = given.filter(({ glob }) => glob.kind !== "exact");
  return {
    exact: given.filter(({ glob }) => glob.kind === "exact").map(({ name, glob }) => [name, glob.prefix]),
    passes: globs.length === 0 ? undefined : (row) => globs.every(({ name, glob }) => glob.test(row[name])),
  };
}
