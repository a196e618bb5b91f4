import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import { shellWords } from "../core/shell-words.ts";
import { type Claim, type Lease, listLease, nameOf } from "./lease.ts";

/** Leases in the way that a refusal names: enough to see who, however many there are. */
const shownInTheWay = 10;
/** Characters of a note or a list of paths in the sentence; the whole is beside it. */
const shownCharacters = 200;

/** Others are in front of what was asked for, and nobody wants to wait. */
export function blocked(inTheWay: readonly Lease[], claim: Claim): KoorError {
  return inTheWayOf(inTheWay, claim, "");
}

/** It waited, and others are still in front. */
export function gaveUp(inTheWay: readonly Lease[], claim: Claim): KoorError {
  return inTheWayOf(inTheWay, claim, "the wait is over: ");
}

function inTheWayOf(inTheWay: readonly Lease[], claim: Claim, before: string): KoorError {
  const held = inTheWay.filter((lease) => lease.state === "held");
  const own = held.find((lease) => lease.holder_id === claim.holder_id);
  const first = (own ?? held[0] ?? inTheWay[0]) as Lease;
  const { state, holder, note, expiresAt, holder_id } = first;
  const who = `${JSON.stringify(cut(holder))}${holder_id === claim.holder_id ? ", which is you," : ""}`;
  const what = JSON.stringify(cut(nameOf(first)));
  const why = note === "" ? "" : `, who says ${JSON.stringify(cut(note))}`;
  const more = inTheWay.length > 1 ? `; ${inTheWay.length - 1} more in front` : "";
  const sentence =
    state === "held"
      ? `${what} is held by ${who} until ${showTime(expiresAt)}${why}`
      : `${what} is what ${who} waits for, in front of you${why}`;
  return new KoorError("conflict", `${before}${sentence}${more}`, {
    hint: own ? useYours(own) : waitInLine(claim),
    blockedBy: inTheWay.slice(0, shownInTheWay).map(listLease),
  });
}

function waitInLine({ resource, paths, mode }: Pick<Claim, "resource" | "paths" | "mode">): string {
  // On a command line a resource's stars would be wildcards.
  const words = /[*?]/.test(resource) ? "PATHS" : shellWords(resource === "" ? paths : [resource], "PATHS");
  const flags = mode === "shared" ? "--mode shared --wait 60s" : "--wait 60s";
  return `Wait in line for it: koor-cli lease acquire ${flags} ${words}. Who holds what, and who waits: koor-cli lease list`;
}

/** Who waits for a lease of his own waits until it ends by itself. */
function useYours({ id, fence }: Lease): string {
  return (
    `Waiting would be for yourself. Write under it with KOOR_FENCE=${id}:${fence}, let it last longer: ` +
    `koor-cli lease renew ${id}, or end it once nothing of yours needs it: koor-cli lease release ${id}`
  );
}

function cut(text: string): string {
  return text.length <= shownCharacters ? text : `${text.slice(0, shownCharacters).toWellFormed()}…`;
}

/** Its place in line was taken away. */
export function removed(): KoorError {
  return new KoorError("conflict", "somebody removed this request from the line", {
    hint: "Who holds what, and who waits: koor-cli lease list",
  });
}

export function tooMany(state: Lease["state"], bound: number): KoorError {
  const what = state === "held" ? "leases are held" : "requests wait for leases";
  return new KoorError("rate_limited", `${bound} ${what}, which is the most there can be`, {
    hint: "One lease can hold many paths. Who holds what: koor-cli lease list",
    retryAfter: 1,
  });
}

export function needsIdentity(): KoorError {
  return new KoorError("bad_request", "a lease needs an identity: send your Koor-Instance-Token", {
    path: "Koor-Instance-Token",
    hint: "Register, and set KOOR_INSTANCE_TOKEN to the token that gives: koor-cli register NAME",
  });
}

/** The holder was deregistered meanwhile. */
export function unknownHolder(): KoorError {
  return new KoorError("unknown_instance", "this instance was deregistered", {
    hint: "Register, and use the token that gives: koor-cli register NAME",
  });
}

export function notYours(lease: Lease): KoorError {
  const { holder, expiresAt } = lease;
  const whose = `this lease is another instance's: ${JSON.stringify(cut(holder))}, until ${showTime(expiresAt)}`;
  return new KoorError("forbidden", whose, { hint: waitInLine(lease) });
}

export function absent(id: string): KoorError {
  return new KoorError("not_found", `lease not found: ${id}`, {
    hint: "It has ended, or never was. List them: koor-cli lease list",
  });
}

export function stillWaiting(): KoorError {
  return new KoorError("conflict", "this lease is not held yet: it waits in line", {
    hint: "Who holds what, and who waits: koor-cli lease list",
  });
}

/** Requests at other servers were quicker each time. */
export function tooBusy(): KoorError {
  return new KoorError("conflict", "others are acquiring leases all the time", {
    hint: "Nothing was changed. Try the same request again.",
  });
}
