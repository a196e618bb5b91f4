/**
 * The names under which the server acts and publishes by itself: actors in the audit, sources of events. Whoever commits
 * or publishes for the server takes its name from here, so that no instance can go by it.
 */
export const ownNames = {
  /** Whoever says no name. */
  nobody: "local",
  /** The person at the dashboard. */
  dashboard: "dashboard",
  liveness: "liveness-monitor",
  leases: "lease-monitor",
  compliance: "compliance-scheduler",
  costs: "llmcost",
  webhooks: "webhooks",
} as const;

const taken: ReadonlySet<string> = new Set(Object.values(ownNames));

/** The name by which an instance's writes go: one that calls itself as the server calls others is told apart. */
export function stampOf(name: string): string {
  return taken.has(name) ? `instance ${name}` : name;
}
