/** The views of the page, in the order of the navigation, by the first part of their paths. Now is at `/`. */
export const views = [
  "now",
  "state",
  "specs",
  "rules",
  "events",
  "leases",
  "tokens",
  "audit",
  "connect",
] as const;

export type View = (typeof views)[number];

/** What may stand behind a view's own path: `/state/plan/a`. */
export const deepViews: ReadonlySet<View> = new Set<View>(["state", "specs"]);

/**
 * What a view asks first, at exactly these addresses: the browser is told before the page's script has come. Turn by turn
 * without it and with it, on a busy host: Now usable after 328 and 265 ms, State 302 and 275, Events 382 and 315.
 */
export const firstAsks: Partial<Record<View, readonly string[]>> = {
  now: ["/api/instances", "/api/leases"],
  state: ["/api/state?limit=1000"],
  events: ["/api/events/history?last=1000"],
};
