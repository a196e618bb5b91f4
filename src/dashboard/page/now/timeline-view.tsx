import { useMemo, useState } from "preact/hooks";
import { changes, hour, maxChanges } from "../live/changes.ts";
import { now, serverTime } from "../live/clock.ts";
import { allEvents } from "../live/event-log.ts";
import { leases, pathsSeen, waits } from "../live/leases.ts";
import { refusals } from "../live/refusals.ts";
import { Panel } from "../parts/panel.tsx";
import { count, showClock, showNumber, showWhen } from "../parts/show.ts";
import { type Line, type Mark, type Span, eventsSince, firstOf, linesOf, widthOf } from "./timeline.ts";

/** Height of a line, in CSS pixels. */
const lineHeight = 26;
/** Lines that are drawn. */
const maxLines = 40;
/** How near the pointer a mark counts as pointed at, as a share of the width. */
const reach = 0.006;
/** Marks that are named at once. */
const maxNamed = 6;

const perSecond = 1000;
const minute = 60_000;

/** What the marks are, in the order of the legend, and how one is said of an agent. */
const meanings: Record<Mark["kind"] | Span["kind"], { legend: string; said: string }> = {
  event: { legend: "published an event", said: "published" },
  write: { legend: "wrote something", said: "wrote" },
  lease: { legend: "holds a lease", said: "holds" },
  wait: { legend: "waits for a lease", said: "waits for" },
  refused: { legend: "was refused", said: "was refused" },
};
const kinds = Object.keys(meanings) as (keyof typeof meanings)[];

/** Who did what, and who waited, in the last hour, or as far back as anything is known. */
export function Timeline({ names }: { names: readonly string[] }) {
  const all = changes.value;
  const rows = allEvents.rows.value;
  const held = leases.value.value;
  const waited = waits.value;
  const refused = refusals.use()?.refused;
  const shown = names.slice(0, maxLines);
  // Marks are drawn from here, and only moved as time goes.
  const base = useMemo(() => serverTime() - hour, []);
  const lines = useMemo(
    () =>
      linesOf({
        names: shown,
        events: rows ?? [],
        changes: all ?? [],
        leases: held ?? [],
        paths: pathsSeen,
        waits: waited,
        refused: refused ?? [],
        since: serverTime() - hour,
      }),
    [shown.join("\n"), rows, all, held, waited, refused],
  );
  const shapes = useMemo(() => lines.map((line, index) => shapeOf(line, index, base)), [lines]);
  const first = useMemo(() => firstOf(lines), [lines]);
  const [pointed, setPointed] = useState<{ x: number; y: number } | undefined>(undefined);
  const time = now.value;
  const span = widthOf(first, time);
  const width = span / perSecond;
  const end = (time - base) / perSecond;
  const height = lines.length * lineHeight;
  const since = eventsSince(rows ?? []) ?? 0;

  return (
    <Panel
      id="timeline"
      title={span === hour ? "The last hour" : `The last ${span / minute} minutes`}
      count={
        <span class="legend" aria-hidden="true">
          {kinds.map((kind) => (
            <span
              key={kind}
              data-mark={kind}
              title={
                kind === "wait"
                  ? "As far as this page has seen it: who waited before is not recorded"
                  : undefined
              }
            >
              {meanings[kind].legend}
            </span>
          ))}
        </span>
      }
    >
      <Partial from={time - span} events={since} />
      <div class="timeline">
        <ol class="timeline-names">
          {lines.map((line) => (
            <li key={line.name} title={line.name}>
              {line.name}
              <span class="hidden">: {sumOf(line)}</span>
            </li>
          ))}
        </ol>
        <div
          class="timeline-plot"
          onPointerMove={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            setPointed({ x: (event.clientX - box.left) / box.width, y: event.clientY - box.top });
          }}
          onPointerLeave={() => setPointed(undefined)}
        >
          <svg
            viewBox={`0 0 ${width} ${Math.max(1, height)}`}
            preserveAspectRatio="none"
            style={{ height: `${height}px` }}
            aria-hidden="true"
          >
            <g transform={`translate(${width - end})`}>
              {since > time - span && <path class="since" d={`M${(since - base) / perSecond} 0V${height}`} />}
              {shapes.map(({ paths, open }, index) => (
                <g key={lines[index]?.name}>
                  {open.map(({ kind, from, y }) => (
                    <path key={`${kind}${from}`} class={kind} d={`M${from} ${y}H${end}`} />
                  ))}
                  {paths.map(([kind, path]) => (
                    <path key={kind} class={kind} d={path} />
                  ))}
                </g>
              ))}
            </g>
          </svg>
          <Scale span={span} />
          {pointed && <Pointed lines={lines} span={span} {...pointed} />}
        </div>
      </div>
    </Panel>
  );
}

/** Says since when there are events and writes, where that is not from the beginning of what is drawn on. */
function Partial({ from, events }: { from: number; events: number }) {
  const all = changes.value ?? [];
  const writes = all.length < maxChanges ? 0 : Date.parse(all[0]?.created_at ?? "");
  const size = allEvents.rows.value?.length ?? 0;
  const today = new Date(now.value);
  const parts = [
    events > from &&
      `Of events the newest ${showNumber(size)} are here, since ${showClock(new Date(events), today)}.`,
    writes > from &&
      `Of writes the newest ${showNumber(all.length)}, since ${showClock(new Date(writes), today)}.`,
  ].filter((part) => part !== false);
  return parts.length === 0 ? null : <p class="partial">{parts.join(" ")}</p>;
}

/** The time of day, with the day where it was another one, and how long ago. */
function Scale({ span }: { span: number }) {
  const time = now.value;
  const today = new Date(time).toDateString();
  return (
    <div class="timeline-scale" aria-hidden="true">
      {[4, 3, 2, 1, 0].map((quarters) => {
        const ago = (span / 4) * quarters;
        const at = new Date(time - ago);
        const weekday = at.toDateString() === today ? undefined : "short";
        return (
          <p key={quarters} data-quarters={quarters} style={{ left: `${100 - quarters * 25}%` }}>
            {at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", weekday })}
            <small>{quarters === 0 ? "now" : `${ago / minute} min ago`}</small>
          </p>
        );
      })}
    </div>
  );
}

/** A line in words, for those who do not see it. */
function sumOf({ marks, spans }: Line): string {
  const of = (list: readonly (Mark | Span)[], wanted: string) =>
    list.filter(({ kind }) => kind === wanted).length;
  return [
    count(of(marks, "event"), "event"),
    count(of(marks, "write"), "write"),
    count(of(spans, "lease"), "lease"),
    count(of(spans, "wait"), "wait"),
    `${showNumber(of(marks, "refused"))} refused`,
  ].join(", ");
}

interface Shape {
  paths: [kind: string, path: string][];
  /** What goes on still. */
  open: { kind: string; from: number; y: number }[];
}

/** A line's marks as one path a kind: thousands of marks are five elements. */
function shapeOf({ marks, spans }: Line, index: number, base: number): Shape {
  const top = index * lineHeight;
  const x = (at: number) => ((at - base) / perSecond).toFixed(1);
  const drawn = (wanted: string, draw: (at: string) => string): [string, string] => {
    const places = marks.filter(({ kind }) => kind === wanted).map(({ at }) => draw(x(at)));
    return [wanted, places.join("")];
  };
  const y = top + lineHeight - 5;
  const bars = (wanted: string): [string, string] => {
    const over = spans.filter(({ kind, to }) => kind === wanted && to !== undefined);
    return [wanted, over.map(({ from, to }) => `M${x(from)} ${y}H${x(to as number)}`).join("")];
  };
  const open = spans.filter(({ to }) => to === undefined);
  return {
    paths: [
      bars("lease"),
      bars("wait"),
      drawn("write", (at) => `M${at} ${top + 11}V${top + 18}`),
      drawn("event", (at) => `M${at} ${top + 2}V${top + 9}`),
      // As long as its round ends are wide: a dot, however the drawing is stretched.
      drawn("refused", (at) => `M${at} ${top + 10}h0.01`),
    ],
    open: open.map(({ kind, from }) => ({ kind, from: Number(x(from)), y })),
  };
}

function Pointed({ lines, span, x, y }: { lines: readonly Line[]; span: number; x: number; y: number }) {
  const line = lines[Math.floor(y / lineHeight)];
  if (!line) return null;
  const time = now.value;
  const at = time - span * (1 - x);
  const near = line.marks
    .filter((mark) => Math.abs(mark.at - at) < span * reach)
    .sort((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at));
  const slack = span * reach;
  const spans = line.spans.filter(({ from, to = time }) => from - slack <= at && at <= to + slack);
  if (near.length + spans.length === 0) return null;
  const side = x < 0.5 ? { left: `${x * 100}%` } : { right: `${(1 - x) * 100}%` };
  return (
    <div class="tip" style={{ top: `${y + 14}px`, ...side }}>
      <strong>{line.name}</strong> <small>{showWhen(at, time)}</small>
      <ul>
        {spans.slice(0, maxNamed).map(({ kind, from, to, text }) => (
          <li key={`${kind}${from}`} data-mark={kind}>
            {to === undefined ? meanings[kind].said : kind === "wait" ? "waited for" : "held"} {text}
          </li>
        ))}
        {near.slice(0, maxNamed).map(({ at, kind, text }, index) => (
          <li key={`${at} ${index}`} data-mark={kind}>
            {meanings[kind].said} {text}
          </li>
        ))}
        {near.length > maxNamed && <li>and {near.length - maxNamed} more</li>}
      </ul>
    </div>
  );
}
