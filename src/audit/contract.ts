import { z } from "zod";
import { filter, limit, time, timestamp, wholeNumber } from "../contract/fields.ts";
import { operation } from "../contract/operation.ts";

const count = z.int();
const counts = z.record(z.string(), count);

const outcome = z.enum(["ok", "denied", "conflict"]).meta({
  description: "`denied`: the caller may not; `conflict`: somebody else was first. Then nothing was changed.",
});

export const auditEntry = z.object({
  id: z.int().meta({ description: "Position in the log: gap-free, in commit order." }),
  timestamp,
  actor: z.string().meta({
    description: "The instance's name; `local` where the request named none, `dashboard` for a person there.",
  }),
  action: z.string().meta({ description: "`state.put`, `rule.accept`: docs/audit.md lists them." }),
  resource: z.string().meta({ description: "A key, `PROJECT/NAME`, an id." }),
  detail: z.string().meta({
    description:
      "JSON text: `version` where there is one, `unverified` where the actor is only what the request said, `reason` of a refusal. Never a value or a token.",
  }),
  outcome,
});

const dialect = "A glob: `*` any run, `?` one, `[a-z]`, `{a,b}`; without any it is compared as a whole.";

const span = { from: time, to: time };

export const auditOperations = {
  list: operation({
    method: "GET",
    path: "/api/audit",
    summary: "List what was done and what was refused, newest first",
    query: z.object({
      actor: filter.meta({ description: `Only what this one did. ${dialect}` }),
      action: filter.meta({ description: `Only this action: \`state.put\`, \`lease.*\`. ${dialect}` }),
      resource: filter.meta({ description: `Only what was done to this. ${dialect}` }),
      outcome: filter.meta({
        description: `Only what ended so: \`denied\`, \`{denied,conflict}\` for all that was refused. ${dialect}`,
      }),
      ...span,
      before: wholeNumber(1).optional().meta({
        description: "Only entries that the list has behind the one of this id: the next page.",
      }),
      limit,
    }),
    response: z.array(auditEntry),
    cli: "audit --actor GLOB --action GLOB --resource GLOB --outcome GLOB --from TIME --to TIME --before ID --limit N",
  }),
  summary: operation({
    method: "GET",
    path: "/api/audit/summary",
    summary: "Count what was done, by action and outcome",
    query: z.object(span),
    response: z.object({
      total_entries: count,
      action_counts: counts,
      outcome_counts: counts,
      unique_actors: count,
      unique_resources: count,
      requests_without_token: count.meta({
        description: "Since the server started, whatever the time asked for. They are counted, not stored.",
      }),
    }),
    cli: "audit summary --from TIME --to TIME",
  }),
};
