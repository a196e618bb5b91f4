import { z } from "zod";
import { filter, limit, text, time, timestamp, topic, wholeNumber } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import { json, operation } from "../contract/operation.ts";

export const event = z.object({
  id: z.int().meta({ description: "Position in the log: gap-free, in commit order." }),
  topic: z.string(),
  data: z.unknown().meta({ description: "The JSON that was published; `null` without any." }),
  source: z.string().meta({ description: "The publishing instance's name; empty without an identity." }),
  created_at: timestamp,
});

const pattern = text(limits.topicBytes).optional().meta({
  description:
    "Globs over the topic, with commas between: `*` any run, `?` one, `[a-z]`, `{a,b}`. Empty is all.",
});

export const eventOperations = {
  publish: operation({
    method: "POST",
    path: "/api/events/publish",
    summary: "Publish an event",
    body: json(
      z.object({
        topic,
        data: z.unknown().optional().meta({ description: "Any JSON; it is kept as it is written." }),
      }),
      { raw: ["data"] },
    ),
    response: event,
    errors: ["too_large", "out_of_space"],
    cli: "events publish TOPIC --data JSON",
  }),
  history: operation({
    method: "GET",
    path: "/api/events/history",
    summary: "Read past events: newest first, or with `after` oldest first",
    query: z.object({
      topic: pattern,
      from: time,
      to: time,
      source: filter.meta({ description: "Only events that the instance of this name published." }),
      last: limit.meta({ description: "How many, newest first; 50 unless said, at most 1000." }),
      after: wholeNumber(0).optional().meta({ description: "Only events after this id, oldest first." }),
      limit,
    }),
    response: z.array(event),
    cli: "events history --last N --topic GLOB --from TIME --to TIME --source NAME --after ID --limit N",
  }),
  subscribe: operation({
    method: "GET",
    path: "/api/events/subscribe",
    summary: "Follow events over a WebSocket: one JSON text frame an event",
    query: z.object({
      pattern,
      after: wholeNumber(0).optional().meta({ description: "First send what came after this id." }),
      epoch: text(limits.nameBytes).optional().meta({ description: "The epoch that `after` belongs to." }),
      hello: z
        .literal("1")
        .optional()
        .meta({ description: "Ask for a first frame {hello:{epoch,last_id}}." }),
    }),
    response: "socket",
    errors: ["gone"],
  }),
};
