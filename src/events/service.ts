import { showTime } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import type { Handlers } from "../contract/operation.ts";
import { compactJson } from "../contract/json-text.ts";
import { RawJson } from "../contract/raw-json.ts";
import type { EventRow, Op } from "../core/commit.ts";
import type { Store } from "../store/store.ts";
import { appendedEvent, perform } from "../store/write.ts";
import type { eventOperations } from "./contract.ts";
import { patternOf } from "../core/pattern.ts";

/** The event bus: what is published is appended to a log, which is what every subscriber reads. `next` is the feed's. */
export function eventService(store: Store): Omit<Handlers<typeof eventOperations>, "next"> {
  return {
    async publish({ body, ...terms }) {
      const data = body.data instanceof RawJson ? body.data.text : JSON.stringify(body.data ?? null);
      // An event is one line wherever it goes.
      const op: Op = {
        kind: "append",
        topic: body.topic,
        data: compactJson(data),
        source: terms.caller.name,
      };
      return perform(
        store,
        terms,
        () => ({ ops: [op], note: null }),
        (results) => showEvent(appendedEvent(results)),
      );
    },

    async history({ query }) {
      const topic = query.topic ? patternOf("topic", query.topic) : undefined;
      const { from, to, after, before } = query;
      const source = query.source || undefined;
      const rows = await store.events({
        order: after === undefined ? "newest" : "oldest",
        limit:
          (after === undefined ? query.last : query.limit) ?? query.limit ?? query.last ?? limits.historyRows,
        after,
        before,
        topic,
        from,
        to,
        source,
      });
      return rows.map(showEvent);
    },
  };
}

/** An event as the wire shows it. Its data goes out as the text that came in. */
export function showEvent(row: EventRow) {
  return {
    id: row.id,
    topic: row.topic,
    data: new RawJson(row.data),
    source: row.source,
    created_at: showTime(row.createdAt),
  };
}
