import { stringify } from "../contract/raw-json.ts";
import type { Log } from "../feed/log.ts";
import type { Store } from "../store/store.ts";
import { showEvent } from "./service.ts";

/** The event log as the feed follows it: each event's frame is the JSON that every subscriber gets. */
export function eventLog(store: Store): Log {
  return {
    async read(after, limit, topic) {
      const rows = await store.events({ order: "oldest", after, limit, topic });
      return rows.map((row) => ({ id: row.id, topic: row.topic, frame: stringify(showEvent(row)) }));
    },
    async heads() {
      const { firstEvent, events } = await store.heads();
      return { first: firstEvent, last: events };
    },
    watch: (listener) => store.watch(({ events }) => listener(events)),
  };
}
