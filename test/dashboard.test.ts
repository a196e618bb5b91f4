import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { launchChromium } from "../demo/browser.ts";
import { chromium as findChromium } from "../scripts/setup.mjs";
import { type TestServer, openSocket, sendRaw, startServer } from "./harness.ts";

/** The dashboard as a person sees it: in Chromium, against the real server. */

setDefaultTimeout(30_000);

let browser: Browser;
let server: TestServer;
const pages: Page[] = [];

beforeAll(async () => {
  browser = await launchChromium(findChromium());
});
afterAll(() => browser?.close());
afterEach(async () => {
  for (const page of pages.splice(0)) await page.context().close();
  await server?.dispose();
});

/** A page in a browser profile of its own, with what it asked for and complained about. */
async function open(options: BrowserContextOptions = {}) {
  const page = await (await browser.newContext(options)).newPage();
  pages.push(page);
  const asked: string[] = [];
  const faults: string[] = [];
  page.on("request", (request) => void asked.push(request.url()));
  page.on("websocket", (socket) => void asked.push(socket.url()));
  page.on("pageerror", (error) => void faults.push(error.message));
  page.on("console", (message) => void (message.type() === "error" && faults.push(message.text())));
  await page.goto(server.dashboardUrl as string);
  return { page, asked, faults };
}

const live = (page: Page) => page.locator('[data-connection="live"]').waitFor();
const json = (body: unknown): RequestInit => ({ method: "POST", body: JSON.stringify(body) });
const publish = (topic: string, data?: unknown) => server.ask("/api/events/publish", json({ topic, data }));
const put = (key: string, body: string, type = "application/json") =>
  server.ask(`/api/state/${encodeURIComponent(key)}`, {
    method: "PUT",
    body,
    headers: { "Content-Type": type },
  });
const onDashboard = (path: string, init?: RequestInit) => fetch(server.dashboardUrl + path, init);

describe("the page", () => {
  test("is served with a strict policy, and what it loads may be kept for ever", async () => {
    server = await startServer();
    const response = await onDashboard("/");
    const policy = response.headers.get("content-security-policy") ?? "";
    for (const directive of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'none'",
    ]) {
      expect(policy.split("; ")).toContain(directive);
    }
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("referrer-policy")).toBe("no-referrer");
    expect(response.headers.get("cache-control")).toBe("no-store");

    const html = await response.text();
    expect(html).toContain('data-session="none"');
    const files = [...html.matchAll(/(?:src|href)="\.?\/([^"]+)"/g)].map(([, name]) => name as string);
    expect(files.map((name) => name.replace(/^.*\./, "")).toSorted()).toEqual(["css", "js", "svg"]);
    for (const name of files) {
      const file = await onDashboard(`/${name}`);
      expect(file.headers.get("cache-control")).toContain("immutable");
      expect(file.headers.get("x-content-type-options")).toBe("nosniff");
      const bytes = await file.bytes();
      if (name.endsWith(".js")) expect(Bun.gzipSync(bytes).length).toBeLessThan(30_000);
      expect((await onDashboard(`/${name}`, { method: "HEAD" })).status).toBe(200);
      expect((await onDashboard(`/${name}`, { method: "POST" })).status).toBe(405);
    }
  });

  test("is the only path beside the API, behind the same front", async () => {
    server = await startServer();
    for (const path of ["/nothing", "/page.html", "/index.html", "/a/b", "/login", "/logout", "/mcp"]) {
      const response = await onDashboard(path);
      expect([path, response.status]).toEqual([path, 404]);
      expect(await response.json()).toMatchObject({ code: 404, reason: "not_found" });
    }
    expect((await onDashboard("/", { method: "POST" })).headers.get("allow")).toBe("GET, HEAD");
    expect((await onDashboard("/health")).status).toBe(200);
    expect((await onDashboard("/", { headers: { Origin: "http://evil.example" } })).status).toBe(403);
    const answer = await sendRaw(
      server.dashboardUrl as string,
      "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    );
    expect(answer).toStartWith("HTTP/1.1 403");
  });

  test("an empty server says what to type next", async () => {
    server = await startServer();
    const { page } = await open();
    await live(page);
    const at = `KOOR_SERVER=${server.url}`;
    await page.getByText(`${at} koor-cli register NAME`).waitFor();
    await page.getByText(`${at} koor-cli state set plan`).waitFor();
    await page.getByText(`${at} koor-cli events publish`).waitFor();
    await page.getByText(`claude mcp add --transport http koor ${server.url}/mcp`, { exact: true }).waitFor();
  });

  test("shows what others do, as they do it, and asks nobody else", async () => {
    server = await startServer();
    const { page, asked, faults } = await open();
    await live(page);
    const registered = (await (
      await server.ask(
        "/api/instances/register",
        json({ name: "backend", workspace: "shop", stack: "go", intent: "paging" }),
      )
    ).json()) as { id: string; token: string };
    await put("plan/a", '{"n":1}');
    await put("plan/a", '{"n":2}');
    const began = Date.now();
    await server.ask("/api/events/publish", {
      method: "POST",
      body: '{"topic":"api.change","data":{"big":12345678901234567890}}',
      headers: { "Koor-Instance-Token": registered.token },
    });

    const event = page.locator('[data-event="1"]');
    await event.waitFor();
    expect(Date.now() - began).toBeLessThan(3000);
    for (const text of ["api.change", "backend", '{"big":12345678901234567890}']) {
      expect(await event.innerText()).toContain(text);
    }
    await event.locator("summary").click();
    expect(await event.locator("pre").innerText()).toBe('{\n  "big": 12345678901234567890\n}');

    // An event makes the page ask for the rest at once.
    const instance = page.locator(`[data-instance="${registered.id}"]`);
    await instance.waitFor();
    for (const text of ["backend", "shop", "go", "paging", "active"])
      expect(await instance.innerText()).toContain(text);
    const key = page.locator('[data-key="plan/a"]');
    expect(await key.innerText()).toMatch(/plan\/a\s+2\s+application\/json\s+(now|\d+ s)/);
    const books = page.locator('[data-ledger="rest"]');
    expect(await books.innerText()).toContain("in 4 calls");
    expect(await books.getAttribute("title")).toMatch(
      /^\d+ tokens, worked out from the \d+ bytes .*: bytes \/ 4$/,
    );
    expect(await page.locator("#health").innerText()).toContain("1.0.0");

    // Without an event it comes with the next look.
    await put("plan/b", "1");
    await page.locator('[data-key="plan/b"]').waitFor();

    const own = (server.dashboardUrl as string).replace("http://", "");
    expect(new Set(asked.map((url) => new URL(url).host))).toEqual(new Set([own]));
    expect(asked.filter((url) => url.includes("/api/events/history"))).toHaveLength(1);
    expect(asked.filter((url) => url.startsWith("ws://"))).toHaveLength(1);
    expect(faults).toEqual([]);
  });

  test("keeps a bounded list of a flood, newest first", async () => {
    server = await startServer();
    const { page } = await open();
    await live(page);
    await Promise.all(Array.from({ length: 500 }, (_, index) => publish("flood", { index })));
    await page.locator('[data-event="500"]').waitFor();
    const ids = await page
      .locator("[data-event]")
      .evaluateAll((rows) => rows.map((row) => row.dataset.event));
    expect(ids).toEqual(Array.from({ length: 200 }, (_, index) => String(500 - index)));
  });

  test("shows hostile names as the text they are", async () => {
    server = await startServer();
    const evil = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;
    const link = "javascript:window.hacked=1";
    await server.ask(
      "/api/instances/register",
      json({ name: evil, workspace: link, intent: evil, stack: evil }),
    );
    await put(evil, "1", "text/html");
    await put("__proto__", "1", "text/html;x=<b>");
    await put(`bidi\u202Etxt.exe\n\t"'&`, "1");
    await put("k".repeat(512), "1");
    await publish(evil, { [evil]: evil, __proto__: 1 });
    const { page, faults } = await open({ viewport: { width: 380, height: 800 } });
    await live(page);
    await publish(evil, evil);
    await publish("t".repeat(4096), "x".repeat(500_000));
    await page.locator('[data-event="3"] summary').click();
    await page.locator('[data-event="2"] summary').click();
    expect(await page.locator('[data-event="2"] pre').innerText()).toBe(JSON.stringify(evil));
    const keys = await page.locator("[data-key]").evaluateAll((rows) => rows.map((row) => row.dataset.key));
    expect(new Set(keys)).toEqual(new Set([evil, "__proto__", `bidi\u202Etxt.exe\n\t"'&`, "k".repeat(512)]));
    expect(await page.locator("[data-instance] .name").innerText()).toBe(evil);
    expect(await page.locator("img, #page script, a").count()).toBe(0);
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(380);
    expect(faults).toEqual([]);
  });

  test("survives a restart of the server without losing an event", async () => {
    server = await startServer();
    const { page } = await open();
    await live(page);
    await publish("before");
    await page.locator('[data-event="1"]').waitFor();
    const ports = { bind: server.url, dashboard: server.dashboardUrl as string };
    await server.close();
    await page.getByText("The server does not answer.").waitFor();

    const address = (url: string) => url.replace("http://", "");
    const { directory } = server;
    server = await startServer(
      ["--bind", address(ports.bind), "--dashboard-bind", address(ports.dashboard)],
      { directory },
    );
    for (const topic of ["a", "b", "c"]) await publish(topic);
    await page.locator('[data-event="4"]').waitFor();
    const topics = await page.locator("[data-event] .topic").allInnerTexts();
    expect(topics).toEqual(["c", "b", "a", "before"]);
    await live(page);
    expect(await page.getByText("The server does not answer.").count()).toBe(0);
  });

  for (const colorScheme of ["light", "dark"] as const) {
    test(`is readable from 380 to 2560 pixels in the ${colorScheme}`, async () => {
      server = await startServer();
      const name = "an-agent-with-quite-a-long-name";
      await server.ask("/api/instances/register", json({ name, intent: "a long intent ".repeat(40) }));
      await put("a/key", "1");
      await publish("a.topic", { data: [1, 2, 3] });
      const { page } = await open({ colorScheme });
      await live(page);
      await page.locator("[data-key]").waitFor();
      for (const width of [380, 1000, 1440, 1900, 2560]) {
        await page.setViewportSize({ width, height: 800 });
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
        expect(await page.evaluate(faintTexts)).toEqual([]);
      }
      expect(await page.getByRole("heading", { level: 2 }).allInnerTexts()).toEqual(
        expect.arrayContaining([expect.stringContaining("Instances"), expect.stringContaining("Events")]),
      );
      expect(await page.getByRole("row", { name: /a\/key/ }).count()).toBe(1);
    });
  }
});

describe("on a server with a token", () => {
  const flags = ["--auth-token", "secret"];
  const bearer = { Authorization: "Bearer secret" };

  test("nothing is reachable before the token is given, and everything after it", async () => {
    server = await startServer(flags);
    await server.ask("/api/state/hidden", { method: "PUT", body: "1", headers: bearer });
    for (const path of [
      "/api/state",
      "/api/state/hidden",
      "/api/instances",
      "/api/metrics",
      "/api/events/history",
    ]) {
      expect([path, (await onDashboard(path)).status]).toEqual([path, 401]);
    }
    await expect(openSocket(`${server.dashboardUrl}/api/events/subscribe`)).rejects.toThrow();

    const { page, asked } = await open();
    await page.getByLabel("Token", { exact: true }).waitFor();
    expect(asked.filter((url) => url.includes("/api/"))).toEqual([]);
    await page.getByLabel("Token", { exact: true }).fill("wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").getByText("not this server's token", { exact: false }).waitFor();
    await page.getByLabel("Token", { exact: true }).fill("secret");
    await page.keyboard.press("Enter");
    await live(page);
    await page.locator('[data-key="hidden"]').waitFor();
    await server.ask("/api/events/publish", { ...json({ topic: "seen" }), headers: bearer });
    await page.locator('[data-event="1"]').waitFor();

    // The next visit asks no more, until the person logs out.
    await page.reload();
    await page.locator('[data-event="1"]').waitFor();
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", path: "/" });
    expect(cookie?.value).not.toContain("secret");
    const held = { Cookie: `${cookie?.name}=${cookie?.value}` };
    expect((await onDashboard("/api/state", { headers: held })).status).toBe(200);
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByLabel("Token", { exact: true }).waitFor();
    expect(await page.locator("[data-key]").count()).toBe(0);
    expect(await page.context().cookies()).toEqual([]);
    expect((await onDashboard("/api/state", { headers: held })).status).toBe(401);
  });

  test("a session counts on the dashboard's port only, and changes need the dashboard's own Origin", async () => {
    server = await startServer(flags);
    const login = await onDashboard("/login", json({ token: "secret" }));
    expect(await login.json()).toEqual({ logged_in: true });
    const Cookie = (login.headers.get("set-cookie") ?? "").split(";")[0] as string;
    const Origin = server.dashboardUrl as string;
    const status = async (url: string, method: string, headers: Record<string, string> = {}) =>
      (await fetch(url, { method, headers: { Cookie, ...headers }, ...(method === "PUT" && { body: "1" }) }))
        .status;

    expect(await status(`${Origin}/api/state`, "GET")).toBe(200);
    expect(await status(`${server.url}/api/state`, "GET")).toBe(401);
    expect(await status(`${server.url}/api/state/k`, "PUT", { Origin })).toBe(401);
    expect(await status(`${Origin}/api/state/k`, "PUT")).toBe(403);
    expect(await status(`${Origin}/api/state/k`, "PUT", { Origin: "http://localhost:1" })).toBe(403);
    expect(await status(`${Origin}/api/state/k`, "PUT", { Origin })).toBe(200);
    expect(await status(`${Origin}/api/state/k`, "GET", { "Sec-Fetch-Site": "same-site" })).toBe(403);
    await expect(openSocket(`${Origin}/api/events/subscribe`, { headers: { Cookie } })).rejects.toThrow();
    const socket = await openSocket(`${Origin}/api/events/subscribe?hello=1`, {
      headers: { Cookie, Origin },
    });
    expect(await socket.next()).toContain("hello");
    socket.close();
  });

  test("bad attempts to log in are refused as everywhere", async () => {
    server = await startServer(flags);
    const attempt = async (body: string, headers: Record<string, string> = {}) =>
      (await onDashboard("/login", { method: "POST", body, headers })).status;
    expect(await attempt("{")).toBe(400);
    expect(await attempt("")).toBe(400);
    expect(await attempt('{"token":1}')).toBe(400);
    expect(await attempt(JSON.stringify({ token: "x".repeat(5000) }))).toBe(413);
    expect(await attempt('{"token":"secret"}', { Origin: "http://evil.example" })).toBe(403);
    expect((await onDashboard("/login")).status).toBe(405);
    const began = Date.now();
    expect(await attempt('{"token":"wrong"}')).toBe(401);
    expect(Date.now() - began).toBeGreaterThan(900);
  });
});

/** Runs in the page: texts whose contrast with what is behind them is below 4.5 (WCAG AA). */
function faintTexts(): string[] {
  const parse = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const light = (color: number[]) => {
    const [r = 0, g = 0, b = 0] = color.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element: Element | null): number[] => {
    if (!element) return [255, 255, 255];
    const color = parse(getComputedStyle(element).backgroundColor);
    return (color[3] ?? 1) === 0 ? ground(element.parentElement) : color;
  };
  const faint: string[] = [];
  for (const element of document.querySelectorAll("#page *")) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim());
    if (!text || element.closest(".fresh") || element.getClientRects().length === 0) continue;
    const [one, other] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) faint.push(`${element.className || element.tagName} ${contrast.toFixed(2)}`);
  }
  return faint;
}
