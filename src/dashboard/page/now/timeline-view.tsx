import { useMemo, useState } from "preact/hooks";
import { changes, hour } from "../live/changes.ts";
import { now, serverTime } from "../live/clock.ts";
import { allEvents } from "../live/event-log.ts";
import { leases } from "../live/lists.ts";
import { Panel } from "../parts/panel.tsx";
import { showWhen } from "../parts/show.ts";
import { type Line, linesOf } from "./timeline.ts";

/** Height of a line, in CSS pixels. */
const lineHeight = 26;
/** Lines that are drawn. */
const maxLines = 40;
/** How near the pointer a mark counts as pointed at, as a share of the width. */
const reach = 0.006;
/** Marks that are named at once. */
const maxNamed = 6;

const perSecond = 1000;
const width = hour / perSecond;

/** Who did what in the last hour. */
export function Timeline({ names }: { names: readonly string[] }) {
  const all = changes.value;
  const rows = allEvents.rows.value;
  const held = leases.value.value;
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
        since: serverTime() - hour,
      }),
    [shown.join("\n"), rows, all, held],
  );
  const shapes = useMemo(() => lines.map((line, index) => shapeOf(line, index, base)), [lines]);
  const [pointed, setPointed] = useState<{ x: number; y: number } | undefined>(undefined);
  const seconds = (now.value - base) / perSecond - width;
  const height = lines.length * lineHeight;

  return (
    <Panel
      id="timeline"
      title="The last hour"
      count={
        <span class="legend" aria-hidden="true">
          <span data-mark="event">events</span> <span data-mark="write">writes</span>{" "}
          <span data-mark="lease">leases held</span>
        </span>
      }
    >
      <div class="timeline">
        <ol class="timeline-names">
          {lines.map(({ name, marks, spans }) => (
            <li key={name} title={name}>
              {name}
              <span class="hidden">
                : {marks.filter(({ kind }) => kind === "event").length} events,{" "}
                {marks.filter(({ kind }) => kind === "write").length} writes, {spans.length} leases
              </span>
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
            <g transform={`translate(${-seconds})`}>
              {shapes.map(({ event, write, lease, open }, index) => (
                <g key={lines[index]?.name}>
                  <path class="lease" d={lease} />
                  {open.map(({ from, y }) => (
                    <path key={from} class="lease" d={`M${from} ${y}H${seconds + width}`} />
                  ))}
                  <path class="write" d={write} />
                  <path class="event" d={event} />
                </g>
              ))}
            </g>
          </svg>
          <p class="timeline-scale" aria-hidden="true">
            {[60, 45, 30, 15].map((minutes) => (
              <span key={minutes}>{minutes} min ago</span>
            ))}
            <span>now</span>
          </p>
          {pointed && <Pointed lines={lines} x={pointed.x} y={pointed.y} />}
        </div>
      </div>
    </Panel>
  );
}

interface Shape {
  event: string;
  write: string;
  lease: string;
  open: { from: number; y: number }[];
}

/** A line's marks as three paths: thousands of marks are three elements. */
function shapeOf({ marks, spans }: Line, index: number, base: number): Shape {
  const top = index * lineHeight;
  const x = (at: number) => ((at - base) / perSecond).toFixed(1);
  const ticks = (kind: string, from: number, to: number) =>
    marks
      .filter((mark) => mark.kind === kind)
      .map(({ at }) => `M${x(at)} ${top + from}V${top + to}`)
      .join("");
  const y = top + lineHeight - 5;
  const lease = spans
    .filter(({ to }) => to !== undefined)
    .map(({ from, to }) => `M${x(from)} ${y}H${x(to as number)}`)
    .join("");
  const open = spans.filter(({ to }) => to === undefined).map(({ from }) => ({ from: Number(x(from)), y }));
  return { event: ticks("event", 4, 11), write: ticks("write", 11, 17), lease, open };
}

function Pointed({ lines, x, y }: { lines: readonly Line[]; x: number; y: number }) {
  const line = lines[Math.floor(y / lineHeight)];
  if (!line) return null;
  const time = now.value;
  const at = time - hour * (1 - x);
  const near = line.marks
    .filter((mark) => Math.abs(mark.at - at) < hour * reach)
    .sort((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at));
  const spans = line.spans.filter(({ from, to = time }) => from <= at && at <= to);
  if (near.length + spans.length === 0) return null;
  const side = x < 0.5 ? { left: `${x * 100}%` } : { right: `${(1 - x) * 100}%` };
  return (
    <div class="tip" style={{ top: `${y + 14}px`, ...side }}>
      <strong>{line.name}</strong> <small>{showWhen(at, time)}</small>
      <ul>
        {spans.slice(0, maxNamed).map(({ from, text }) => (
          <li key={`lease${from}`} data-mark="lease">
            holds {text}
          </li>
        ))}
        {near.slice(0, maxNamed).map(({ at, kind, text }, index) => (
          <li key={`${at} ${index}`} data-mark={kind}>
            {text}
          </li>
        ))}
        {near.length > maxNamed && <li>and {near.length - maxNamed} more</li>}
      </ul>
    </div>
  );
}
