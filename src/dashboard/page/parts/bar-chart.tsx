import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { theme } from "../theme.ts";

/** Height of a chart, in CSS pixels; of its axes the height and the width. */
const chartHeight = 220;
const namesHeight = 28;
const numbersWidth = 64;
/** How far beside the pointer a bar is spoken of, in CSS pixels. */
const tipGap = 20;
/** Width of a name at the axis, in CSS pixels: of so many one is written. */
const nameWidth = 96;
/** Custom properties with the series' colours: `--series-1` to `--series-11`. */
export const seriesColours = 11;

export function colourOf(series: number): string {
  return `var(--series-${(series % seriesColours) + 1})`;
}

interface BarChartProps {
  /** What it shows, for those who do not see it. */
  label: string;
  /** Of each bar. */
  names: readonly string[];
  /** The heights that bars reach, of each series one a bar; each series covers the foot of the one before. */
  heights: readonly (readonly number[])[];
  /** The colour of each of `heights`. */
  colours: readonly string[];
  /** At the axis. */
  show: (value: number) => string;
  /** What is said of a bar that is pointed at, or reached with the arrow keys. */
  tip: (bar: number) => ComponentChildren;
}

/** Bars side by side, each of several series. */
export function BarChart({ label, names, heights, colours, show, tip }: BarChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [pointed, setPointed] = useState<number | undefined>(undefined);
  const data = [names.map((_, bar) => bar), ...heights.map((values) => [...values])];
  const shape = JSON.stringify([names, colours]);

  useEffect(() => {
    const element = place.current as HTMLDivElement;
    const drawn = new uPlot(
      optionsOf({ element, names, colours, show, onPoint: setPointed }),
      data as uPlot.AlignedData,
      element,
    );
    plot.current = drawn;
    const sized = new ResizeObserver(() =>
      drawn.setSize({ width: element.clientWidth, height: chartHeight }),
    );
    sized.observe(element);
    // What is drawn has the colours of when it was drawn.
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const redraw = () => drawn.redraw(false, true);
    scheme.addEventListener("change", redraw);
    const unhear = theme.subscribe(() => requestAnimationFrame(redraw));
    return () => {
      unhear();
      scheme.removeEventListener("change", redraw);
      sized.disconnect();
      drawn.destroy();
    };
  }, [shape, show]);

  const numbers = JSON.stringify(heights);
  useEffect(() => plot.current?.setData(data as uPlot.AlignedData), [numbers]);

  const step = (event: KeyboardEvent) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    setPointed((at = by > 0 ? -1 : names.length) => Math.min(names.length - 1, Math.max(0, at + by)));
  };
  const at = pointed === undefined ? 0 : (pointed + 0.5) / names.length;
  const plotWidth = `(100% - ${numbersWidth}px)`;
  const side =
    at < 0.5
      ? { left: `calc(${numbersWidth + tipGap}px + ${plotWidth} * ${at})` }
      : { right: `calc(${tipGap}px + ${plotWidth} * ${1 - at})` };
  return (
    <div class="bar-chart">
      <div
        ref={place}
        role="img"
        aria-label={`${label}. The arrow keys go through it.`}
        tabIndex={0}
        onKeyDown={step}
        onBlur={() => setPointed(undefined)}
      />
      <div class="bar-chart-tip-place" aria-live="polite">
        {pointed !== undefined && pointed < names.length && (
          <div class="tip" style={side}>
            <strong>{names[pointed]}</strong>
            {tip(pointed)}
          </div>
        )}
      </div>
    </div>
  );
}

interface Drawing extends Pick<BarChartProps, "names" | "colours" | "show"> {
  element: HTMLElement;
  onPoint: (bar: number | undefined) => void;
}

function optionsOf({ element, names, colours, show, onPoint }: Drawing): uPlot.Options {
  const colour = (value: string) => () => resolved(element, value);
  const axis = {
    stroke: colour("var(--soft)"),
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  const paths = uPlot.paths.bars?.({ size: [0.72, 64] });
  return {
    width: Math.max(1, element.clientWidth),
    height: chartHeight,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { time: false, range: () => [-0.5, names.length - 0.5] },
      y: { range: (_, __, top) => [0, top > 0 ? top * 1.08 : 1] },
    },
    axes: [
      {
        ...axis,
        size: namesHeight,
        grid: { show: false },
        splits: ({ width }) => {
          const every = Math.max(1, Math.ceil((names.length * nameWidth) / (width - numbersWidth)));
          // From the end, so that the present is named.
          return names.map((_, bar) => bar).filter((bar) => (names.length - 1 - bar) % every === 0);
        },
        values: (_, bars) => bars.map((bar) => names[bar] ?? ""),
      },
      {
        ...axis,
        size: numbersWidth,
        grid: { stroke: colour("var(--line)"), width: 1 },
        values: (_, splits) => splits.map(show),
      },
    ],
    series: [
      {},
      ...colours.map((value): uPlot.Series => {
        return { fill: colour(value), width: 0, ...(paths && { paths }), points: { show: false } };
      }),
    ],
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? undefined)] },
  };
}

/** A canvas knows no custom properties and no `light-dark()`. */
function resolved(element: HTMLElement, value: string): string {
  const before = element.style.color;
  element.style.color = value;
  const { color } = getComputedStyle(element);
  element.style.color = before;
  return color;
}
