import { rmSync } from "node:fs";
import axe from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { launchChromium } from "../demo/browser.ts";
import { type ServerProcess, startServer, temporaryFolder } from "../demo/compiled.ts";
import { chromium } from "../scripts/setup.mjs";
import { type Client, createClient } from "../src/client/client.ts";

/** The dashboard as a person has it: the compiled server, and a real Chromium. */

export interface Opened {
  page: Page;
  /** Every address that the page asked for. */
  asked: string[];
  /** What it complained about: errors in its console, and those that nobody caught. */
  faults: string[];
}

export interface Desk {
  server: ServerProcess;
  /** Nobody in particular, on the API's port. */
  client: Client;
  open(path: string, options?: BrowserContextOptions): Promise<Opened>;
  /** An agent, registered and at work. */
  agent(name: string, about?: { workspace?: string; stack?: string; intent?: string }): Promise<Agent>;
  put(key: string, body: string | Uint8Array, contentType?: string): Promise<{ version: number }>;
  publish(topic: string, data?: unknown): Promise<{ id: number }>;
  /** Stops the server as `kill` does, and starts it again at the same addresses. */
  restart(whileDown?: () => Promise<void>): Promise<void>;
  /** Closes the pages of a test. */
  tidy(): Promise<void>;
  close(): Promise<void>;
}

export interface Agent {
  id: string;
  name: string;
  client: Client;
}

let browser: Browser | undefined;

/** @param flags as on the command line */
export async function openDesk(flags: readonly string[] = [], token?: string): Promise<Desk> {
  browser ??= await launchChromium(chromium());
  const folder = temporaryFolder();
  const server = await startServer(folder, { flags });
  const client = createClient({ server: server.url, token });
  const pages: Page[] = [];
  const desk: Desk = {
    server,
    client,
    async open(path, options = {}) {
      const page = await (await (browser as Browser).newContext(options)).newPage();
      pages.push(page);
      // Sooner than the test's own end, at which everything that runs is killed and nothing is said.
      page.setDefaultTimeout(12_000);
      const asked: string[] = [];
      const faults: string[] = [];
      page.on("request", (request) => void asked.push(request.url()));
      page.on("websocket", (socket) => void asked.push(socket.url()));
      page.on("pageerror", (error) => void faults.push(error.message));
      page.on("console", (message) => void (message.type() === "error" && faults.push(message.text())));
      await page.goto(desk.server.dashboardUrl + path);
      return { page, asked, faults };
    },
    async agent(name, about = {}) {
      const { id, token } = await client.call("instances.register", { body: { name, ...about } });
      await client.call("instances.activate", { params: { id } });
      return { id, name, client: createClient({ server: desk.server.url, instanceToken: token }) };
    },
    put: (key, body, contentType = "application/json") =>
      client.call("state.put", { params: { key }, body, contentType }),
    publish: (topic, data) => client.call("events.publish", { body: { topic, data } }),
    async restart(whileDown) {
      const [url, dashboardUrl] = [new URL(desk.server.url), new URL(desk.server.dashboardUrl)];
      desk.server.kill("SIGTERM");
      await desk.server.exited;
      await whileDown?.();
      const places = ["--bind", url.host, "--dashboard-bind", dashboardUrl.host];
      desk.server = await startServer(folder, { flags: [...flags, ...places] });
    },
    async tidy() {
      for (const page of pages.splice(0)) await page.context().close();
    },
    async close() {
      await desk.tidy();
      desk.server.kill("SIGTERM");
      await desk.server.exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return desk;
}

export async function closeBrowser(): Promise<void> {
  await browser?.close();
  browser = undefined;
}

/** Waits until the page says that it is in touch. */
export const live = (page: Page) => page.locator('[data-connection="live"]').waitFor();

/** Goes to a view as its links do, without loading the page anew, and waits until what it shows is there. */
export async function visit(page: Page, path: string): Promise<void> {
  await page.evaluate((path) => {
    history.pushState(null, "", path);
    dispatchEvent(new PopStateEvent("popstate"));
  }, path);
  await page.locator(".loading").first().waitFor({ state: "detached" });
}

/** What axe finds wrong by WCAG 2.2 A and AA, in words; of each rule the first elements. */
export async function violationsOf(page: Page): Promise<string[]> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import("axe-core") };
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await axe.run(document, { runOnly: tags });
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes[0]?.target.join(" ")} ${nodes[0]?.failureSummary}`,
    );
  });
}
