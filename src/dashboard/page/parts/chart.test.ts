import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seriesColours } from "./bar-chart.tsx";

const styles = ["chart.css", "../base.css"].map((file) => readFileSync(join(import.meta.dir, file), "utf8"));

/** A custom property's colours, in light and in dark. */
function coloursOf(name: string): [string, string] {
  const found = new RegExp(`--${name}: light-dark\\((#\\w{6}), (#\\w{6})\\)`).exec(styles.join(""));
  if (!found) throw new Error(`no ${name}`);
  return [found[1]!, found[2]!];
}

type Triple = [number, number, number];

/** Red, green and blue as amounts of light. */
function lightOf(colour: string): Triple {
  return [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as Triple;
}

const product = (rows: readonly Triple[], [a, b, c]: Triple) =>
  rows.map(([x, y, z]) => x * a + y * b + z * c) as Triple;

/** WCAG 2.2, relative luminance. */
function luminanceOf(colour: string): number {
  const [red, green, blue] = lightOf(colour);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** How different two colours look: their distance in Oklab (https://bottosson.github.io/posts/oklab/). */
function distanceOf(...colours: [string, string]): number {
  const [a, b] = colours.map((colour) => {
    const cones = product(
      [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
      ],
      lightOf(colour),
    );
    return product(
      [
        [0.2104542553, 0.793617785, -0.0040720468],
        [1.9779984951, -2.428592205, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.808675766],
      ],
      cones.map(Math.cbrt) as Triple,
    );
  }) as [Triple, Triple];
  return Math.hypot(...a.map((value, at) => value - (b[at] as number)));
}

test("no two colours of a chart look alike, in light and in dark", () => {
  const all = Array.from({ length: seriesColours }, (_, at) => coloursOf(`series-${at + 1}`));
  for (const scheme of [0, 1])
    for (const [at, one] of all.entries())
      for (const other of all.slice(at + 1))
        expect(distanceOf(one[scheme] as string, other[scheme] as string)).toBeGreaterThan(0.08);
});

test("each colour of a chart is seen against its ground, in light and in dark (WCAG 1.4.11)", () => {
  const grounds = coloursOf("surface");
  for (let series = 1; series <= seriesColours; series++) {
    for (const [scheme, colour] of coloursOf(`series-${series}`).entries()) {
      const [low, high] = [luminanceOf(colour), luminanceOf(grounds[scheme]!)].sort((a, b) => a - b) as [
        number,
        number,
      ];
      expect((high + 0.05) / (low + 0.05)).toBeGreaterThanOrEqual(3);
    }
  }
});
