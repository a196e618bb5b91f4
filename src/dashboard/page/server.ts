import { ClientError, connectionFailure, refusal } from "../../client/client-error.ts";
import { type CallAnswer, type StoredValue, createClient } from "../../client/client.ts";

/** How the page reaches the server: by the typed client, at the address that the page came from. */

export { ClientError, connectionFailure, refusal };
export { type EventFrame, type Frame, readFrame, splitArray } from "../../client/frames.ts";
export { type SubscriptionState, subscribe } from "../../client/subscribe.ts";

export type { StoredValue };

export const origin = location.origin;
export const client = createClient({ server: origin });

export type Health = CallAnswer<"metrics.health">;
export type Metrics = CallAnswer<"metrics.read">;
export type Instance = CallAnswer<"instances.list">[number];
export type StateKey = CallAnswer<"state.list">[number];
export type Lease = CallAnswer<"leases.list">[number];
export type Rule = CallAnswer<"rules.find">[number];
export type Version = CallAnswer<"state.history">["versions"][number];
export type Change = CallAnswer<"changes.next">["events"][number];
export type Violation = CallAnswer<"rules.validate">["violations"][number];
export type AuditEntry = CallAnswer<"audit.list">[number];
export type ComplianceRun = CallAnswer<"compliance.history">[number];
export type Budget = CallAnswer<"llm.budgets">[number];
export type UsageSums = CallAnswer<"llm.summary">;
export type UsageTotals = UsageSums["total"];
export type ContractDiff = CallAnswer<"contracts.diff">;

/** What is thrown where something is not any more what a person saw, so that nothing is done to it. */
export const isAnother = () => new ClientError("it is another one by now", { reason: "version_mismatch" });

/** What went wrong, as a sentence for a person. */
export function faultText(error: unknown): string {
  const { message = "", hint, reason } = error as { message?: string; hint?: string; reason?: string };
  // The client tells those at a command line where to look for a server; this page knows where it is.
  if (reason === "no_server")
    return "The server does not answer. If this was to change something, it may have been done all the same: look, once it answers, before you do it again.";
  // The server tells agents how to write again; here a person asked, of what is not there any more.
  if (reason === "version_mismatch")
    return "Somebody has changed it meanwhile, so nothing was done. Close this and look at what is there now.";
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return hint ? `${text}. ${hint}` : text;
}
