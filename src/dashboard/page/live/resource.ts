import { type Signal, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type Change, faultText } from "../server.ts";
import { onChanges } from "./changes.ts";
import { connection, noticeLogout, onForget, runningSignal } from "./connection.ts";

/** How soon after a change a list is asked for anew, in milliseconds: many that come together are one reason. */
const refreshAfter = 250;

/** Something of the server's that the page keeps true while it is shown. */
export interface Resource<T> {
  /** undefined until it is there. */
  value: Signal<T | undefined>;
  /** Why it could not be had; "" when it could. */
  fault: Signal<string>;
  refresh(): void;
  /** A hook: from now on, and as long as the component is there, kept true. */
  use(): T | undefined;
}

/**
 * @param read asks the server; one request at a time
 * @param concerns whether a change can make it another one
 */
export function resource<T>(
  read: (signal: AbortSignal) => Promise<T>,
  concerns: (change: Change) => boolean,
): Resource<T> {
  const value = signal<T | undefined>(undefined);
  const fault = signal("");
  let users = 0;
  let stale = true;
  let busy = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function refresh(): void {
    stale = true;
    if (busy || users === 0) return;
    busy = true;
    stale = false;
    void readNow(runningSignal());
  }

  async function readNow(signal: AbortSignal): Promise<void> {
    try {
      const answer = await read(signal);
      if (signal.aborted) return;
      value.value = answer;
      fault.value = "";
    } catch (error) {
      // While nobody answers the page says so already, and asks anew when somebody does.
      const told = signal.aborted || noticeLogout(error) || connection.value === "waiting";
      if (!told) fault.value = faultText(error);
    } finally {
      busy = false;
      if (stale) soon();
    }
  }

  function soon(): void {
    stale = true;
    if (users === 0) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      refresh();
    }, refreshAfter);
  }

  onChanges((batch) => {
    if (batch === null || batch.some(concerns)) soon();
  });
  onForget(() => {
    value.value = undefined;
  });

  return {
    value,
    fault,
    refresh,
    use() {
      useEffect(() => {
        users += 1;
        if (stale) refresh();
        return () => {
          users -= 1;
        };
      }, []);
      return value.value;
    },
  };
}
