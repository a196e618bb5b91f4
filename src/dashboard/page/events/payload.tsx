import { useEffect, useMemo, useState } from "preact/hooks";
import { type EventRow, dataOf } from "../live/recent-events.ts";
import { parseExact } from "../parts/exact-json.ts";
import { Icon } from "../parts/icon.tsx";
import { JsonView } from "../parts/json-view.tsx";
import { Age, Copy, Fault, Loading } from "../parts/panel.tsx";
import { Who } from "../parts/who.tsx";
import { client, faultText, readFrame, splitArray } from "../server.ts";
import { Text } from "../values/value-view.tsx";

/** One event whole. */
export function Payload({ row, onClose }: { row: EventRow; onClose: () => void }) {
  const { id, topic, source, createdAt } = row;
  const { data, fault } = useData(row);
  const drawn = useMemo(() => (data === undefined || data === "" ? undefined : draw(data)), [data]);
  return (
    <section class="panel detail" aria-label={`Event ${id}`} data-payload={id}>
      <header class="detail-head">
        <h2>{topic}</h2>
        <div class="buttons">
          {data !== undefined && data !== "" && <Copy text={data} label="Copy the data" />}
          <button type="button" class="quiet copy" aria-label="Close the event" onClick={onClose}>
            <Icon name="close" />
          </button>
        </div>
        <p class="facts">
          event {id} · by <Who name={source} link /> · <Age at={createdAt} />
        </p>
      </header>
      <div class="detail-body" role="group" aria-label="Data" tabIndex={0}>
        <Fault text={fault} />
        {data === undefined && fault === "" && <Loading />}
        {data === "" && <p class="soft">It carries no data.</p>}
        {drawn}
      </div>
    </section>
  );
}

function draw(data: string) {
  try {
    return <JsonView value={parseExact(data)} />;
  } catch {
    // Too many levels for a tree.
    return <Text text={data} />;
  }
}

/** What the row left out is asked for: it may be a megabyte. */
function useData({ id, data, cut }: EventRow): { data: string | undefined; fault: string } {
  const [whole, setWhole] = useState<string | undefined>(cut ? undefined : data);
  const [fault, setFault] = useState("");
  useEffect(() => {
    if (!cut) return undefined;
    const aborter = new AbortController();
    const { signal } = aborter;
    const read = async () => {
      const query = { after: id - 1, limit: 1 };
      const response = await client.send("events.history", { query, signal });
      const [frame] = splitArray(await response.text()).map(readFrame);
      if (frame?.kind !== "event" || frame.event.id !== id) throw new Error("it was trimmed meanwhile");
      setWhole(dataOf(frame));
    };
    read().catch((error: unknown) => !signal.aborted && setFault(faultText(error)));
    return () => aborter.abort();
  }, [id]);
  return { data: whole, fault };
}
