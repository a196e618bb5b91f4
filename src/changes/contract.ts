import { z } from "zod";
import { timestamp } from "../contract/fields.ts";
import { followOperations } from "../contract/follow.ts";

/** A change that somebody made: a row of the audit log, as followers see it. Never a value. */
export const change = z.object({
  id: z.int().meta({
    description:
      "Position in the audit log, in commit order. What was refused has one there, too, but is no change.",
  }),
  topic: z.string().meta({
    description:
      "The noun and the resource: `state.KEY`, `specs.PROJECT/NAME`, `rules.PROJECT`, `rules.PROJECT/RULE_ID`, `instances.ID`, `leases.ID`, `templates.ID`.",
  }),
  action: z.string().meta({ description: "What was done: `state.put`, `spec.delete`." }),
  resource: z.string().meta({ description: "What it was done to." }),
  version: z
    .int()
    .meta({ description: "The version that it has now; a deletion takes one too. 0: it has none." }),
  actor: z.string().meta({ description: "Who did it: an instance's name, or `local`." }),
  created_at: timestamp,
});

export const changeOperations = followOperations("/api/changes", "changes", change);
