import { signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { type EventLog, allEvents, eventLog, readBefore } from "../live/event-log.ts";
import { type EventRow, type Row, addOlder, maxRows } from "../live/recent-events.ts";
import { Icon } from "../parts/icon.tsx";
import { Age, Empty, Fault, Loading, ViewFrame, cli } from "../parts/panel.tsx";
import { count, showNumber } from "../parts/show.ts";
import { Range, rangeOf } from "../parts/range.tsx";
import { useNarrow } from "../parts/use-narrow.ts";
import { Who } from "../parts/who.tsx";
import { VirtualList } from "../parts/virtual-list.tsx";
import { place, setQuery } from "../router.ts";
import { ClientError, faultText } from "../server.ts";
import { connections, noticeLogout, onForget } from "../live/connection.ts";
import { Payload } from "./payload.tsx";
import { Publish } from "./publish.tsx";
import { useRange } from "./use-range.ts";

/** Height of a row, in CSS pixels: two lines where it is narrow. */
const rowHeight = 32;
const narrowRowHeight = 46;

/** The rows as they were when somebody paused; what comes meanwhile is kept, and shown afterwards. */
const paused = signal<readonly Row[] | undefined>(undefined);
/** The time of those that came while it was paused and were more than the page keeps. */
const missed = signal<{ from: string; to: string } | undefined>(undefined);

function unpause(): void {
  paused.value = undefined;
  missed.value = undefined;
}

onForget(unpause);

/** Goes on where the list was paused; what the page could not keep since is a link away. */
function resume(live: readonly Row[]): void {
  const [last] = paused.value ?? [];
  const oldest = live.at(-1);
  paused.value = undefined;
  if (last?.kind !== "event" || oldest?.kind !== "event" || oldest.id <= last.id) return;
  missed.value = { from: last.createdAt, to: oldest.createdAt };
}

/** What happens, as it happens. */
export function Events() {
  const { query } = place.value;
  const pattern = query.get("pattern") ?? "";
  const range = rangeOf(query);
  const { log, fault } = usePattern(pattern);
  const past = useRange(pattern, range);
  // Not only its id: who reads an event goes on reading when it is too old for the list.
  const [chosen, setChosen] = useState<EventRow | undefined>(undefined);
  const [publishing, setPublishing] = useState(false);
  const live = log.rows.value;
  const rows = range ? past.rows : (paused.value ?? live);
  useEffect(() => unpause, [pattern]);
  useEffect(() => setChosen(undefined), [pattern, range?.from, range?.to, rows === undefined]);
  const older = () => {
    if (range) past.older();
    else if (paused.value) void olderThanPaused(pattern);
    else log.older(new AbortController().signal).catch(noticeLogout);
  };
  return (
    <ViewFrame
      title="Events"
      summary={
        rows &&
        (range ? summaryOfPast(rows, past.isAll) : summaryOf(rows, cameSince(paused.value, live, pattern)))
      }
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
                if (paused.value && live) resume(live);
                else {
                  missed.value = undefined;
                  paused.value = live;
                }
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
      {missed.value && !range && <Missed {...missed.value} />}
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
          <List
            fresh={range ? Infinity : log.liveAfter.value}
            rows={rows}
            chosen={chosen?.id}
            onChoose={setChosen}
            onEnd={older}
          />
          {chosen && <Payload key={chosen.id} row={chosen} onClose={() => setChosen(undefined)} />}
        </div>
      )}
      {publishing && <Publish onClose={() => setPublishing(false)} />}
    </ViewFrame>
  );
}

function summaryOf(rows: readonly Row[], came: string): string {
  if (came !== "") return `Paused; ${came} came since`;
  return paused.value ? "Paused" : `the newest ${showNumber(rows.length)}, live`;
}

function summaryOfPast(rows: readonly Row[], isAll: boolean): string {
  if (isAll) return count(rows.length, "event");
  return `the newest ${count(rows.length, "event")} of this time${rows.length < maxRows ? "; scroll for more" : ""}`;
}

/** How many came while it was paused; "" is none. */
function cameSince(then: readonly Row[] | undefined, live: readonly Row[] | undefined, pattern: string) {
  if (!then || !live) return "";
  const last = then[0]?.id ?? 0;
  const index = live.findIndex(({ id }) => id <= last);
  if (index !== -1) return index === 0 ? "" : count(index, "event");
  // More than the page keeps. Of all events there is one for each id.
  const newest = live[0]?.id ?? 0;
  if (pattern === "" && last > 0 && newest > last) return count(newest - last, "event");
  return live.length < maxRows ? count(live.length, "event") : `more than ${count(live.length, "event")}`;
}

/** Who paused to read can read on. */
async function olderThanPaused(pattern: string): Promise<void> {
  const then = paused.value;
  if (!then || then.length >= maxRows) return;
  const topic = pattern || undefined;
  const page = await readBefore(then, { topic }, new AbortController().signal).catch((error: unknown) => {
    noticeLogout(error);
    return [];
  });
  if (paused.value === then && page.length > 0) paused.value = addOlder(then, page);
}

function Missed({ from, to }: { from: string; to: string }) {
  return (
    <p class="fault" role="status">
      More came while it was paused than this page keeps.{" "}
      <button type="button" class="quiet" onClick={() => setQuery({ from, to })}>
        Show those before the list
      </button>
    </p>
  );
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
  }, [log, connections.value]);
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
  /** Those above this id came while somebody looked. */
  fresh: number;
  rows: readonly Row[];
  chosen: number | undefined;
  onChoose: (row: EventRow) => void;
  onEnd: () => void;
}

function List({ fresh, rows, chosen, onChoose, onEnd }: ListProps) {
  const narrow = useNarrow();
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
        onChoose={(row) => row.kind === "event" && onChoose(row)}
        onEnd={onEnd}
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
      <span class="source">
        <Who name={row.source} />
      </span>
      <Age at={row.createdAt} />
    </div>
  );
}
