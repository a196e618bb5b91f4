import type { LeaseInLine } from "../live/leases.ts";
import type { Row } from "../live/recent-events.ts";
import { type Asked, type Attempts, attemptsOf, isRefusedLease, pathsOf } from "../live/waits.ts";
import { quoted } from "../parts/globs.ts";
import { pathTo } from "../parts/path-to.ts";
import type { AuditEntry, Change, ComplianceRun, Instance } from "../server.ts";

/** What each agent does, and what is in its way: from the lists and the streams to the cards. Pure. */

/** Why somebody should look at an agent. */
export type Trouble =
  | { kind: "waiting"; lease: LeaseInLine; attempts: Attempts }
  /** It asked for a lease, did not get it, and has done nothing since. */
  | { kind: "refused"; what: string; at: number; attempts: Attempts; holder: LeaseInLine | undefined }
  | { kind: "failing"; project: string; contract: string; count: number; message: string }
  | { kind: "silent"; since: number; holds: number };

/** Something that an agent did. */
export interface Deed {
  at: number;
  kind: "event" | "write";
  text: string;
  /** Where the page has more of it. */
  href: string | undefined;
}

export interface Agent {
  instance: Instance;
  /** When it was last heard of, in milliseconds since 1970. */
  seenAt: number;
  troubles: readonly Trouble[];
  held: readonly LeaseInLine[];
  /** Newest first. */
  deeds: readonly Deed[];
}

export interface Sources extends Asked {
  instances: readonly Instance[];
  leases: readonly LeaseInLine[];
  /** Checks of contracts, the newest first. */
  compliance: readonly ComplianceRun[];
  /** Newest first. */
  events: readonly Row[];
  /** The last sign of life, in milliseconds since 1970. */
  seenAt: (instance: Instance) => number;
  now: number;
  /** Silence of an agent at work that is worth a word, in milliseconds. */
  silentAfter: number;
}

/** What an agent did last, on its card. */
const deedsShown = 3;
/** Events that are looked through for them. */
const eventsLookedAt = 2000;
/** Silence after which an agent is gone and no trouble any more, in milliseconds. */
export const goneAfter = 3_600_000;

/** Those in trouble first, then those at work, in an order that stays while they work. */
export function agentsOf(sources: Sources): Agent[] {
  const { instances, leases, now, silentAfter } = sources;
  const deeds = deedsBy(sources);
  // Once for all: there may be ten thousand agents and a thousand leases.
  const leasesOf = Map.groupBy(leases, ({ holder_id }) => holder_id);
  const refusalsOf = Map.groupBy(sources.refused.filter(isRefusedLease), ({ actor }) => actor);
  const checked = new Set(sources.compliance.map(({ instance_id }) => instance_id));
  const agents = instances.map((instance): Agent => {
    const { id, name, status } = instance;
    const own = deeds.get(name) ?? [];
    const seenAt = sources.seenAt(instance);
    const theirs = leasesOf.get(id) ?? [];
    const held = theirs.filter(({ state }) => state === "held");
    const waiting = theirs.filter(({ state }) => state === "waiting");
    const troubles: Trouble[] = waiting.map((lease) => {
      const since = Date.parse(lease.waiting_since ?? new Date(now).toISOString());
      return { kind: "waiting", lease, attempts: attemptsOf(name, pathsOf(lease), since, sources) };
    });
    if (waiting.length === 0) troubles.push(...refusalOf(name, refusalsOf.get(name)?.[0], sources));
    if (checked.has(id)) troubles.push(...failuresOf(id, sources.compliance));
    const silence = now - seenAt;
    const worked = status !== "pending";
    if (worked && waiting.length === 0 && silence > silentAfter && (silence < goneAfter || held.length > 0))
      troubles.push({ kind: "silent", since: seenAt, holds: held.length });
    return { instance, seenAt, troubles, held, deeds: own.slice(0, deedsShown) };
  });
  return agents.sort((a, b) => rank(a) - rank(b) || compare(a.instance, b.instance));
}

/** Whether nothing is known of an agent but that it is quiet. */
export const isSilent = ({ troubles }: Agent) => troubles.some(({ kind }) => kind === "silent");

export function isGone({ instance, troubles, seenAt }: Agent, now: number): boolean {
  return troubles.length === 0 && instance.status === "stale" && now - seenAt >= goneAfter;
}

/** What is worst comes first. */
const kinds: readonly Trouble["kind"][] = ["waiting", "refused", "failing", "silent"];

function rank({ troubles, instance: { status } }: Agent): number {
  const [first] = troubles;
  if (first) return kinds.indexOf(first.kind);
  return kinds.length + (status === "active" ? 0 : status === "pending" ? 1 : 2);
}

/** Made once: with `localeCompare` each drawing of ten thousand agents took a tenth of a second longer. */
const { compare: inOrder } = new Intl.Collator();

function compare(a: Instance, b: Instance): number {
  return inOrder(a.name, b.name) || (a.id < b.id ? -1 : 1);
}

/** The last lease that an agent did not get, if it has changed nothing and published nothing since. */
function refusalOf(name: string, last: AuditEntry | undefined, sources: Sources): Trouble[] {
  if (!last) return [];
  const { leases, now, silentAfter } = sources;
  const [at, what] = [Date.parse(last.timestamp), last.resource];
  const attempts = attemptsOf(name, what, at, sources);
  // Of what it was granted afterwards no attempt is left.
  if (now - at > silentAfter || attempts.refused === 0 || lastDeed(name, sources) > at) return [];
  const holder = leases.find((lease) => lease.state === "held" && pathsOf(lease) === what);
  return [{ kind: "refused", what, at, attempts, holder }];
}

function lastDeed(name: string, { changes, events }: Sources): number {
  const change = changes.findLast(({ actor }) => actor === name);
  const event = events.find((row) => row.kind === "event" && row.source === name);
  return Math.max(
    Date.parse(change?.created_at ?? "") || 0,
    event?.kind === "event" ? Date.parse(event.createdAt) : 0,
  );
}

/** Of each contract only what the last check found. */
function failuresOf(id: string, runs: readonly ComplianceRun[]): Trouble[] {
  const latest = new Map<string, ComplianceRun>();
  for (const run of runs) {
    const name = `${run.project}/${run.contract}`;
    if (run.instance_id === id && !latest.has(name)) latest.set(name, run);
  }
  return [...latest.values()]
    .filter(({ pass }) => !pass)
    .map(({ project, contract, violations }) => ({
      kind: "failing",
      project,
      contract,
      count: violations.length,
      message: violations[0]?.message ?? "",
    }));
}

/** By name, newest first. */
function deedsBy({ events, changes }: Sources): Map<string, Deed[]> {
  const deeds = new Map<string, Deed[]>();
  const add = (name: string, deed: Deed) => {
    const list = deeds.get(name);
    if (list) list.push(deed);
    else deeds.set(name, [deed]);
  };
  for (const row of events.slice(0, eventsLookedAt)) {
    if (row.kind === "gap" || row.source === "") continue;
    const { topic, createdAt } = row;
    add(row.source, {
      at: Date.parse(createdAt),
      kind: "event",
      text: topic,
      href: eventHref(topic, createdAt),
    });
  }
  for (const change of changes) {
    const text = wordsOf(change);
    const at = Date.parse(change.created_at);
    if (text !== undefined)
      add(change.actor, { at, kind: "write", text, href: pathTo(change.topic, change.resource) });
  }
  for (const list of deeds.values()) list.sort((a, b) => b.at - a.at);
  return deeds;
}

/** A change in a person's words; of leases, instances and usage the card says more than they do. */
function wordsOf({ action, resource, version }: Change): string | undefined {
  const [noun = "", verb = ""] = action.split(".");
  if (noun === "lease" || noun === "instance" || noun === "llm") return undefined;
  if (verb === "put") return `${resource} v${version}`;
  return `${action} ${resource}`;
}

/** The events of a topic up to this one. */
function eventHref(topic: string, createdAt: string): string {
  return `/events?${new URLSearchParams({ pattern: quoted(topic), to: createdAt }).toString()}`;
}
