import { showTime } from "../contract/fields.ts";
import { RawJson, stringify } from "../contract/raw-json.ts";
import type { EventRow } from "../core/commit.ts";
import type { Log } from "../feed/log.ts";

/** What a receiver gets: its data as the text that was published. */
export function payloadOf({ topic, data, source, id, createdAt }: EventRow): string {
  const created_at = showTime(createdAt);
  return stringify({ topic, data: new RawJson(data), source, event_id: id, created_at });
}

/**
 * A log as webhooks follow it. Of a commit they hear only after whoever published has his answer: a thousand of them take
 * some milliseconds to be looked through.
 */
export function afterAnswers(log: Log): Log {
  return { ...log, watch: (listener) => log.watch((newest) => setImmediate(() => listener(newest))) };
}
