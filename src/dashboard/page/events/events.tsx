import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type EventFilter, type EventLog, allEvents, eventLog, readBefore } from "../live/event-log.ts";
import { type EventRow, type Row, addOlder, maxRows } from "../live/recent-events.ts";
import { globsOf } from "../parts/globs.ts";
import { Icon } from "../parts/icon.tsx";
import { Empty, Fault, Loading, ViewFrame, cli } from "../parts/panel.tsx";
import { count } from "../parts/show.ts";
import { Range, rangeOf } from "../parts/range.tsx";
import { place, setQuery } from "../router.ts";
import { ClientError, type SubscriptionState, faultText } from "../server.ts";
import { connection, connections, noticeLogout, onForget } from "../live/connection.ts";
import { Filters, NoMatch } from "./filters.tsx";
import { List } from "./list.tsx";
import { Payload } from "./payload.tsx";
import { Publish, Published } from "./publish.tsx";
import { useRange } from "./use-range.ts";

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
  // Not only its id: who reads an event goes on reading when it is too old for the list.
  const [chosen, setChosen] = useState<EventRow | undefined>(undefined);
  const [publishing, setPublishing] = useState(false);
  const [published, setPublished] = useState(0);
  const live = useLast(log.rows.value, fault);
  const rows = range ? past.rows : (paused.value ?? live);
  useEffect(() => unpause, [filter]);
  useEffect(() => setChosen(undefined), [filter, range?.from, range?.to, rows === undefined]);
  useEffect(() => setPublished(0), [filter, range?.from, range?.to]);
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
          <Filters topic={words} source={source} rows={rows} />
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
