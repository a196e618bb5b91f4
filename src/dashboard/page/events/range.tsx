import { useEffect, useState } from "preact/hooks";
import { readRows } from "../live/event-log.ts";
import type { Row } from "../live/recent-events.ts";
import { Dialog } from "../parts/dialog.tsx";
import { setQuery } from "../router.ts";
import { client, faultText } from "../server.ts";

/** A time in the past that is looked at instead of the present. */
export interface TimeRange {
  /** RFC 3339; "" is the beginning, or now. */
  from: string;
  to: string;
}

/** Events of a range that are shown: as many as one answer has. */
const limit = "1000";

export function rangeOf(query: URLSearchParams): TimeRange | undefined {
  const [from, to] = [query.get("from") ?? "", query.get("to") ?? ""];
  return from === "" && to === "" ? undefined : { from, to };
}

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

/** Chooses a range, or the present. */
export function Range({ range }: { range: TimeRange | undefined }) {
  const [open, setOpen] = useState(false);
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const ask = () => {
    setFrom(local(range?.from));
    setTo(local(range?.to));
    setOpen(true);
  };
  return (
    <>
      <button type="button" class="quiet" aria-pressed={Boolean(range)} onClick={ask}>
        {range ? `${shown(range.from) || "the beginning"} to ${shown(range.to) || "now"}` : "Time"}
      </button>
      {range && (
        <button type="button" class="quiet" onClick={() => setQuery({ from: "", to: "" })}>
          Back to live
        </button>
      )}
      {open && (
        <Dialog title="Events of a time" onClose={() => setOpen(false)}>
          <form
            class="form"
            onSubmit={(event) => {
              event.preventDefault();
              setOpen(false);
              setQuery({ from: exact(from), to: exact(to) });
            }}
          >
            <label>
              From
              <input
                type="datetime-local"
                step="1"
                value={from}
                onInput={(event) => setFrom(event.currentTarget.value)}
              />
            </label>
            <label>
              To
              <input
                type="datetime-local"
                step="1"
                value={to}
                onInput={(event) => setTo(event.currentTarget.value)}
              />
            </label>
            <footer>
              <button type="submit">Show</button>
            </footer>
          </form>
        </Dialog>
      )}
    </>
  );
}

function exact(text: string): string {
  const time = new Date(text);
  return text === "" || Number.isNaN(time.getTime()) ? "" : time.toISOString();
}

/** As a field for a date and a time has it. */
function local(text = ""): string {
  const time = new Date(text);
  if (text === "" || Number.isNaN(time.getTime())) return "";
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

function shown(text: string): string {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? text : time.toLocaleString();
}
