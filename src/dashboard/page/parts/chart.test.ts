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

/** WCAG 2.2, relative luminance. */
function luminanceOf(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

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
