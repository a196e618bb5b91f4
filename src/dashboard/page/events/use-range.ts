import { useEffect, useRef, useState } from "preact/hooks";
import { noticeLogout } from "../live/connection.ts";
import { readBefore } from "../live/event-log.ts";
import { type Row, addOlder, maxRows } from "../live/recent-events.ts";
import type { TimeRange } from "../parts/range.tsx";
import { faultText } from "../server.ts";

/** What of a time is shown. */
interface Past {
  rows: readonly Row[];
  /** Whether these are all. */
  isAll: boolean;
}

/** The events of a time, newest first, page by page; none of them unless one is given. */
export function useRange(pattern: string, range: TimeRange | undefined) {
  const [past, setPast] = useState<Past | undefined>(undefined);
  const [fault, setFault] = useState("");
  const filter = { topic: pattern || undefined, from: range?.from || undefined, to: range?.to || undefined };
  const reading = useRef<AbortController | undefined>(undefined);

  const read = (shown: readonly Row[]) => {
    if (reading.current) return;
    const aborter = new AbortController();
    const { signal } = aborter;
    reading.current = aborter;
    readBefore(shown, filter, signal)
      .then(
        (page) => !signal.aborted && setPast({ rows: addOlder(shown, page), isAll: page.length === 0 }),
        (error: unknown) => !signal.aborted && !noticeLogout(error) && setFault(faultText(error)),
      )
      .finally(() => {
        if (reading.current === aborter) reading.current = undefined;
      });
  };
  useEffect(() => {
    setFault("");
    setPast(undefined);
    if (!range) return undefined;
    read([]);
    return () => {
      reading.current?.abort();
      reading.current = undefined;
    };
  }, [pattern, range?.from, range?.to]);

  const older = () => {
    if (past && !past.isAll && past.rows.length < maxRows) read(past.rows);
  };
  return { rows: past?.rows, isAll: past?.isAll ?? false, fault, older };
}
