import { type Signal, signal } from "@preact/signals";
import {
  type Frame,
  type SubscriptionState,
  client,
  origin,
  readFrame,
  splitArray,
  subscribe,
} from "../server.ts";
import { sayState, stream, streamTimes } from "./connection.ts";
import { type Row, addOlder, addRows, maxRows, toRow } from "./recent-events.ts";

/** Events in one answer. */
const pageRows = 1000;
/** How long events gather before they are drawn, in milliseconds: a thousand a second are ten drawings. */
const drawEvery = 100;

/** A log as the page follows it: what is there, and then what comes. */
export interface EventLog {
  /** Newest first; undefined until the first of them are there. */
  rows: Signal<readonly Row[] | undefined>;
  /** The newest event that was there before this page looked; those above came while it did. */
  liveAfter: Signal<number>;
  /** Whether there are older ones than those that are shown. */
  hasOlder: Signal<boolean>;
  /** Reads the page of events before the oldest that is shown. */
  older(signal: AbortSignal): Promise<void>;
  /** Follows until aborted. @throws ClientError */
  follow(signal: AbortSignal): Promise<void>;
  forget(): void;
}

/** Which events; what is not there filters nothing. */
export interface EventFilter {
  /** Globs over the topic. */
  topic?: string | undefined;
  /** The name of whoever published them. */
  source?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
}

export function eventLog(
  { topic, source }: Pick<EventFilter, "topic" | "source">,
  onState: (state: SubscriptionState) => void,
): EventLog {
  const rows = signal<readonly Row[] | undefined>(undefined);
  const liveAfter = signal(0);
  const hasOlder = signal(false);
  let gathered: Row[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  function draw(row: Row): void {
    gathered.push(row);
    // The timer is slow while nobody looks; the list would forget more than this all the same.
    if (gathered.length > 2 * maxRows) gathered = gathered.slice(-maxRows);
    timer ??= setTimeout(() => {
      timer = undefined;
      if (rows.value) rows.value = addRows(rows.value, gathered);
      gathered = [];
    }, drawEvery);
  }

  let reading = false;

  async function older(signal: AbortSignal): Promise<void> {
    const shown = rows.value ?? [];
    if (reading || !hasOlder.value || shown.length >= maxRows) return;
    reading = true;
    try {
      const page = await readBefore(shown, { topic, source }, signal);
      // Meanwhile the list may have become another one.
      if (rows.value?.at(-1) !== shown.at(-1)) return;
      hasOlder.value = page.length > 0;
      rows.value = addOlder(rows.value ?? [], page);
    } finally {
      reading = false;
    }
  }

  return {
    rows,
    liveAfter,
    hasOlder,
    older,
    async follow(signal) {
      const newest = source === undefined ? await readPage([], { topic }, signal) : undefined;
      // The newest row says where to go on, unless there is none, or one of whom nothing has come for long. Then the
      // position comes first: what is published meanwhile is behind it.
      const head = newest && newest.rows.length > 0 ? undefined : await readPlace(signal);
      const { rows: past, epoch } = head
        ? { ...(await readPage([], { topic, source }, signal)), epoch: head.epoch }
        : (newest as Page);
      const after = head?.after ?? past.at(-1)?.id;
      gathered = [];
      liveAfter.value = after ?? 0;
      hasOlder.value = past.length > 0;
      rows.value = addRows([], past);
      const options = {
        server: origin,
        pattern: topic,
        after,
        epoch,
        signal,
        patient: true,
        times: streamTimes,
        onState,
      };
      for await (const frame of subscribe(options)) {
        // The stream goes by topics only.
        if (source === undefined || frame.kind === "gap" || frame.event.source === source) draw(toRow(frame));
      }
    },
    forget() {
      rows.value = undefined;
    },
  };
}

/**
 * The page of events before the oldest of these; without any, the newest.
 *
 * @returns oldest first; none when there are no more
 */
export async function readBefore(
  rows: readonly Row[],
  filter: EventFilter,
  signal: AbortSignal,
): Promise<Row[]> {
  return (await readPage(rows, filter, signal)).rows;
}

interface Page {
  /** Oldest first. */
  rows: Row[];
  epoch: string | undefined;
}

async function readPage(rows: readonly Row[], filter: EventFilter, signal: AbortSignal): Promise<Page> {
  const oldest = rows.at(-1);
  const before = oldest?.kind === "gap" ? oldest.from : oldest?.id;
  const query = { ...filter, before, last: pageRows };
  const response = await client.send("events.history", { query, signal });
  const epoch = response.headers.get("koor-epoch") ?? undefined;
  return { rows: readRows(await response.text()).reverse(), epoch };
}

async function readPlace(signal: AbortSignal) {
  const head = await client.send("events.next", { query: { wait: "0ms" }, signal });
  const { last_id: after } = (await head.json()) as { last_id: number };
  return { after, epoch: head.headers.get("koor-epoch") ?? undefined };
}

/** What came after a row, newest first; undefined when it is more than an answer has. */
export async function readSince(
  { id }: Row,
  { topic, source }: EventFilter,
  signal: AbortSignal,
): Promise<readonly Row[] | undefined> {
  const query = { topic, source, after: id, limit: pageRows };
  const rows = readRows(await (await client.send("events.history", { query, signal })).text());
  return rows.length < pageRows ? rows.reverse() : undefined;
}

/** Rows of an answer, in its order. */
function readRows(text: string): Row[] {
  return splitArray(text)
    .map(readFrame)
    .filter((frame) => frame?.kind === "event")
    .map((frame) => toRow(frame as Frame));
}

/** All events: what most of the page shows. */
export const allEvents = eventLog({}, (state) => sayState("events", state));

stream("events", (signal) => allEvents.follow(signal), allEvents.forget);
