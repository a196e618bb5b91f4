import { signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { type EventLog, allEvents, eventLog } from "../live/event-log.ts";
import type { Row } from "../live/recent-events.ts";
import { Icon } from "../parts/icon.tsx";
import { Age, Empty, Fault, Loading, ViewFrame, cli } from "../parts/panel.tsx";
import { count, showNumber } from "../parts/show.ts";
import { Range, rangeOf } from "../parts/range.tsx";
import { useNarrow } from "../parts/use-narrow.ts";
import { VirtualList } from "../parts/virtual-list.tsx";
import { place, setQuery } from "../router.ts";
import { ClientError, faultText } from "../server.ts";
import { noticeLogout, onForget } from "../live/connection.ts";
import { Payload } from "./payload.tsx";
import { Publish } from "./publish.tsx";
import { useRange } from "./use-range.ts";

/** Height of a row, in CSS pixels: two lines where it is narrow. */
const rowHeight = 32;
const narrowRowHeight = 46;

/** The rows as they were when somebody paused; what comes meanwhile is kept, and shown afterwards. */
const paused = signal<readonly Row[] | undefined>(undefined);

onForget(() => {
  paused.value = undefined;
});

/** What happens, as it happens. */
export function Events() {
  const { query } = place.value;
  const pattern = query.get("pattern") ?? "";
  const range = rangeOf(query);
  const { log, fault } = usePattern(pattern);
  const past = useRange(pattern, range);
  const [chosen, setChosen] = useState<number | undefined>(undefined);
  const [publishing, setPublishing] = useState(false);
  const live = log.rows.value;
  const rows = range ? past.rows : (paused.value ?? live);
  const shown = rows?.find(({ id }) => id === chosen);
  const waiting = paused.value && live ? newerThan(live, paused.value[0]?.id ?? 0) : 0;
  useEffect(() => () => void (paused.value = undefined), [pattern]);
  return (
    <ViewFrame
      title="Events"
      summary={rows && summaryOf(rows, Boolean(range), waiting)}
      tools={
        <>
          <Pattern value={pattern} />
          <Range range={range} />
          {!range && (
            <button
              type="button"
              class="quiet"
              aria-pressed={Boolean(paused.value)}
              onClick={() => {
                paused.value = paused.value ? undefined : live;
              }}
            >
              <Icon name={paused.value ? "play" : "pause"} /> {paused.value ? "Resume" : "Pause"}
            </button>
          )}
          <button type="button" class="quiet" onClick={() => setPublishing(true)}>
            <Icon name="plus" /> Publish
          </button>
        </>
      }
    >
      <Fault text={fault || past.fault} />
      {!rows && fault === "" && past.fault === "" && <Loading />}
      {rows?.length === 0 && (
        <div class="panel">
          <Empty command={cli(`events publish hello --data '{}'`)}>
            {pattern === "" && !range ? "Nothing has happened yet." : "Nothing of this kind has happened."}{" "}
            Publish an event:
          </Empty>
        </div>
      )}
      {rows && rows.length > 0 && (
        <div class="split">
          <List log={range ? undefined : log} rows={rows} chosen={chosen} onChoose={setChosen} />
          {shown?.kind === "event" && (
            <Payload key={shown.id} row={shown} onClose={() => setChosen(undefined)} />
          )}
        </div>
      )}
      {publishing && <Publish onClose={() => setPublishing(false)} />}
    </ViewFrame>
  );
}

function summaryOf(rows: readonly Row[], isPast: boolean, waiting: number): string {
  if (waiting > 0) return `Paused; ${count(waiting, "event")} came since`;
  if (paused.value && !isPast) return "Paused";
  return isPast ? count(rows.length, "event") : `the newest ${showNumber(rows.length)}, live`;
}

function newerThan(rows: readonly Row[], id: number): number {
  const index = rows.findIndex((row) => row.id <= id);
  return index === -1 ? rows.length : index;
}

/** All events as the page follows them anyhow; of a pattern a stream of its own, as the server understands the pattern. */
function usePattern(pattern: string): { log: EventLog; fault: string } {
  const [fault, setFault] = useState("");
  const log = useMemo(() => (pattern === "" ? allEvents : eventLog(pattern, () => {})), [pattern]);
  useEffect(() => {
    setFault("");
    if (log === allEvents) return undefined;
    const aborter = new AbortController();
    const follow = async (): Promise<void> => {
      while (!aborter.signal.aborted) {
        try {
          await log.follow(aborter.signal);
        } catch (error) {
          if (aborter.signal.aborted || noticeLogout(error)) return;
          if (error instanceof ClientError && error.status === 400) return setFault(faultText(error));
          await new Promise((resolve) => setTimeout(resolve, 1000));
        }
      }
    };
    void follow();
    return () => aborter.abort();
  }, [log]);
  return { log, fault };
}

function Pattern({ value }: { value: string }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <form
      class="search-form"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        setQuery({ pattern: text.trim() });
      }}
    >
      <input
        class="search"
        type="search"
        data-search
        aria-label="Pattern of topics"
        placeholder="build.*, test.*.failed  /"
        title="Globs over the topic, with commas between: * any run of characters, ? one"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onBlur={() => setQuery({ pattern: text.trim() })}
      />
    </form>
  );
}

interface ListProps {
  /** undefined: what is shown is not live. */
  log: EventLog | undefined;
  rows: readonly Row[];
  chosen: number | undefined;
  onChoose: (id: number) => void;
}

function List({ log, rows, chosen, onChoose }: ListProps) {
  const narrow = useNarrow();
  const fresh = log?.liveAfter.value ?? Infinity;
  const older = () => {
    if (log && !paused.value) log.older(new AbortController().signal).catch(noticeLogout);
  };
  return (
    <section class="panel master" aria-label="Events" data-narrow={narrow ? "" : undefined}>
      <VirtualList
        label="Events, newest first"
        items={rows}
        rowHeight={narrow ? narrowRowHeight : rowHeight}
        keyOf={keyOf}
        active={chosen === undefined ? undefined : `event${chosen}`}
        marks={(row) =>
          row.kind === "gap"
            ? { "data-gap": `${row.from}-${row.id}` }
            : { "data-event": row.id, "data-fresh": row.id > fresh ? "" : undefined }
        }
        onChoose={({ id }) => onChoose(id)}
        onEnd={older}
        row={(row) => <Line row={row} />}
      />
    </section>
  );
}

const keyOf = ({ kind, id }: Row) => `${kind}${id}`;

function Line({ row }: { row: Row }) {
  if (row.kind === "gap") {
    const { from, id } = row;
    return (
      <div class="event gap">
        {from === id ? `Event ${showNumber(id)} was` : `Events ${showNumber(from)} to ${showNumber(id)} were`}{" "}
        trimmed before they could be shown.
      </div>
    );
  }
  return (
    <div class="event">
      <span class="id number">{row.id}</span>
      <span class="topic" title={row.topic}>
        {row.topic}
      </span>
      <code class="line">{row.line}</code>
      <span class="source">{row.source}</span>
      <Age at={row.createdAt} />
    </div>
  );
}
