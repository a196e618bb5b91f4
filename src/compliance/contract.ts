import { z } from "zod";
import { filter, limit, timestamp } from "../contract/fields.ts";
import { operation } from "../contract/operation.ts";
import { violation } from "../contracts/contract.ts";

const run = z.object({
  id: z.string(),
  instance_id: z.string().meta({ description: "An active instance whose workspace is the project's name." }),
  project: z.string(),
  contract: z.string().meta({ description: "The spec's name." }),
  pass: z.boolean(),
  violations: z.array(violation),
  run_at: timestamp,
});

export type Run = z.output<typeof run>;

export const complianceOperations = {
  run: operation({
    method: "POST",
    path: "/api/compliance/run",
    summary:
      "Check the contracts of the projects that active instances work on; the server does it every five minutes",
    response: z.object({
      checked: z.literal(true),
      runs: z.array(run),
      count: z.int(),
      truncated: z.literal(true).optional().meta({ description: "There was more than one check looks at." }),
    }),
    errors: ["rate_limited"],
    cli: "compliance run",
  }),
  history: operation({
    method: "GET",
    path: "/api/compliance/history",
    summary: "Read past runs of compliance checks, the newest check first",
    query: z.object({
      instance_id: filter.meta({ description: "Only the runs for this instance." }),
      limit,
    }),
    response: z.array(run),
    cli: "compliance history --instance_id ID --limit N",
  }),
};
