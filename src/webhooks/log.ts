import { showTime } from "../contract/fields.ts";
import { RawJson, stringify } from "../contract/raw-json.ts";
import type { EventRow } from "../core/commit.ts";
import { lazy } from "../core/lazy.ts";
import type { Log } from "../feed/log.ts";
import type { Store } from "../store/store.ts";

/** What a receiver gets: its data as the text that was published. */
export function payloadOf({ topic, data, source, id, createdAt }: EventRow): string {
  const created_at = showTime(createdAt);
  return stringify({ topic, data: new RawJson(data), source, event_id: id, created_at });
}

/**
 * The event log as webhooks follow it. Of a commit they hear only after whoever published has his answer: a thousand of
 * them take some milliseconds to be looked through.
 */
export function webhookLog(store: Store): Log {
  return {
    async read(after, limit, topic) {
      const rows = await store.events({ order: "oldest", after, limit, topic });
      return rows.map((row) => ({
        id: row.id,
        topic: row.topic,
        size: row.topic.length + row.data.length,
        frame: lazy(() => payloadOf(row)),
      }));
    },
    async heads() {
      const { epoch, firstEvent, events } = await store.heads();
      return { epoch, first: firstEvent, last: events };
    },
    watch: (listener) => store.watch(({ events }) => setImmediate(() => listener(events))),
  };
}
