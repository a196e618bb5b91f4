import type { Row } from "../live/recent-events.ts";
import type { Wait } from "../live/waits.ts";
import type { AuditEntry, Change, Lease } from "../server.ts";

/** What the agents did, as marks on lines, one line an agent. Pure. */

export interface Mark {
  at: number;
  kind: "event" | "write" | "refused";
  text: string;
}

export interface Span {
  kind: "lease" | "wait";
  from: number;
  /** undefined: it goes on still. */
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
  /** Newest first. */
  events: readonly Row[];
  /** Oldest first. */
  changes: readonly Change[];
  leases: readonly Lease[];
  /** What is and was leased, by the lease's id. */
  paths: ReadonlyMap<string, string>;
  waits: readonly Wait[];
  refused: readonly AuditEntry[];
  /** The first moment that is shown, in milliseconds since 1970. */
  since: number;
}

/** Marks of one line. */
const maxMarks = 2000;

const minute = 60_000;
/** How much time is drawn: as little as all that is known has room in, so that a young server is no empty hour. */
const widths = [4 * minute, 12 * minute, 20 * minute, 40 * minute, 60 * minute];

export function linesOf(sources: Sources): Line[] {
  const { names, events, changes, since } = sources;
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
  for (const { action, resource, actor, version, created_at } of changes) {
    if (/^(?:instance|llm|lease)\./.test(action)) continue;
    const text = version > 0 ? `${resource} v${version}` : `${action} ${resource}`;
    mark(actor, { at: Date.parse(created_at), kind: "write", text });
  }
  for (const { actor, action, resource, outcome, timestamp } of sources.refused) {
    const why = outcome === "denied" ? "may not" : "somebody else was first";
    mark(actor, { at: Date.parse(timestamp), kind: "refused", text: `${action} ${resource}: ${why}` });
  }
  for (const [name, span] of heldSpans(sources)) lines.get(name)?.spans.push(span);
  for (const { holder, from, to, what, behind, got } of sources.waits) {
    const line = lines.get(holder);
    if (!line || (to ?? Infinity) < since) continue;
    const end = to === undefined ? "" : got ? ", and got it" : ", and gave up";
    const text = `${what}${behind.length > 0 ? `, behind ${behind.join(" and ")}` : ""}${end}`;
    line.spans.push({ kind: "wait", from: Math.max(from, since), to, text });
  }
  return [...lines].map(([name, line]) => ({ name, ...line }));
}

/** Who held what: begun and ended by changes, and what is held still. */
function heldSpans({ changes, leases, paths, since }: Sources): [name: string, span: Span][] {
  const spans: [string, Span][] = [];
  const open = new Map<string, { name: string; from: number }>();
  const close = (id: string, to: number | undefined) => {
    const begun = open.get(id);
    open.delete(id);
    if (!begun) return;
    const { name, from } = begun;
    spans.push([name, { kind: "lease", from, to, text: paths.get(id) ?? "a lease" }]);
  };
  for (const { action, resource, actor, created_at } of changes) {
    const at = Date.parse(created_at);
    if (action === "lease.acquire") open.set(resource, { name: actor, from: at });
    else if (action === "lease.release" || action === "lease.expire") close(resource, at);
  }
  const held = leases.filter(({ state }) => state === "held");
  // Of one whose change is older than those that are kept, or on its way still, only its end tells when it was renewed.
  for (const { id, holder, expires_at, ttl_ms } of held) {
    const from = Math.max(since, Date.parse(expires_at) - ttl_ms);
    if (!open.has(id)) open.set(id, { name: holder, from });
  }
  const live = new Set(held.map(({ id }) => id));
  for (const id of open.keys()) if (live.has(id)) close(id, undefined);
  return spans;
}

/** The first moment that anything is known of; undefined without anything. */
export function firstOf(lines: readonly Line[]): number | undefined {
  let first = Infinity;
  for (const { marks, spans } of lines) {
    for (const { at } of marks) first = Math.min(first, at);
    for (const { from } of spans) first = Math.min(first, from);
  }
  return first === Infinity ? undefined : first;
}

/** How much time to draw, in milliseconds. */
export function widthOf(first: number | undefined, now: number): number {
  const known = now - (first ?? now);
  return widths.find((width) => width >= known) ?? (widths.at(-1) as number);
}

/** Since when all events are there, in milliseconds since 1970; undefined: since the first that ever was. */
export function eventsSince(rows: readonly Row[]): number | undefined {
  const oldest = rows.at(-1);
  const gap = rows.find(({ kind }) => kind === "gap");
  const from = gap ? rows[rows.indexOf(gap) - 1] : oldest;
  if (from?.kind !== "event" || from.id === 1) return undefined;
  return Date.parse(from.createdAt);
}
