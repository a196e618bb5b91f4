import type { Browser } from "playwright-core";
import { findChromium, launchChromium } from "../demo/browser.ts";
import { createClient } from "../src/client/client.ts";
import { freePort, startKoor } from "./processes.ts";
import { type Section, median, percentile } from "./report.ts";

const agents = 10;
const rows = 10_000;
/** Writes in one transaction. */
const batch = 64;
const loads = 15;
/** Between two loads, in milliseconds. */
const restMs = 700;
/** How long a list is scrolled, in frames: five rows each. */
const frames = 180;
const scrolledBy = 160;

/** Views, and what is on them once they can be used. */
const views = [
  { path: "/", ready: "[data-instance]" },
  { path: "/state", ready: "[data-branch]" },
  { path: "/events", ready: "[data-event]" },
];
const lists = [
  { path: "/state", list: '[role="tree"]' },
  { path: "/events", list: '[role="listbox"]' },
];

/** How soon a person can use the page, with ten thousand of everything behind it. */
export async function measureDashboard(): Promise<Section> {
  const chromium = findChromium();
  if (chromium === undefined) throw new Error("no Chromium here (apt install chromium)");
  const port = freePort();
  const koor = await startKoor(undefined, ["--dashboard-bind", `127.0.0.1:${port}`]);
  await fill(koor.url);
  const page = `http://127.0.0.1:${port}`;
  const browser = await launchChromium(chromium);
  try {
    const ready: [string, number, number, number][] = [];
    for (const { path, ready: selector } of views) {
      const [opened = 0, ...times] = await loadTimes(browser, page + path, selector);
      ready.push([path, median(times), Math.max(...times), opened]);
    }
    const scrolled: (string | number)[][] = [];
    for (const { path, list } of lists) {
      const gaps = await scroll(browser, page + path, list);
      scrolled.push([path, median(gaps), percentile(gaps, 0.95), Math.max(...gaps)]);
    }
    const size = await scriptSize(page);
    return {
      title: "The dashboard",
      how:
        `In a headless Chromium, without a graphics card, on the same two cores: ${agents} agents, ${rows} keys and ${rows} events. From the beginning of the ` +
        `navigation to the first frame that has the view's own rows and takes clicks, loaded ${loads} times with an empty cache; beside it once in a ` +
        `window that was just opened, with which the browser is busy itself. Then the list is scrolled by ${scrolledBy} pixels a frame.`,
      tables: [
        { columns: ["View", "usable after, ms", "worst", "in a new window"], rows: ready },
        { columns: ["Scrolling", "ms between frames", "p95", "worst"], rows: scrolled },
      ],
      goals: [
        ...ready.map(([path, usable]) => ({
          text: `${path}: usable within 300 ms`,
          measured: `${usable.toFixed(0)} ms`,
          met: usable <= 300,
        })),
        {
          text: "the script at most 150 kB gzipped",
          measured: `${(size / 1000).toFixed(1)} kB`,
          met: size <= 150_000,
        },
      ],
    };
  } finally {
    await browser.close();
    await koor.stop();
  }
}

async function fill(url: string): Promise<void> {
  const client = createClient({ server: url });
  for (let agent = 0; agent < agents; agent++) {
    const body = { name: `agent-${agent}`, workspace: "shop", intent: "paging" };
    const { id } = await client.call("instances.register", { body });
    await client.call("instances.activate", { params: { id } });
  }
  for (let at = 0; at < rows; at += batch) {
    const steps = Array.from({ length: Math.min(batch, rows - at) }, (_, index) => at + index);
    const puts = steps.map((index) => ({ put: { key: `plan/${index % 100}/${index}`, value: { index } } }));
    const events = steps.map((index) => ({ publish: { topic: `plan.changed.${index}`, data: { index } } }));
    await client.call("txn.commit", { body: { do: puts } });
    await client.call("txn.commit", { body: { do: events } });
  }
}

/**
 * Milliseconds from the beginning of a navigation to the first frame that has the view's rows and takes clicks: first in a window that was
 * just opened, which the browser itself is still busy with, then loaded anew in it with an empty cache.
 */
async function loadTimes(browser: Browser, url: string, selector: string): Promise<number[]> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  try {
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    await devtools.send("Network.setCacheDisabled", { cacheDisabled: true });
    await page.addInitScript((selector) => {
      const look = () => {
        if (!document.querySelector(selector)) return requestAnimationFrame(look);
        // In the frame after the one that shows it the thread is free.
        return requestAnimationFrame(() => {
          (window as { usableAt?: number }).usableAt = performance.now();
          console.debug("usable");
        });
      };
      requestAnimationFrame(look);
    }, selector);
    const times: number[] = [];
    for (let load = 0; load <= loads; load++) {
      // Asked only once it is: asking puts a large script of the driver's own into the page.
      const said = page.waitForEvent("console", (message) => message.text() === "usable");
      await (load === 0 ? page.goto(url) : page.reload());
      await said;
      const found = await page.waitForFunction(() => (window as { usableAt?: number }).usableAt);
      times.push((await found.jsonValue()) as number);
      await page.waitForTimeout(restMs);
    }
    return times;
  } finally {
    await context.close();
  }
}

/** Milliseconds between the frames while a list is scrolled. */
async function scroll(browser: Browser, url: string, selector: string): Promise<number[]> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  try {
    const page = await context.newPage();
    await page.goto(url);
    const list = page.locator(selector);
    await list.waitFor();
    await page.waitForTimeout(1000);
    return await list.evaluate(
      (element, { frames, by }) =>
        new Promise<number[]>((resolve) => {
          const gaps: number[] = [];
          let last = performance.now();
          const next = (now: number) => {
            gaps.push(now - last);
            last = now;
            element.scrollTop += by;
            if (gaps.length > frames) resolve(gaps.slice(1));
            else requestAnimationFrame(next);
          };
          requestAnimationFrame(next);
        }),
      { frames, by: scrolledBy },
    );
  } finally {
    await context.close();
  }
}

/** Bytes of the page's scripts, gzipped. */
async function scriptSize(page: string): Promise<number> {
  const html = await (await fetch(page)).text();
  const sizes = [...html.matchAll(/<script[^>]* src="([^"]+)"/g)].map(async ([, path]) => {
    const script = await fetch(new URL(path as string, page));
    return Bun.gzipSync(await script.arrayBuffer()).length;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
