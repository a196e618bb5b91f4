import { type Heads, emptyHeads } from "../core/commit.ts";

/** Heads as they were written, perhaps by a Koor that knew fewer collections. */
export function readHeads(json: string): Heads {
  const heads = JSON.parse(json) as Heads;
  return {
    ...emptyHeads,
    ...heads,
    live: { ...emptyHeads.live, ...heads.live },
    changed: { ...emptyHeads.changed, ...heads.changed },
  };
}
