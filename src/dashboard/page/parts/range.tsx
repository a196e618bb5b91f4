import { useState } from "preact/hooks";
import { setQuery } from "../router.ts";
import { Dialog } from "./dialog.tsx";

/** A time in the past that is looked at instead of the present. */
export interface TimeRange {
  /** RFC 3339; "" is the beginning, or now. */
  from: string;
  to: string;
}

export function rangeOf(query: URLSearchParams): TimeRange | undefined {
  const [from, to] = [query.get("from") ?? "", query.get("to") ?? ""];
  return from === "" && to === "" ? undefined : { from, to };
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
          Back to now
        </button>
      )}
      {open && (
        <Dialog title="A time" onClose={() => setOpen(false)}>
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
