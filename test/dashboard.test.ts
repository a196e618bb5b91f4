import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { root, start, temporaryFolder } from "../demo/compiled.ts";
import { type Desk, closeBrowser, live, openDesk, violationsOf } from "./dashboard-harness.ts";
import { openSocket, sendRaw } from "./harness.ts";

/** The dashboard's port: what it serves, to whom, and in whose name. */

setDefaultTimeout(30_000);

let desk: Desk;
afterEach(() => desk?.tidy());
afterAll(closeBrowser);

const json = (body: unknown): RequestInit => ({ method: "POST", body: JSON.stringify(body) });
const onDashboard = (path: string, init?: RequestInit) => fetch(desk.server.dashboardUrl + path, init);

describe("the page", () => {
  beforeAll(async () => {
    desk = await openDesk();
  });
  afterAll(() => desk.close());

  test("is served with a strict policy, is small, and what it loads may be kept for ever", async () => {
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
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ]) {
      expect(policy.split("; ")).toContain(directive);
    }
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("referrer-policy")).toBe("no-referrer");
    expect(response.headers.get("cache-control")).toBe("no-store");

    const html = await response.text();
    expect(html).toContain('data-session="none"');
    const files = [...html.matchAll(/(?:src|href)="\/([^"]+)"/g)].map(([, name]) => name as string);
    expect(files.map((name) => name.replace(/^.*\./, "")).toSorted()).toEqual(["css", "js", "svg"]);
    for (const name of files) {
      const file = await onDashboard(`/${name}`);
      expect(file.headers.get("cache-control")).toContain("immutable");
      expect(file.headers.get("x-content-type-options")).toBe("nosniff");
      const bytes = await file.bytes();
      if (name.endsWith(".js")) expect(Bun.gzipSync(bytes).length).toBeLessThan(150_000);
      expect((await onDashboard(`/${name}`, { method: "HEAD" })).status).toBe(200);
      expect((await onDashboard(`/${name}`, { method: "POST" })).status).toBe(405);
    }
  });

  test("asks for each list once while it starts, with what the browser was told beforehand, and misses no change meanwhile", async () => {
    await desk.put("there", "1");
    await desk.publish("there");
    for (const [path, asks, late] of [
      ["/", "/api/instances", "[data-instance]"],
      ["/state", "/api/state?limit=1000", '[data-key="late"]'],
      ["/events", "/api/events/history?last=1000", ".event:has-text('late')"],
    ] as const) {
      expect((await onDashboard(path)).headers.get("link")).toContain(`<${asks}>; rel=preload; as=fetch`);
      const { page, asked, faults } = await desk.open("/connect");
      const held = Promise.withResolvers<void>();
      const read = Promise.withResolvers<void>();
      await page.route(`**${asks.replace("?", "\\?")}`, async (route) => {
        const response = await route.fetch();
        read.resolve();
        await held.promise;
        await route.fulfill({ response });
      });
      asked.length = 0;
      await page.goto(desk.server.dashboardUrl + path);
      await read.promise;
      // Written after the list was read, and before the page has it.
      if (path === "/") await desk.agent("late");
      if (path === "/state") await desk.put("late", "1");
      if (path === "/events") await desk.publish("late");
      held.resolve();
      await page.locator(late).first().waitFor();
      await live(page);
      const times = asked.filter((url) => url === desk.server.dashboardUrl + asks).length;
      // A new agent is a reason to ask for agents again; keys and events come by their streams.
      expect([path, times]).toEqual([path, path === "/" ? 2 : 1]);
      expect(faults).toEqual([]);
    }
  });

  test("lists keys by who changed them, the newest change first, and goes on doing so", async () => {
    const ada = await desk.agent("ada");
    for (const key of ["order/a", "order/b"])
      await ada.client.call("state.put", { params: { key }, body: "1" });
    const { page, faults } = await desk.open("/state");
    await page.getByRole("button", { name: "Newest change" }).click();
    const list = page.getByRole("listbox", { name: "Keys, newest change first" });
    await list.locator('[data-key="order/b"]').getByText("ada").waitFor();
    const first = (key: string) => list.locator(`.virtual-row:first-child[data-key="${key}"]`);
    await first("order/b").waitFor();
    await ada.client.call("state.put", { params: { key: "order/a" }, body: "2" });
    await first("order/a").waitFor();
    await list.focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator('[data-document="order/a"]').waitFor();
    expect(await violationsOf(page)).toEqual([]);
    expect(faults).toEqual([]);
  });

  test("has a path for each view, and an unknown one is 404", async () => {
    for (const path of [
      "/",
      "/state",
      "/state/a/b%2Fc",
      "/specs/p/n",
      "/rules",
      "/events",
      "/leases",
      "/connect",
    ]) {
      const response = await onDashboard(path);
      expect([path, response.status]).toEqual([path, 200]);
      expect(response.headers.get("content-type")).toContain("text/html");
    }
    for (const path of [
      "/nothing",
      "/now",
      "/page.html",
      "/a/b",
      "/leases/x",
      "/rules/x",
      "/login",
      "/logout",
      "/mcp",
    ]) {
      const response = await onDashboard(path);
      expect([path, response.status]).toEqual([path, 404]);
      expect(await response.json()).toMatchObject({ code: 404, reason: "not_found" });
    }
    const shown = await onDashboard("/nothing", { headers: { Accept: "text/html" } });
    expect(shown.status).toBe(404);
    const { page } = await desk.open("/nothing");
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    await page.getByRole("link", { name: "What happens now", exact: true }).click();
    await page.getByRole("heading", { name: "Now" }).waitFor();
  });

  test("is behind the same front as the API", async () => {
    expect((await onDashboard("/", { method: "POST" })).headers.get("allow")).toBe("GET, HEAD");
    expect((await onDashboard("/health")).status).toBe(200);
    expect((await onDashboard("/", { headers: { Origin: "http://evil.example" } })).status).toBe(403);
    const answer = await sendRaw(
      desk.server.dashboardUrl,
      "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    );
    expect(answer).toStartWith("HTTP/1.1 403");
  });
});

describe("who acts through it", () => {
  beforeAll(async () => {
    desk = await openDesk();
  });
  afterAll(() => desk.close());

  const lastActor = async () => {
    const { last_id: last } = await desk.client.call("changes.next", { query: { wait: "0ms" } });
    const query = { after: String(last - 1), wait: "0ms" };
    return (await desk.client.call("changes.next", { query })).events[0]?.actor;
  };
  const write = (url: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/api/state/k`, { method: "PUT", body: "1", headers });

  test("a person at the page is `dashboard` in the audit", async () => {
    const Origin = desk.server.dashboardUrl;
    expect((await write(Origin, { Origin })).status).toBe(200);
    expect(await lastActor()).toBe("dashboard");
    const { versions } = await desk.client.call("state.history", { params: { key: "k" }, query: {} });
    expect(versions[0]?.updated_by).toBe("dashboard");
    const event = await fetch(`${Origin}/api/events/publish`, {
      ...json({ topic: "t" }),
      headers: { Origin },
    });
    expect(await event.json()).toMatchObject({ source: "dashboard" });
  });

  test("and nobody else is", async () => {
    const { url, dashboardUrl } = desk.server;
    await write(url, { Origin: dashboardUrl });
    expect(await lastActor()).toBe("local");
    await write(dashboardUrl);
    expect(await lastActor()).toBe("local");
    for (const name of ["dashboard", "local"]) {
      const { client } = await desk.agent(name);
      expect(await lastActor()).not.toBe("dashboard");
      await client.call("state.put", { params: { key: "k" }, body: "1" });
      expect(await lastActor()).toBe(`instance ${name}`);
    }
    const { client } = await desk.agent("ada");
    const token = client.headers()["Koor-Instance-Token"] as string;
    await write(dashboardUrl, { Origin: dashboardUrl, "Koor-Instance-Token": token });
    expect(await lastActor()).toBe("ada");
  });
});

describe("on a server with a token", () => {
  const bearer = { Authorization: "Bearer secret" };
  beforeAll(async () => {
    desk = await openDesk(["--auth-token", "secret"], "secret");
  });
  afterAll(() => desk.close());

  test("nothing is reachable before the token is given, and everything after it", async () => {
    await desk.put("hidden", "1");
    for (const path of [
      "/api/state",
      "/api/state/hidden",
      "/api/instances",
      "/api/metrics",
      "/api/events/history",
      "/api/changes/next",
    ]) {
      expect([path, (await onDashboard(path)).status]).toEqual([path, 401]);
    }
    await expect(openSocket(`${desk.server.dashboardUrl}/api/events/subscribe`)).rejects.toThrow();

    const { page, asked } = await desk.open("/state");
    const field = page.getByLabel("Token", { exact: true });
    await field.waitFor();
    expect(asked.filter((url) => url.includes("/api/"))).toEqual([]);
    await field.fill("wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").getByText("not this server's token", { exact: false }).waitFor();
    await field.fill("secret");
    await page.keyboard.press("Enter");
    await live(page);
    await page.locator('[data-key="hidden"]').waitFor();

    // The next visit asks no more, until the person logs out.
    await page.reload();
    await page.locator('[data-key="hidden"]').waitFor();
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", path: "/" });
    expect(cookie?.value).not.toContain("secret");
    const held = { Cookie: `${cookie?.name}=${cookie?.value}` };
    expect((await onDashboard("/api/state", { headers: held })).status).toBe(200);
    await page.getByRole("button", { name: "Log out" }).click();
    await field.waitFor();
    expect(await page.locator("[data-key]").count()).toBe(0);
    expect(await page.context().cookies()).toEqual([]);
    expect((await onDashboard("/api/state", { headers: held })).status).toBe(401);
    expect((await onDashboard("/api/state", { headers: bearer })).status).toBe(200);
  });

  test("a session counts on the dashboard's port only, and changes need the dashboard's own Origin", async () => {
    const login = await onDashboard("/login", json({ token: "secret" }));
    expect(await login.json()).toEqual({ logged_in: true });
    const Cookie = (login.headers.get("set-cookie") ?? "").split(";")[0] as string;
    const { url, dashboardUrl: Origin } = desk.server;
    const status = async (url: string, method: string, headers: Record<string, string> = {}) =>
      (await fetch(url, { method, headers: { Cookie, ...headers }, ...(method === "PUT" && { body: "1" }) }))
        .status;

    expect(await status(`${Origin}/api/state`, "GET")).toBe(200);
    expect(await status(`${url}/api/state`, "GET")).toBe(401);
    expect(await status(`${url}/api/state/k`, "PUT", { Origin })).toBe(401);
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

    const history = async () =>
      (await desk.client.call("state.history", { params: { key: "k" }, query: {} })).versions[0];
    expect((await history())?.updated_by).toBe("dashboard");
    // Who has the token is somebody with the token, whatever else the request says.
    expect(await status(`${Origin}/api/state/k`, "PUT", { Origin, ...bearer })).toBe(200);
    expect((await history())?.updated_by).toBe("");
  });

  test("who logs out in one tab is logged out in all of them, and what they follow ends", async () => {
    const { page } = await desk.open("/events");
    await page.getByLabel("Token", { exact: true }).fill("secret");
    await page.keyboard.press("Enter");
    await live(page);
    const other = await page.context().newPage();
    await other.goto(`${desk.server.dashboardUrl}/events`);
    await live(other);
    await other.getByRole("button", { name: "Pause" }).click();
    const [cookie] = await page.context().cookies();
    const headers = { Cookie: `${cookie?.name}=${cookie?.value}`, Origin: desk.server.dashboardUrl };
    const socket = await openSocket(`${desk.server.dashboardUrl}/api/events/subscribe?hello=1`, { headers });
    await socket.next();
    const stream = await onDashboard("/api/events/stream", { headers });
    expect(stream.status).toBe(200);

    await page.getByRole("button", { name: "Log out" }).click();
    await other.getByLabel("Token", { exact: true }).waitFor();
    expect(await other.locator("[data-event]").count()).toBe(0);
    expect(await socket.closed).toMatchObject({ code: 4001 });
    expect(await stream.text()).toContain('"code":4001');
    // Nobody who logs in after that sees what was left there.
    await other.getByLabel("Token", { exact: true }).fill("secret");
    await other.keyboard.press("Enter");
    await other.getByRole("button", { name: "Pause" }).waitFor();
  });

  test("what somebody was writing when the session ended is there again after the next login", async () => {
    const value = `${desk.server.url}/api/state/draft`;
    await fetch(value, { method: "PUT", headers: bearer, body: '"before"' });
    const { page } = await desk.open("/state/draft");
    const login = async () => {
      await page.getByLabel("Token", { exact: true }).fill("secret");
      await page.keyboard.press("Enter");
    };
    await login();
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByRole("dialog").getByRole("textbox").fill('"half a thought"');
    const other = await page.context().newPage();
    await other.goto(`${desk.server.dashboardUrl}/events`);
    await other.getByRole("button", { name: "Log out" }).click();
    await login();
    expect(await page.getByRole("dialog").getByRole("textbox").inputValue()).toBe('"half a thought"');
    await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
    await page.locator(".facts", { hasText: "version 2" }).waitFor();
    expect(await (await fetch(value, { headers: bearer })).text()).toBe('"half a thought"');
    // And it is there once.
    await page.getByRole("link", { name: "State" }).click();
    await page.locator('[data-key="draft"]').click();
    await page.locator(".facts", { hasText: "version 2" }).waitFor();
    expect(await page.getByRole("dialog").count()).toBe(0);
  });

  test("the lines for a terminal work with the token in a variable, and hold no token", async () => {
    const { page } = await desk.open("/connect");
    await page.getByLabel("Token", { exact: true }).fill("secret");
    await page.keyboard.press("Enter");
    await page.getByText("Set KOOR_TOKEN to the server’s token before that.").first().waitFor();
    expect(await page.locator("main").innerText()).not.toContain("secret");
    const env = { PATH: `${join(root, "dist")}:${process.env["PATH"]}`, KOOR_TOKEN: "secret" };
    for (const [client, said] of [
      ["curl", '"holder":"NAME"'],
      ["koor-cli", "my turn"],
    ] as const) {
      const lines = await page.locator(`#client-${client} pre`).innerText();
      const shell = start(["bash", "-euo", "pipefail", "-c", lines], temporaryFolder(), env);
      expect(await shell.exited).toMatchObject({ code: 0, stdout: expect.stringContaining(said) });
    }
  });

  test("a session that a new one follows in the same browser is over, and after a restart the page asks again", async () => {
    const login = async (headers: Record<string, string> = {}) =>
      (
        (await onDashboard("/login", { ...json({ token: "secret" }), headers })).headers.get("set-cookie") ??
        ""
      ).split(";")[0] as string;
    const Cookie = await login();
    await login({ Cookie });
    expect((await onDashboard("/api/state", { headers: { Cookie } })).status).toBe(401);

    const { page } = await desk.open("/state");
    const field = page.getByLabel("Token", { exact: true });
    await field.fill("secret");
    await page.keyboard.press("Enter");
    await live(page);
    await desk.restart();
    await field.waitFor();
    await field.fill("secret");
    await page.keyboard.press("Enter");
    await live(page);
  });

  test("bad attempts to log in are refused as everywhere", async () => {
    const attempt = async (body: string, headers: Record<string, string> = {}) =>
      (await onDashboard("/login", { method: "POST", body, headers })).status;
    expect(await attempt("{")).toBe(400);
    expect(await attempt("")).toBe(400);
    expect(await attempt('{"token":1}')).toBe(400);
    expect(await attempt(JSON.stringify({ token: "x".repeat(5000) }))).toBe(413);
    expect(await attempt('{"token":"secret"}', { Origin: "http://evil.example" })).toBe(403);
    expect((await onDashboard("/login")).status).toBe(405);
    expect(await attempt('{"token":"wrong"}')).toBe(401);
  });
});
