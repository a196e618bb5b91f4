import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";

/** A process that runs: no zombie, which only waits to be looked after. */
interface Process {
  pid: number;
  parent: number;
  /** It has the mark in its environment. */
  marked: boolean;
}

/**
 * What a command has started, itself included, where it cannot be a process group of its own. On Linux whatever bears its mark
 * in the environment, which is handed down also by those that have ended, and all children of those; elsewhere the
 * children alone, since environments of others cannot be read there. What has made a session of its own is left out, as a
 * group's signal leaves it out.
 *
 * @param mark `NAME=VALUE` in the environment of the command and of nobody else
 */
export function startedBy(pid: number, mark: string): number[] {
  const processes = process.platform === "linux" ? ofThisSession(mark) : all();
  const found = new Set<number>();
  const childrenOf = Map.groupBy(processes, ({ parent }) => parent);
  const add = (one: Process): void => {
    if (found.has(one.pid)) return;
    found.add(one.pid);
    childrenOf.get(one.pid)?.forEach(add);
  };
  for (const one of processes) if (one.pid === pid || one.marked) add(one);
  return [...found];
}

function ofThisSession(mark: string): Process[] {
  const session = statOf("self")?.session;
  return readdirSync("/proc").flatMap((name) => {
    const stat = /^\d+$/.test(name) ? statOf(name) : undefined;
    if (!stat || stat.session !== session || stat.state === "Z") return [];
    return [{ pid: Number(name), parent: stat.parent, marked: isMarked(name, mark) }];
  });
}

/** proc(5): the name in parentheses may hold anything. @returns undefined when it has ended */
function statOf(pid: string): { state: string; parent: number; session: string } | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const [state = "", parent, , session = ""] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state, parent: Number(parent), session };
}

function isMarked(pid: string, mark: string): boolean {
  return read(`/proc/${pid}/environ`)?.split("\0").includes(mark) ?? false;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function all(): Process[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid=,stat="], { encoding: "utf8" });
  return [...(stdout ?? "").matchAll(/^ *(\d+) +(\d+) +([^Z\s])/gm)].map(([, pid, parent]) => ({
    pid: Number(pid),
    parent: Number(parent),
    marked: false,
  }));
}
