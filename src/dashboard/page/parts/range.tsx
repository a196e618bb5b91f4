import { useState } from "preact/hooks";
import { serverTime } from "../live/clock.ts";
import { setQuery } from "../router.ts";
import { Dialog } from "./dialog.tsx";
import { showClock } from "./show.ts";

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

const minute = 60_000;

/** Times that are asked for most, and when each of them begins. */
const presets: Readonly<Record<string, (now: number) => number>> = {
  "Last 5 minutes": (now) => now - 5 * minute,
  "Last 15 minutes": (now) => now - 15 * minute,
  "Last hour": (now) => now - 60 * minute,
  Today: (now) => new Date(now).setHours(0, 0, 0, 0),
  "Last 24 hours": (now) => now - 24 * 60 * minute,
};

/** The reader's own: times are typed and shown in it. */
export function zone(): string {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  if (timeZone === "UTC") return timeZone;
  const offset = new Intl.DateTimeFormat("en", { timeZoneName: "longOffset" })
    .formatToParts()
    .find(({ type }) => type === "timeZoneName")?.value;
  return `${timeZone}, ${offset === "GMT" ? "UTC" : offset?.replace("GMT", "UTC")}`;
}

/** Chooses a range, or the present. */
export function Range({ range }: { range: TimeRange | undefined }) {
  const [open, setOpen] = useState(false);
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const show = (changes: TimeRange) => {
    setOpen(false);
    setQuery({ ...changes });
  };
  const ask = () => {
    setFrom(local(range?.from));
    setTo(local(range?.to));
    setOpen(true);
  };
  return (
    <>
      <button type="button" class="quiet" aria-pressed={Boolean(range)} onClick={ask}>
        {range ? said(range) : "Time range"}
      </button>
      {range && (
        <button type="button" class="quiet" onClick={() => setQuery({ from: "", to: "" })}>
          Clear range
        </button>
      )}
      {open && (
        <Dialog title="Time range" onClose={() => setOpen(false)}>
          <p class="choices">
            {Object.entries(presets).map(([title, since]) => (
              <button
                key={title}
                type="button"
                class="quiet"
                onClick={() => show({ from: new Date(since(serverTime())).toISOString(), to: "" })}
              >
                {title}
              </button>
            ))}
          </p>
          <form
            class="form"
            onSubmit={(event) => {
              event.preventDefault();
              show({ from: exact(from), to: exact(to) });
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
            <p class="soft">Your time zone: {zone()}. Leave “From” empty for the beginning, “To” for now.</p>
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

/** `since 14:05:00`, `11/28/2026 09:00:00 to 10:00:00` */
function said({ from, to }: TimeRange): string {
  if (to === "") return `since ${shown(from)}`;
  return from === "" ? `until ${shown(to)}` : `${shown(from)} to ${shown(to)}`;
}

function shown(text: string): string {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? text : showClock(time, new Date(serverTime()));
}
