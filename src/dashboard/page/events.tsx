import { useState } from "preact/hooks";
import { events, liveAfter } from "./live.ts";
import { Age, Empty, Loading, Panel, cli } from "./panel.tsx";
import { type EventRow, type GapRow, maxRows, unfold } from "./recent-events.ts";
import { showNumber } from "./show.ts";

/** What happens, as it happens. */
export function Events() {
  const rows = events.value;
  return (
    <Panel
      id="events"
      title="Events"
      scrolls
      count={rows && (rows.length === maxRows ? `newest ${maxRows}` : String(rows.length))}
    >
      {!rows && <Loading />}
      {rows?.length === 0 && (
        <Empty command={cli(`events publish hello --data '{}'`)}>
          Nothing has happened yet. Publish an event:
        </Empty>
      )}
      {rows && rows.length > 0 && (
        <ol class="events" reversed>
          {rows.map((row) =>
            row.kind === "gap" ? <Gap key={`gap${row.id}`} {...row} /> : <Event key={row.id} row={row} />,
          )}
        </ol>
      )}
    </Panel>
  );
}

function Event({ row }: { row: EventRow }) {
  const [open, setOpen] = useState(false);
  const { id, line } = row;
  return (
    <li data-event={id} class={id > liveAfter.value ? "fresh" : undefined}>
      {line === "" ? (
        <Head row={row} />
      ) : (
        <details onToggle={(toggled) => setOpen(toggled.currentTarget.open)}>
          <summary>
            <Head row={row} />
          </summary>
          {open && <Data row={row} />}
        </details>
      )}
    </li>
  );
}

function Head({ row: { id, topic, source, createdAt, line } }: { row: EventRow }) {
  return (
    <div class="event">
      <span class="id">{id}</span>
      <span class="topic" title={topic}>
        {topic}
      </span>
      <span class="line">{line}</span>
      <span class="source">{source}</span>
      <Age at={createdAt} />
    </div>
  );
}

function Data({ row }: { row: EventRow }) {
  return (
    <>
      <pre tabIndex={0}>{unfold(row)}</pre>
      {row.cut && (
        <p class="more">Cut here; the whole: koor-cli events history --after {row.id - 1} --limit 1</p>
      )}
    </>
  );
}

function Gap({ from, id }: GapRow) {
  return (
    <li data-gap={`${from}-${id}`} class="gap">
      {from === id ? `Event ${showNumber(id)} was` : `Events ${showNumber(from)} to ${showNumber(id)} were`}{" "}
      trimmed before they could be shown.
    </li>
  );
}
