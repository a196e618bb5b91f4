import { createHash } from "node:crypto";
import type { AuditRow, Collection } from "./commit.ts";

/**
 * The hash that ties an audit row to all rows before it: SHA-256 in hex over the previous row's hash and the
 * row as a JSON array, which unlike joined texts cannot be cut in two ways. The first row's previous hash is "".
 */
export function chainHash(previous: string, row: Omit<AuditRow, "hash">): string {
  const fields = [previous, row.id, row.at, row.actor, row.action, row.resource, row.detail, row.outcome];
  return createHash("sha256").update(JSON.stringify(fields)).digest("hex");
}

/** The collection that an action's first word speaks of: a person says `spec.put`, and follows `specs.*`. */
const nouns: Readonly<Record<string, Collection>> = {
  state: "state",
  spec: "specs",
  rule: "rules",
  contract: "contracts",
  rules: "rules",
  instance: "instances",
  lease: "leases",
  template: "templates",
  webhook: "webhooks",
};

/** The topic under which a change is followed: the resource's name behind its noun, as in `state.plan`. */
export function changeTopic({ action, resource }: Pick<AuditRow, "action" | "resource">): string {
  const [noun = ""] = action.split(".", 1);
  return `${nouns[noun] ?? noun}.${resource}`;
}
