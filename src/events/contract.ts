import { z } from "zod";
import { epoch, filter, limit, time, timestamp, topic, wholeNumber } from "../contract/fields.ts";
import { followOperations, pattern } from "../contract/follow.ts";
import { json, operation } from "../contract/operation.ts";

export const event = z.object({
  id: z.int().meta({ description: "Position in the log: gap-free, in commit order." }),
  topic: z.string(),
  data: z.unknown().meta({ description: "The JSON that was published; `null` without any." }),
  source: z.string().meta({ description: "The publishing instance's name; empty without an identity." }),
  created_at: timestamp,
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
    audit: "event.publish {topic}",
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
      before: wholeNumber(1).optional().meta({
        description:
          "Only events before this id: the next page. A page ends early at 16 MiB of data, so that only an empty one says that there are no more.",
      }),
      epoch,
      limit,
    }),
    response: z.array(event),
    positioned: true,
    errors: ["gone"],
    cli: "events history --last N --topic GLOB --from TIME --to TIME --source NAME --after ID --before ID --limit N",
  }),
  ...followOperations("/api/events", "events", event),
};
