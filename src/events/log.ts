import { stringify } from "../contract/raw-json.ts";
import type { EventRow } from "../core/commit.ts";
import { lazy } from "../core/lazy.ts";
import type { Log } from "../feed/log.ts";
import type { Store } from "../store/store.ts";
import { showEvent } from "./service.ts";

/**
 * The event log as the feed follows it.
 *
 * @param textOf an event's frame; unless said, the JSON that every subscriber gets
 */
export function eventLog(
  store: Store,
  textOf: (row: EventRow) => string = (row) => stringify(showEvent(row)),
): Log {
  return {
    async read(after, limit, topic) {
      const rows = await store.events({ order: "oldest", after, limit, topic });
      return rows.map((row) => ({
        id: row.id,
        topic: row.topic,
        size: row.topic.length + row.data.length,
        frame: lazy(() => textOf(row)),
      }));
    },
    async heads() {
      const { epoch, firstEvent, events } = await store.heads();
      return { epoch, first: firstEvent, last: events };
    },
    watch: (listener) => store.watch(({ events }) => listener(events)),
  };
}
