import { z } from "zod";
import { epoch, limit, text, waitingTime, wholeNumber } from "./fields.ts";
import { limits } from "./limits.ts";
import { operation } from "./operation.ts";

export const pattern = text(limits.topicBytes).optional().meta({
  description:
    "Globs over the topic, with commas between: `*` any run, `?` one, `[a-z]`, `{a,b}`. Empty is all.",
});

const after = wholeNumber(0).optional().meta({
  description: "First what came after this id; unless said, only what is new.",
});

/**
 * The three ways to follow a log from a position on: the same for each log, and all of one feed.
 *
 * @param path `/api/events`: the ways are below it
 * @param what what the log holds, in the plural
 * @param entry one entry as it is shown
 */
export function followOperations<E extends z.ZodType>(path: string, what: string, entry: E) {
  const query = { pattern, after, epoch };
  return {
    subscribe: operation({
      method: "GET",
      path: `${path}/subscribe`,
      summary: `Follow ${what} over a WebSocket: one JSON text frame each`,
      query: z.object({
        ...query,
        hello: z
          .literal("1")
          .optional()
          .meta({ description: "Ask for a first frame {hello:{epoch,last_id}}." }),
      }),
      response: "socket",
      positioned: true,
      errors: ["gone"],
    }),
    stream: operation({
      method: "GET",
      path: `${path}/stream`,
      summary: `Follow ${what} as Server-Sent Events: the data of each is one JSON text`,
      query: z.object(query),
      response: "stream",
      positioned: true,
      errors: ["gone"],
    }),
    next: operation({
      method: "GET",
      path: `${path}/next`,
      summary: `Wait for the next ${what}: answers as soon as one matches, or with none when the time is up`,
      query: z.object({ ...query, wait: waitingTime, limit }),
      response: z.object({
        events: z.array(entry).meta({ description: "Oldest first; none when the time was up." }),
        last_id: z.int().meta({ description: "All up to here was looked at: the next `after`." }),
      }),
      positioned: true,
      errors: ["gone", "rate_limited"],
    }),
  };
}
