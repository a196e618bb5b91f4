import { stringify } from "../contract/raw-json.ts";
import { lazy } from "../core/lazy.ts";
import type { Log } from "../feed/log.ts";
import type { Store } from "../store/store.ts";
import { showEvent } from "./service.ts";

/** The event log as the feed follows it: each event's frame is the JSON that every subscriber gets. */
export function eventLog(store: Store): Log {
  return {
    async read(after, limit, topic) {
      const rows = await store.events({ order: "oldest", after, limit, topic });
      return rows.map((row) => ({
        id: row.id,
        topic: row.topic,
        size: row.topic.length + row.data.length,
        frame: lazy(() => stringify(showEvent(row))),
      }));
    },
    async heads() {
      const { epoch, firstEvent, events } = await store.heads();
      return { epoch, first: firstEvent, last: events };
    },
    watch: (listener) => store.watch(({ events }) => listener(events)),
  };
}
