import { type Browser, type Page, chromium } from "playwright-core";

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** How long the page may take to show something, in milliseconds: a slow machine's, not a goal. */
const showWithin = 20_000;

/** @returns undefined where there is no Chromium */
export function findChromium(): string | undefined {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  return (
    process.env["KOOR_CHROMIUM"] ??
    names.map((name) => Bun.which(name)).find((path) => path !== null) ??
    undefined
  );
}

/** A headless Chromium that talks to nobody but the pages it is shown. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, headless: true, args: flags });
}

/** Opens a page in a headless Chromium, and closes both when the work is done. */
export async function withPage<T>(
  executablePath: string,
  url: string,
  work: (page: Page) => Promise<T>,
): Promise<T> {
  const browser = await launchChromium(executablePath);
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(showWithin);
    await page.goto(url);
    return await work(page);
  } finally {
    await browser.close();
  }
}

/** Waits until something on the page has a text, and reads it on one line. */
export async function readText(page: Page, selector: string, text: string): Promise<string> {
  const found = page.locator(selector).filter({ hasText: text }).first();
  await found.waitFor({ state: "visible" });
  return (await found.innerText()).replaceAll(/\s+/g, " ").trim();
}
