import { z } from "zod";
import { limit, pathName, requiredText, text, timestamp } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import { json, operation } from "../contract/operation.ts";

const id = pathName(requiredText(limits.nameBytes)).meta({
  description: "A name of your own; taken by one webhook at a time.",
});
const params = z.object({ id });

const pattern = z.string().meta({ description: "A glob over topics, as for subscribing." });

const webhook = z.object({
  id: z.string(),
  url: z.string(),
  patterns: z.array(pattern),
  active: z.boolean().meta({ description: "False once it was disabled: nothing is sent until a replay." }),
  fail_count: z.int().meta({
    description: "Events in a row whose first attempt failed; a success clears it. At 10 it is disabled.",
  }),
  created_at: timestamp,
  last_fired: timestamp.nullable().meta({ description: "When an event last got through; `null`: never." }),
});

const delivery = z.object({
  id: z.string().meta({ description: "The header `webhook-id`: the same in each attempt." }),
  event_id: z.int(),
  topic: z.string().meta({ description: "Cut to 128 characters." }),
  status: z.enum(["delivered", "waiting", "failed", "dropped"]).meta({
    description:
      "waiting: it is tried again; failed: given up, kept for a replay; dropped: lost, since there was no room to keep it, or nobody took it for three days.",
  }),
  attempts: z.int(),
  code: z.int().meta({ description: "The last answer's HTTP status; 0: there was none." }),
  error: z.string().meta({ description: "Why the last attempt failed; else empty." }),
  at: timestamp.meta({ description: "The last attempt." }),
  next_at: timestamp.nullable().meta({
    description: "The next attempt; `null`: there is none, or not before a replay enables the webhook.",
  }),
});

export const webhookOperations = {
  create: operation({
    method: "POST",
    path: "/api/webhooks",
    summary: "Send events to a URL from now on, signed and retried",
    body: json(
      z.object({
        id,
        url: requiredText(limits.webhookUrlBytes).meta({
          description: "http or https; private addresses only if the server allows them.",
        }),
        patterns: z
          .array(requiredText(limits.topicBytes), "must be an array of texts")
          .max(limits.webhookPatterns, `has more than ${limits.webhookPatterns} entries`)
          .nullish()
          .transform((list) => (list && list.length > 0 ? list : ["*"]))
          .meta({ description: "Globs over topics; every event unless said." }),
        secret: text(limits.nameBytes).nullish().meta({
          description:
            "Signs what is sent, and is never shown. `whsec_` and base64, else its UTF-8 bytes; without one nothing is signed.",
        }),
      }),
    ),
    response: webhook,
    errors: ["already_exists", "rate_limited"],
    audit: "webhook.create {id}",
    cli: "webhooks add --id ID --url URL --patterns A,B --secret S",
  }),
  list: operation({
    method: "GET",
    path: "/api/webhooks",
    summary: "List webhooks, sorted by id",
    response: z.array(webhook),
    cli: "webhooks list",
  }),
  delete: operation({
    method: "DELETE",
    path: "/api/webhooks/{id}",
    summary: "Delete a webhook, and what waits for it",
    params,
    response: z.object({ deleted: z.string() }),
    errors: ["not_found"],
    audit: "webhook.delete {id}",
    cli: "webhooks delete ID",
  }),
  test: operation({
    method: "POST",
    path: "/api/webhooks/{id}/test",
    summary: "Send the event webhook.test now, once; 400 when it does not get through",
    params,
    response: z.object({ tested: z.string(), status: z.literal("ok") }),
    errors: ["not_found", "rate_limited"],
    cli: "webhooks test ID",
  }),
  deliveries: operation({
    method: "GET",
    path: "/api/webhooks/{id}/deliveries",
    summary: "What waits, what was given up, and the last that got through; newest first",
    params,
    query: z.object({ limit }),
    response: z.object({
      id: z.string(),
      position: z.int().meta({ description: "The event up to which all had their first attempt." }),
      missed: z.int().meta({
        description:
          "Events that retention removed before their first attempt, of any topic; and dropped ones.",
      }),
      deliveries: z.array(delivery),
    }),
    errors: ["not_found"],
    cli: "webhooks deliveries ID --limit N",
  }),
  replay: operation({
    method: "POST",
    path: "/api/webhooks/{id}/replay",
    summary: "Try again at once what waits or failed, or send all events after one again; enables it, too",
    params,
    body: json(
      z.object({
        after: z.int("must be a whole number").nonnegative("must be 0 or more").optional().meta({
          description: "Send every event after this id, again where need be; unless said, what failed.",
        }),
      }),
    ),
    response: z.object({
      id: z.string(),
      position: z.int(),
      retried: z.int().meta({ description: "Deliveries that are tried again now." }),
    }),
    errors: ["not_found", "gone"],
    audit: "webhook.replay {id}",
    cli: "webhooks replay ID --after EVENT",
  }),
};
