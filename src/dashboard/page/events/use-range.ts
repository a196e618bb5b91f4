import { useEffect, useState } from "preact/hooks";
import { readRows } from "../live/event-log.ts";
import type { Row } from "../live/recent-events.ts";
import type { TimeRange } from "../parts/range.tsx";
import { client, faultText } from "../server.ts";

/** Events of a range that are shown: as many as one answer has. */
const limit = "1000";

/** The events of a time; none of them unless one is given. */
export function useRange(pattern: string, range: TimeRange | undefined) {
  const [rows, setRows] = useState<readonly Row[] | undefined>(undefined);
  const [fault, setFault] = useState("");
  useEffect(() => {
    setFault("");
    setRows(undefined);
    if (!range) return undefined;
    const aborter = new AbortController();
    const { signal } = aborter;
    const query = {
      from: range.from || undefined,
      to: range.to || undefined,
      topic: pattern || undefined,
      last: limit,
    };
    const read = async () => {
      const response = await client.send("events.history", { query, signal });
      setRows(readRows(await response.text()));
    };
    read().catch((error: unknown) => !signal.aborted && setFault(faultText(error)));
    return () => aborter.abort();
  }, [pattern, range?.from, range?.to]);
  return { rows, fault };
}
