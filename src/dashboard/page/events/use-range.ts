import { type EventFilter, allEvents, readBefore, readSince } from "../live/event-log.ts";
import { usePast } from "../live/past.ts";
import type { Row } from "../live/recent-events.ts";
import type { TimeRange } from "../parts/range.tsx";

/** The events of a time, newest first, page by page; none of them unless one is given. Where it has no end it goes on. */
export function useRange(
  { topic, source }: Pick<EventFilter, "topic" | "source">,
  range: TimeRange | undefined,
) {
  const filter = { topic, source, from: range?.from || undefined, to: range?.to || undefined };
  return usePast<Row>({
    question: range && JSON.stringify(filter),
    before: async (row, signal) => {
      const rows = (await readBefore(row ? [row] : [], filter, signal)).reverse();
      // A page may end early: only an empty one says that there are no more.
      return { rows, isLast: rows.length === 0 };
    },
    since: range?.to === "" ? (row, signal) => readSince(row, filter, signal) : undefined,
    hear: (look) => allEvents.rows.subscribe(look),
  });
}
