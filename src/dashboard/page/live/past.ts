import { useEffect, useRef, useState } from "preact/hooks";
import { faultText } from "../server.ts";
import { onChanges } from "./changes.ts";
import { askingSignal, connection, noticeLogout } from "./connection.ts";
import { maxRows } from "./recent-events.ts";

/** A log of the server's as it is read backwards, page by page; and what is added to it meanwhile. */

export interface Page<T> {
  /** Newest first. */
  rows: readonly T[];
  /** Whether there are none before them. */
  isLast: boolean;
}

interface Past<T> {
  /** What is asked, as a text: another one is another question. undefined: nothing. */
  question: string | undefined;
  /** The page before a row; without one the newest. */
  before: (row: T | undefined, signal: AbortSignal) => Promise<Page<T>>;
  /** Of a question whose answer grows: what is newer than a row; undefined when it is more than an answer has. */
  since?: ((row: T, signal: AbortSignal) => Promise<readonly T[] | undefined>) | undefined;
  /** Calls back when there may be newer rows. @returns how to end that */
  hear?: (look: () => void) => () => void;
}

/** How long news gathers before the rows are asked for, in milliseconds. */
const gatherMs = 500;
/** And how many times as long as the last look for them took: a filter that looks through a long log is not asked all the time. */
const gatherShare = 10;
/** But never longer than this, in milliseconds: a machine that was busy once is no slow filter. */
const gatherMost = 5000;

/** A hook. The rows of the question before stay until those of the next one are there, so that nothing flickers as one types. */
export function usePast<T>({ question, before, since, hear = onChanges }: Past<T>) {
  const [shown, setShown] = useState<Page<T> | undefined>(undefined);
  const [fault, setFault] = useState("");
  const wantOlder = useRef(() => {});

  useEffect(() => {
    setFault("");
    if (question === undefined) return setShown(undefined);
    const aborter = new AbortController();
    const { signal } = aborter;
    /** For one request: it ends with the connection, too, since it may never be answered. */
    const request = () => AbortSignal.any([signal, askingSignal()]);
    const wanted = new Set<"newer" | "older">();
    let page: Page<T> | undefined;
    let busy = false;
    let tookMs = 0;

    /** What is shown with what is new. Of a filter that nothing fits, all of the log is looked through. */
    const newer = async ({ rows, isLast }: Page<T>): Promise<Page<T>> => {
      const asked = performance.now();
      const [newest] = rows;
      const added = newest && since && (await since(newest, request()));
      // With a hole in it, it is begun anew.
      const then = added ? { rows: [...added, ...rows], isLast } : await before(undefined, request());
      tookMs = performance.now() - asked;
      return then;
    };
    /** @returns what is shown after the next thing to be done; undefined when there is nothing to do */
    const next = async (): Promise<Page<T> | undefined> => {
      if (!page) return before(undefined, request());
      if (wanted.delete("newer")) return newer(page);
      if (!wanted.delete("older") || page.isLast || page.rows.length >= maxRows) return undefined;
      const older = await before(page.rows.at(-1), request());
      return { rows: [...page.rows, ...older.rows], isLast: older.isLast };
    };
    /** One request at a time, until nothing is wanted any more. */
    const work = async () => {
      if (busy) return;
      busy = true;
      try {
        for (let then = await next(); then && !signal.aborted; then = await next()) {
          const isLast = then.isLast && then.rows.length <= maxRows;
          page = { isLast, rows: then.rows.slice(0, maxRows) };
          setShown(page);
          setFault("");
        }
      } catch (error) {
        if (signal.aborted || noticeLogout(error)) return;
        if (!page) setShown(undefined);
        // While nobody answers the page says so already, and what is missing is asked for when somebody does.
        if (connection.value !== "waiting") setFault(faultText(error));
      } finally {
        busy = false;
      }
    };
    wantOlder.current = () => {
      wanted.add("older");
      void work();
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      timer ??= setTimeout(
        () => {
          timer = undefined;
          if (since) wanted.add("newer");
          void work();
        },
        Math.max(gatherMs, Math.min(gatherMost, gatherShare * tookMs)),
      );
    };
    void work();
    // What nobody answered is asked for again when somebody does.
    const unhear = [hear(look), onChanges((batch) => batch === null && look())];
    return () => {
      for (const stop of unhear) stop();
      clearTimeout(timer);
      aborter.abort();
    };
  }, [question]);

  return { rows: shown?.rows, isAll: shown?.isLast ?? false, fault, older: () => wantOlder.current() };
}
