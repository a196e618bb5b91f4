/** Keys as a tree by their slashes. Pure. */

export interface Branch {
  /** With a slash at its end; "" is the root. */
  path: string;
  branches: Map<string, Branch>;
  /** Whole keys that end here. */
  leaves: string[];
  /** Keys below, all levels. */
  size: number;
}

/** A line of the tree as it is drawn. */
export type TreeRow =
  | { kind: "branch"; path: string; name: string; depth: number; open: boolean; size: number }
  | { kind: "leaf"; path: string; name: string; depth: number };

/** Branches in one key: a key of slashes alone must not make a tree of five hundred levels. */
const maxDepth = 24;

export function treeOf(keys: Iterable<string>): Branch {
  const root: Branch = { path: "", branches: new Map(), leaves: [], size: 0 };
  for (const key of keys) {
    let branch = root;
    branch.size += 1;
    let start = 0;
    for (let depth = 0; depth < maxDepth; depth++) {
      const slash = key.indexOf("/", start);
      if (slash === -1) break;
      const name = key.slice(start, slash);
      start = slash + 1;
      let next = branch.branches.get(name);
      if (!next) {
        next = { path: key.slice(0, start), branches: new Map(), leaves: [], size: 0 };
        branch.branches.set(name, next);
      }
      branch = next;
      branch.size += 1;
    }
    branch.leaves.push(key);
  }
  return root;
}

/** The lines that are to be seen: branches first, each level by name. */
export function rowsOf(root: Branch, isOpen: (path: string) => boolean): TreeRow[] {
  const rows: TreeRow[] = [];
  const walk = ({ path, branches, leaves }: Branch, depth: number) => {
    for (const [name, branch] of [...branches].toSorted(byName)) {
      const open = isOpen(branch.path);
      rows.push({ kind: "branch", path: branch.path, name, depth, open, size: branch.size });
      if (open) walk(branch, depth + 1);
    }
    for (const key of leaves.toSorted())
      rows.push({ kind: "leaf", path: key, name: key.slice(path.length), depth });
  };
  walk(root, 0);
  return rows;
}

/** Whole keys as lines, that which was written last first. */
export function newestFirst(keys: readonly string[], all: ReadonlyMap<string, { at: number }>): TreeRow[] {
  const at = (key: string) => all.get(key)?.at ?? 0;
  const dated = keys.map((key) => ({ key, at: at(key) }));
  return dated
    .sort((a, b) => b.at - a.at)
    .map(({ key }) => ({ kind: "leaf", path: key, name: key, depth: 0 }));
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** The branches that a key lies in. */
export function pathsAbove(key: string): string[] {
  const paths: string[] = [];
  for (let slash = key.indexOf("/"); slash !== -1; slash = key.indexOf("/", slash + 1))
    paths.push(key.slice(0, slash + 1));
  return paths;
}
