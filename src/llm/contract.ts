import { z } from "zod";
import { filter, key, limit, optionalText, requiredText, time, timestamp } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import { json, operation } from "../contract/operation.ts";

/** One number of a call at its greatest, in tokens: a thousand times what the largest models take, and sums stay exact. */
const mostTokens = 1_000_000_000;
/** What one call may cost, and a budget may be, at most, in US dollars: sums of micro-dollars stay exact. */
const mostUsd = 1_000_000;

const tokens = z
  .int({ error: (issue) => (issue.input === undefined ? "is required" : "must be a whole number") })
  .min(0, "must not be negative")
  .max(mostTokens, `is more than ${mostTokens}`);
const someTokens = tokens.nullish().transform((value) => value ?? 0);
const usd = z
  .number({ error: ({ input }) => (input === undefined ? "is required" : "must be a number") })
  .max(mostUsd, `is more than ${mostUsd}`);

const call = {
  provider: requiredText(limits.nameBytes).meta({ description: "`anthropic`, `openai`." }),
  model: requiredText(limits.nameBytes),
  tokens_in: tokens.meta({ description: "All that went in, also from and to the provider's cache." }),
  tokens_out: tokens,
  cache_read_tokens: someTokens.meta({
    description: "Of tokens_in: read from the cache. It has a price of its own.",
  }),
  cache_write_tokens: someTokens.meta({ description: "Of tokens_in: written to the cache." }),
  cache_write_1h_tokens: someTokens.meta({
    description:
      "Of cache_write_tokens: written to be kept for an hour. It counts for the price, and is not stored.",
  }),
  cost_usd: usd
    .min(0, "must not be negative")
    .nullish()
    .meta({ description: "Unless given, worked out from the server's table of prices (--llm-prices)." }),
  instance_id: optionalText(limits.nameBytes).meta({
    description:
      "The instance that called. With an instance's token it can only be that one; without a token any id is taken as it is.",
  }),
  project: optionalText(limits.keyBytes),
  request_type: optionalText(limits.nameBytes).meta({ description: "`chat`, `review`: whatever helps you." }),
  session_tag: optionalText(limits.nameBytes).meta({
    description: "What belongs together: a session, a task.",
  }),
  timestamp: time.meta({ description: "When the call was made, RFC 3339; unless said, now." }),
};

const imported = z.object({
  ...call,
  ref: requiredText(limits.keyBytes).meta({
    description:
      "What the log that it comes from calls it. A call of one name is recorded once, however often it comes.",
  }),
});

const recorded = z.object({
  id: z.int().meta({ description: "Position in the log of usage: gap-free, in commit order." }),
  timestamp,
  provider: z.string(),
  model: z.string(),
  tokens_in: z.int(),
  tokens_out: z.int(),
  cache_read_tokens: z.int(),
  cache_write_tokens: z.int(),
  cost_usd: z.number().meta({ description: "Exact to the micro-dollar." }),
  cost_source: z.enum(["given", "prices", "none"]).meta({
    description: "Who said so: the caller, the table of prices; `none`: nobody, and it counts as 0.",
  }),
  instance_id: z.string(),
  project: z.string(),
  request_type: z.string(),
  session_tag: z.string(),
});

const totals = z.object({
  total_tokens_in: z.int(),
  total_tokens_out: z.int(),
  total_cost_usd: z.number(),
  request_count: z.int(),
});

const params = z.object({ project: key });
const per = z
  .enum(["day", "month"], {
    error: ({ input }) => (input === undefined ? "is required" : "must be day or month"),
  })
  .meta({ description: "UTC days or months." });

const budget = z.object({
  project: z.string(),
  usd: z.number(),
  per,
  period: z.string().meta({ description: "The one that we are in: `2026-11-24`, `2026-11`." }),
  spent_usd: z.number().meta({ description: "In this period so far." }),
  share: z.number().meta({ description: "spent_usd / usd; above 1 it is exceeded." }),
});

const span = { from: time, to: time };

export const llmOperations = {
  record: operation({
    method: "POST",
    path: "/api/llm/usage",
    summary: "Record what a call of a model used; it is an event llm.usage.recorded, too",
    body: json(z.object(call)),
    response: z.object({ id: z.int(), recorded: z.literal(true) }),
    errors: ["forbidden", "too_large", "out_of_space"],
    audit: "llm.usage {project}/{model}",
    cli: "llm record --provider P --model M --tokens-in N --tokens-out N --cache-read-tokens N --cache-write-tokens N --cache-write-1h-tokens N --cost-usd USD --instance-id ID --project P --request-type T --session-tag TAG --timestamp TIME",
  }),
  usage: operation({
    method: "GET",
    path: "/api/llm/usage",
    summary: "List calls of models, newest first",
    query: z.object({
      instance: filter.meta({ description: "Only calls of the instance with this id." }),
      project: filter,
      session_tag: filter,
      ...span,
      limit,
    }),
    response: z.array(recorded),
    cli: "llm usage --instance ID --project P --session session_tag=TAG --from TIME --to TIME --limit N",
  }),
  import: operation({
    method: "POST",
    path: "/api/llm/usage/import",
    summary: "Record many calls out of a log, each once; all of them are one event llm.usage.imported",
    body: json(
      z.object({
        records: z
          .array(imported, "must be an array of records")
          .max(limits.usageRecords, `has more than ${limits.usageRecords} entries`),
        unpriced: z.boolean("must be true or false").nullish().meta({
          description:
            "Record also those that have no price; they cost nothing, for good. Unless true they are left out, to be imported when there are prices.",
        }),
      }),
    ),
    response: z.object({
      recorded: z.int(),
      known: z.int().meta({ description: "Those that were recorded before: they are left as they are." }),
      unpriced: z.int().meta({ description: "New ones that have no price: left out, unless asked for." }),
      unpriced_models: z.array(z.string()).meta({ description: "The models that they are of." }),
    }),
    errors: ["conflict", "forbidden", "too_large", "out_of_space"],
    audit: "llm.import",
  }),
  summary: operation({
    method: "GET",
    path: "/api/llm/usage/summary",
    summary: "Sum what was used, by instance, project, model, session_tag or day",
    query: z.object({
      group_by: z
        .enum(
          ["instance", "project", "model", "session_tag", "day"],
          "must be one of instance, project, model, session_tag, day",
        )
        .or(z.literal(""))
        .optional()
        .meta({ description: "`project` unless said." }),
      ...span,
    }),
    response: z.object({
      group_by: z.string(),
      from: z.string().meta({ description: "As asked for; empty: from the beginning." }),
      to: z.string(),
      groups: z.record(z.string(), totals).meta({
        description:
          "By name, in no order that is promised: JSON objects have none. What names none is under the empty one.",
      }),
      total: totals,
      truncated: z.literal(true).optional().meta({
        description:
          "There are more names than one answer has, which are the most expensive, or the latest days; the total is of all of them.",
      }),
    }),
    cli: "llm summary --by group_by=FIELD --from TIME --to TIME",
  }),
  budgets: operation({
    method: "GET",
    path: "/api/llm/budgets",
    summary: "List budgets, with what is spent of each",
    response: z.array(budget),
    cli: "llm budgets",
  }),
  budget: operation({
    method: "GET",
    path: "/api/llm/budgets/{project}",
    summary: "Read a project's budget, with what is spent of it",
    params,
    response: budget,
    errors: ["not_found"],
    cli: "llm budget PROJECT",
  }),
  setBudget: operation({
    method: "PUT",
    path: "/api/llm/budgets/{project}",
    summary:
      "Say what a project may spend; at 80% there is an event budget.warning, above all of it budget.exceeded, once each in a period",
    params,
    body: json(z.object({ usd: usd.min(0.01, "must be 0.01 or more"), per })),
    response: budget,
    errors: ["rate_limited"],
    audit: "budget.put {project}",
    cli: "llm budget-set PROJECT --usd USD --per PERIOD",
  }),
  deleteBudget: operation({
    method: "DELETE",
    path: "/api/llm/budgets/{project}",
    summary: "Take a project's budget away",
    params,
    response: z.object({ deleted: z.string() }),
    errors: ["not_found"],
    audit: "budget.delete {project}",
    cli: "llm budget-delete PROJECT",
  }),
};
