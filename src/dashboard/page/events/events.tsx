import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type EventFilter, type EventLog, allEvents, eventLog, readBefore } from "../live/event-log.ts";
import { instances } from "../live/lists.ts";
import { type EventRow, type Row, addOlder, maxRows } from "../live/recent-events.ts";
import { FilterField } from "../parts/filter-field.tsx";
import { globsOf } from "../parts/globs.ts";
import { Icon } from "../parts/icon.tsx";
import { Age, Clock, Empty, Fault, Loading, ViewFrame, cli } from "../parts/panel.tsx";
import { count, showNumber } from "../parts/show.ts";
import { Range, rangeOf } from "../parts/range.tsx";
import { useNarrow } from "../parts/use-narrow.ts";
import { Who } from "../parts/who.tsx";
import { VirtualList } from "../parts/virtual-list.tsx";
import { place, setQuery } from "../router.ts";
import { ClientError, type SubscriptionState, faultText } from "../server.ts";
import { connection, connections, noticeLogout, onForget } from "../live/connection.ts";
import { levelOf } from "./level.ts";
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

/** How the filter is understood. */
const how =
  'Part of a topic; or a pattern: * any run of characters, ? one; or the whole topic in "quotes". Commas between several';

/** Rows whose topics and sources are suggested. */
const suggestedFrom = 500;

const namesIn = (rows: readonly Row[], name: "topic" | "source") =>
  rows
    .slice(0, suggestedFrom)
    .flatMap((row) => (row.kind === "event" && row[name] !== "" ? [row[name]] : []))
    .sort();

/** What was there, until what comes next is: a list that is filtered as one types does not flicker. */
function useLast(rows: readonly Row[] | undefined, fault: string): readonly Row[] | undefined {
  const last = useRef(rows);
  if (rows || fault !== "") last.current = rows;
  return last.current;
}

/** What happens, as it happens. */
export function Events() {
  const { query } = place.value;
  const words = query.get("pattern") ?? "";
  const pattern = globsOf(words);
  const source = query.get("source") ?? "";
  const filter = useMemo(
    () => ({ topic: pattern || undefined, source: source || undefined }),
    [pattern, source],
  );
  const range = rangeOf(query);
  const { log, state, fault } = useLog(filter);
  const past = useRange(filter, range);
  const agents = instances.use();
  // Not only its id: who reads an event goes on reading when it is too old for the list.
  const [chosen, setChosen] = useState<EventRow | undefined>(undefined);
  const [publishing, setPublishing] = useState(false);
  const [published, setPublished] = useState(0);
  const live = useLast(log.rows.value, fault);
  const rows = range ? past.rows : (paused.value ?? live);
  useEffect(() => unpause, [filter]);
  useEffect(() => setChosen(undefined), [filter, range?.from, range?.to, rows === undefined]);
  useEffect(() => setPublished(0), [filter, range?.from, range?.to]);
  const topics = useMemo(() => namesIn(rows ?? [], "topic"), [rows]);
  const sources = useMemo(() => namesIn(rows ?? [], "source"), [rows]);
  const older = () => {
    if (range) past.older();
    else if (paused.value) void olderThanPaused(filter);
    else log.older(new AbortController().signal).catch(noticeLogout);
  };
  return (
    <ViewFrame
      title="Events"
      summary={
        rows &&
        (range
          ? summaryOfPast(rows, past.isAll)
          : summaryOf(rows, cameSince(paused.value, live, filter), state))
      }
      tools={
        <>
          <FilterField
            name="pattern"
            label="Filter by topic"
            placeholder="Topic: build, test.*.failed"
            title={how}
            value={words}
            suggestions={topics}
            search
          />
          <FilterField
            name="source"
            label="Filter by agent"
            placeholder="Agent"
            title="The whole name of the agent that published it; `dashboard` for a person at this page"
            value={source}
            suggestions={[...(agents ?? []).map(({ name }) => name), ...sources]}
          />
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
      <Published id={published} rows={rows} isPaused={Boolean(paused.value) && !range} />
      {!rows && fault === "" && past.fault === "" && <Loading />}
      {rows?.length === 0 && (
        <div class="panel">
          <Empty command={cli(`events publish hello --data '{}'`)}>
            {words === "" && source === "" && !range ? (
              "No events yet."
            ) : (
              <NoMatch topic={words} source={source} />
            )}{" "}
            Publish one with the button above, or by:
          </Empty>
        </div>
      )}
      {rows && rows.length > 0 && (
        <div class="split">
          <List
            fresh={range ? Infinity : log.liveAfter.value}
            clock={range !== undefined}
            rows={rows}
            chosen={chosen?.id}
            onChoose={setChosen}
            onEnd={older}
          />
          {chosen && <Payload key={chosen.id} row={chosen} onClose={() => setChosen(undefined)} />}
        </div>
      )}
      {publishing && <Publish onClose={() => setPublishing(false)} onPublished={setPublished} />}
    </ViewFrame>
  );
}

/** Whoever looks for an agent may have typed it as a topic, or look for what is no event. */
function NoMatch({ topic, source }: { topic: string; source: string }) {
  const who = source || topic;
  return (
    <>
      No event matches. Upper and lower case count.
      {topic !== "" &&
        " The first field looks at topics only; for what an agent published there is the second."}
      {who !== "" && (
        <>
          {" "}
          What else an agent did stands in the{" "}
          <a href={`/audit?${new URLSearchParams({ actor: who }).toString()}`}>audit of {who}</a>.
        </>
      )}
    </>
  );
}

interface PublishedProps {
  /** 0: nothing was published. */
  id: number;
  rows: readonly Row[] | undefined;
  isPaused: boolean;
}

/** Says what became of an event that was published here, where the list does not show it. */
function Published({ id, rows, isPaused }: PublishedProps) {
  const isShown = rows?.some((row) => row.id === id) ?? false;
  // A list that is live has it in a moment, unless it is one of others.
  const hasCome = (allEvents.rows.value?.[0]?.id ?? 0) >= id;
  const where = isPaused
    ? "It is shown when you resume."
    : "It is not in this list: it is of another topic, agent or time.";
  return (
    <p class="summary published" role="status">
      {id > 0 && !isShown && (isPaused || hasCome) && `Published as event ${showNumber(id)}. ${where}`}
    </p>
  );
}

const states: Readonly<Record<StreamState, string>> = {
  live: "live",
  polling: "live",
  connecting: "connecting…",
  waiting: "not live: connection lost, trying again…",
};

function summaryOf(rows: readonly Row[], came: string, state: StreamState): string {
  const shown = paused.value
    ? `Paused${came === "" ? "" : `, ${came} since then`}`
    : `newest ${count(rows.length, "event")}`;
  return paused.value && states[state] === "live" ? shown : `${shown}, ${states[state]}`;
}

function summaryOfPast(rows: readonly Row[], isAll: boolean): string {
  if (isAll) return count(rows.length, "event");
  return `newest ${count(rows.length, "event")} of this time${rows.length < maxRows ? "; scroll down for older ones" : ""}`;
}

/** How many came while it was paused; "" is none. */
function cameSince(
  then: readonly Row[] | undefined,
  live: readonly Row[] | undefined,
  { topic, source }: EventFilter,
) {
  if (!then || !live) return "";
  const last = then[0]?.id ?? 0;
  const index = live.findIndex(({ id }) => id <= last);
  if (index !== -1) return index === 0 ? "" : count(index, "event");
  // More than the page keeps. Of all events there is one for each id.
  const newest = live[0]?.id ?? 0;
  if (!topic && !source && last > 0 && newest > last) return count(newest - last, "event");
  return live.length < maxRows ? count(live.length, "event") : `more than ${count(live.length, "event")}`;
}

/** Who paused to read can read on. */
async function olderThanPaused(filter: EventFilter): Promise<void> {
  const then = paused.value;
  if (!then || then.length >= maxRows) return;
  const page = await readBefore(then, filter, new AbortController().signal).catch((error: unknown) => {
    noticeLogout(error);
    return [];
  });
  if (paused.value === then && page.length > 0) paused.value = addOlder(then, page);
}

function Missed({ from, to }: { from: string; to: string }) {
  return (
    <p class="fault" role="status">
      More events came while it was paused than this page keeps.{" "}
      <button type="button" class="quiet" onClick={() => setQuery({ from, to })}>
        Show the missing ones
      </button>
    </p>
  );
}

type StreamState = SubscriptionState | "connecting";

/** All events as the page follows them anyhow; of some of them a stream of its own, as the server understands the pattern. */
function useLog(filter: EventFilter): { log: EventLog; state: StreamState; fault: string } {
  const [fault, setFault] = useState("");
  const [own, setOwn] = useState<StreamState>("connecting");
  const log = useMemo(() => (filter.topic || filter.source ? eventLog(filter, setOwn) : allEvents), [filter]);
  useEffect(() => {
    setFault("");
    if (log === allEvents) return undefined;
    setOwn("connecting");
    const aborter = new AbortController();
    const follow = async (): Promise<void> => {
      while (!aborter.signal.aborted) {
        try {
          await log.follow(aborter.signal);
        } catch (error) {
          if (aborter.signal.aborted || noticeLogout(error)) return;
          if (error instanceof ClientError && error.status === 400) return setFault(faultText(error));
          setOwn("waiting");
          await new Promise((resolve) => setTimeout(resolve, 1000));
        }
      }
    };
    void follow();
    return () => aborter.abort();
  }, [log, connections.value]);
  return { log, state: log === allEvents ? connection.value : own, fault };
}

interface ListProps {
  /** Those above this id came while somebody looked. */
  fresh: number;
  /** Whether times are told by the clock. */
  clock: boolean;
  rows: readonly Row[];
  chosen: number | undefined;
  onChoose: (row: EventRow) => void;
  onEnd: () => void;
}

function List({ fresh, clock, rows, chosen, onChoose, onEnd }: ListProps) {
  const narrow = useNarrow();
  return (
    <section
      class="panel master"
      aria-label="Events"
      data-narrow={narrow ? "" : undefined}
      data-clock={clock ? "" : undefined}
    >
      <VirtualList
        label="Events, newest first"
        items={rows}
        rowHeight={narrow ? narrowRowHeight : rowHeight}
        keyOf={keyOf}
        active={chosen === undefined ? undefined : `event${chosen}`}
        marks={(row) =>
          row.kind === "gap"
            ? { "data-gap": `${row.from}-${row.id}` }
            : {
                "data-event": row.id,
                "data-fresh": row.id > fresh ? "" : undefined,
                "data-level": levelOf(row.topic),
              }
        }
        onChoose={(row) => row.kind === "event" && onChoose(row)}
        onEnd={onEnd}
        row={(row) => <Line row={row} clock={clock} />}
      />
    </section>
  );
}

const keyOf = ({ kind, id }: Row) => `${kind}${id}`;

function Line({ row, clock }: { row: Row; clock: boolean }) {
  if (row.kind === "gap") {
    const { from, id } = row;
    return (
      <div class="event gap">
        {from === id ? `Event ${showNumber(id)} was` : `Events ${showNumber(from)} to ${showNumber(id)} were`}{" "}
        removed by the server before this page could show them.
      </div>
    );
  }
  const level = levelOf(row.topic);
  return (
    <div class="event">
      <span class="id number">{row.id}</span>
      {level && <span class="hidden">{level}</span>}
      <span class="topic" title={row.topic}>
        {level && <Icon name="warning" />}
        {row.topic}
      </span>
      <code class="line">{row.line}</code>
      <span class="source">
        <Who name={row.source} />
      </span>
      {clock ? <Clock at={row.createdAt} /> : <Age at={row.createdAt} />}
    </div>
  );
}
