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
