import type { Row } from "../live/recent-events.ts";
import type { Change, Lease } from "../server.ts";

/** The last hour as marks on lines, one line an agent. Pure. */

export interface Mark {
  at: number;
  kind: "event" | "write";
  text: string;
}

export interface Span {
  from: number;
  /** undefined: it is held still. */
  to: number | undefined;
  text: string;
}

export interface Line {
  name: string;
  marks: readonly Mark[];
  spans: readonly Span[];
}

interface Sources {
  /** In the order of the lines. */
  names: readonly string[];
  events: readonly Row[];
  changes: readonly Change[];
  leases: readonly Lease[];
  /** The first moment that is shown, in milliseconds since 1970. */
  since: number;
}

/** Marks of one line. */
const maxMarks = 2000;

export function linesOf({ names, events, changes, leases, since }: Sources): Line[] {
  const lines = new Map<string, { marks: Mark[]; spans: Span[] }>();
  for (const name of names) lines.set(name, { marks: [], spans: [] });
  const mark = (name: string, mark: Mark) => {
    const marks = lines.get(name)?.marks;
    if (marks && mark.at >= since && marks.length < maxMarks) marks.push(mark);
  };
  for (const row of events) {
    if (row.kind === "gap") continue;
    const at = Date.parse(row.createdAt);
    if (at < since) break;
    mark(row.source, { at, kind: "event", text: row.topic });
  }
  const nameOf = new Map(leases.map((lease) => [lease.id, lease.resource || lease.paths.join(" ")]));
  const open = new Map<string, { name: string; from: number }>();
  const close = (id: string, to: number | undefined) => {
    const begun = open.get(id);
    open.delete(id);
    if (begun) lines.get(begun.name)?.spans.push({ from: begun.from, to, text: nameOf.get(id) ?? "a lease" });
  };
  for (const { action, resource, actor, version, created_at } of changes) {
    const at = Date.parse(created_at);
    if (action === "lease.acquire") open.set(resource, { name: actor, from: at });
    else if (action === "lease.release" || action === "lease.expire") close(resource, at);
    else if (!/^(?:instance|llm)\./.test(action))
      mark(actor, {
        at,
        kind: "write",
        text: version > 0 ? `${resource} v${version}` : `${action} ${resource}`,
      });
  }
  const held = leases.filter(({ state }) => state === "held");
  // Of one whose change is older than those that are kept, or on its way still, only its end tells when it was renewed.
  for (const { id, holder, expires_at, ttl_ms } of held) {
    const from = Math.max(since, Date.parse(expires_at) - ttl_ms);
    if (!open.has(id)) open.set(id, { name: holder, from });
  }
  const live = new Set(held.map(({ id }) => id));
  for (const id of open.keys()) if (live.has(id)) close(id, undefined);
  return [...lines].map(([name, line]) => ({ name, ...line }));
}
