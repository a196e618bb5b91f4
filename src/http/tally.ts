import { KoorError } from "../contract/errors.ts";
import type { Operation } from "../contract/operation.ts";
import type { AgentCounts } from "../metrics/agents.ts";
import type { Seen } from "./refuse.ts";

/**
 * The instance that a call counts for: the one whose token it carries, else the one that its path names. Of the latter only what
 * was answered counts: anybody can name one that is not there.
 */
export function tallyAnswer(
  agents: AgentCounts,
  operation: Operation,
  { caller, input }: Seen,
  answer: { bytes: number; result?: unknown },
): void {
  if (operation.unmetered) return;
  const id = caller?.instanceId ?? namedBy(operation, input?.params);
  if (id === undefined) return;
  const violations = operation.violations?.(answer.result as never) ?? 0;
  agents.count(id, { calls: 1, bytes: answer.bytes, violations });
}

export function tallyRefusal(
  agents: AgentCounts,
  operation: Operation,
  { caller }: Seen,
  error: unknown,
): void {
  const id = caller?.instanceId;
  if (id === undefined || operation.unmetered) return;
  agents.count(id, { calls: 1 });
  agents.refused(id, error instanceof KoorError ? error : new KoorError("internal", ""));
}

/** The instance in the path of an operation on one. */
export function namedBy({ path }: Operation, params: unknown): string | undefined {
  return path.startsWith("/api/instances/{id}") ? (params as { id?: string } | undefined)?.id : undefined;
}
