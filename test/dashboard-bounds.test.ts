import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { views } from "../src/dashboard/views.ts";
import { type Desk, closeBrowser, live, openDesk, violationsOf, visit } from "./dashboard-harness.ts";

/** What the dashboard takes: hostile names, ten thousand of everything, restarts, narrow windows, other senses. */

setDefaultTimeout(60_000);

let desk: Desk;
beforeAll(async () => {
  desk = await openDesk(["--event-retention", "20000"]);
});
afterEach(() => desk.tidy());
afterAll(async () => {
  await desk.close();
  await closeBrowser();
});

const paths = views.map((view) => (view === "now" ? "/" : `/${view}`));

describe("whoever looks", () => {
  test("finds nothing that axe calls wrong, and nothing that is cut, from 380 to 2560 pixels, in light and dark", async () => {
    const name = "an-agent-with-quite-a-long-name";
    const ada = await desk.agent(name, { workspace: "shop", intent: "a long intent ".repeat(40) });
    const bob = await desk.agent("bob", { stack: "go" });
    await ada.client.call("leases.acquire", { body: { paths: ["src/**", "docs/**"], note: "renaming" } });
    const over = new AbortController();
    const body = { paths: ["src/a.ts"], wait: "60s" };
    bob.client.call("leases.acquire", { body, signal: over.signal }).catch(() => {});
    await desk.put("a/key.md", "# A\n\n[b](https://example.com)\n\n    code\n", "text/markdown");
    await desk.put("a/key", '{"a":{"b":[1,2,{"c":null}]}}');
    await desk.put("a/key", '{"a":{"b":[1,2,{"c":true}]}}');
    const params = { project: "shop", name: "orders" };
    const contract = { kind: "contract", version: 1, endpoints: { "POST /orders": { request: {} } } };
    await desk.client.call("specs.put", { params, body: JSON.stringify(contract) });
    await desk.client.call("rules.propose", { body: { project: "shop", rule_id: "r", pattern: "x" } });
    await desk.client.call("rules.import", { body: [{ project: "shop", rule_id: "s", pattern: "y" }] });
    await ada.client.call("events.publish", { body: { topic: "a.topic", data: [1, 2, 3] } });
    await ada.client.call("llm.record", {
      body: { provider: "p", model: "m", tokens_in: 9_000, tokens_out: 100, cost_usd: 0.9, project: "shop" },
    });
    await desk.client.call("llm.setBudget", { params: { project: "shop" }, body: { usd: 1, per: "day" } });

    const found: string[] = [];
    const { page } = await desk.open("/", { reducedMotion: "reduce" });
    await live(page);
    for (const path of [...paths, "/state/a/key", "/state/a/key.md", "/specs/shop/orders"]) {
      await visit(page, path);
      const history = page.getByRole("tab", { name: /History/ });
      if (path === "/state/a/key") await history.click();
      if (path === "/events") await page.locator("[data-event]").first().click();
      for (const [width, colorScheme] of [
        [2560, "light"],
        [1440, "light"],
        [380, "dark"],
      ] as const) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        const lines = await page
          .locator(".diff .line")
          .evaluateAll((all) => all.map((line) => line.clientWidth));
        for (const line of lines)
          if (line > 0 && line < 200) found.push(`${path} at ${width}: a line of ${line}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        if (wide > width) found.push(`${path} at ${width}: ${wide} wide`);
        if (width === 2560) continue;
        for (const fault of await violationsOf(page)) found.push(`${path} at ${width}: ${fault}`);
      }
    }
    over.abort();
    expect(found).toEqual([]);
  });

  test("gets along with the keyboard alone", async () => {
    const { page } = await desk.open("/");
    await live(page);
    await page.keyboard.press("?");
    await page.getByRole("dialog").getByText("Search in this view").waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("2");
    await page.locator('[data-key="a/key"]').waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("a/key");
    await page.keyboard.press("Escape");
    await page.getByRole("tree").focus();
    for (const key of ["ArrowDown", "ArrowLeft", "ArrowRight", "ArrowDown", "Enter"])
      await page.keyboard.press(key);
    await page.locator('[data-document="a/key"]').waitFor();
    await page.keyboard.press("5");
    await page.locator('[data-view="events"]').waitFor();
    await page.goBack();
    await page.locator('[data-document="a/key"]').waitFor();
  });
});

describe("whatever is written", () => {
  test("is shown as the text that it is", async () => {
    const evil = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;
    const link = "javascript:window.hacked=1";
    const eve = await desk.agent(evil, { workspace: link, intent: evil, stack: evil });
    const keys = [
      evil,
      "__proto__",
      `bidi\u202Etxt.exe\n\t"'&`,
      "k".repeat(512),
      "//",
      "a/../b",
      "%2F%00",
      "constructor/x",
    ];
    for (const key of keys)
      await desk.put(key, JSON.stringify({ [evil]: evil, __proto__: 1 }), "application/json");
    await desk.put(
      "evil.md",
      `${evil}\n\n[x](${link}) ![y](http://evil.example/y.png) <b>${evil}</b>\n\n<svg onload="window.hacked=1">`,
      "text/markdown",
    );
    await desk.put("evil.html", `<script>window.hacked=1</script>`, "text/html;x=<b>");
    await desk.put(
      "evil.svg",
      `<svg xmlns="http://www.w3.org/2000/svg" onload="window.hacked=1"><script>window.hacked=1</script></svg>`,
      "image/svg+xml",
    );
    await eve.client.call("leases.acquire", { body: { resource: evil.replaceAll("*", ""), note: evil } });
    await eve.client.call("rules.propose", {
      body: { project: evil, rule_id: evil, pattern: evil, message: evil, context: evil },
    });
    await desk.client.call("specs.put", {
      params: { project: evil, name: evil },
      body: JSON.stringify({ [evil]: evil }),
    });
    const { id } = await eve.client.call("events.publish", {
      body: { topic: evil, data: { [evil]: evil, __proto__: 1 } },
    });
    for (const name of [evil, "__proto__", "p".repeat(512)]) {
      await eve.client.call("llm.record", {
        body: { provider: evil, model: name, project: name, tokens_in: 1, tokens_out: 1, cost_usd: 5 },
      });
      await desk.client.call("llm.setBudget", { params: { project: name }, body: { usd: 1, per: "day" } });
    }
    await desk.publish("t".repeat(4096), "x".repeat(500_000));

    const { page, faults, asked } = await desk.open("/", { viewport: { width: 380, height: 800 } });
    const places = [
      ...paths,
      ...[
        "evil.md",
        "evil.html",
        "evil.svg",
        encodeURIComponent(evil),
        "__proto__",
        "%2F%2F",
        "a%2F..%2Fb",
      ].map((key) => `/state/${key}`),
      `/specs/${encodeURIComponent(evil)}/${encodeURIComponent(evil)}`,
      "/tokens?by=model",
      "/tokens?by=project&of=tokens&span=__proto__",
    ];
    await live(page);
    for (const path of places) {
      await visit(page, path);
      if (path === "/events") {
        await page.locator(`[data-event="${id}"]`).click();
        await page.locator("[data-payload]", { hasText: "hacked" }).waitFor();
      }
      expect([path, await page.evaluate(() => document.documentElement.scrollWidth)]).toEqual([path, 380]);
      expect(
        await page.locator("main img:not(.picture), main script, main svg[onload], main b b").count(),
      ).toBe(0);
      expect(await page.locator('a[href^="javascript"]').count()).toBe(0);
      expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    }
    await page.goto(`${desk.server.dashboardUrl}/`);
    expect(await page.locator(`[data-instance="${eve.id}"] h2`).innerText()).toBe(evil);
    await page.setViewportSize({ width: 1440, height: 2000 });
    await page.goto(`${desk.server.dashboardUrl}/state`);
    await page.locator('[data-branch="a/"]').waitFor();
    const shown = await page
      .locator("[data-key]")
      .evaluateAll((rows) => rows.map((row) => (row as HTMLElement).dataset["key"]));
    for (const key of [evil, "__proto__", `bidi\u202Etxt.exe\n\t"'&`, "k".repeat(512), "//"]) {
      if (!key.includes("/")) expect(shown).toContain(key);
    }
    const own = new URL(desk.server.dashboardUrl).host;
    expect(new Set(asked.map((url) => new URL(url).host))).toEqual(new Set([own]));
    expect(faults).toEqual([]);
  });
});

describe("however deep it is", () => {
  const levels = (count: number) => "[".repeat(count) + "]".repeat(count);

  test("an event or a value of any number of levels is shown as a text, and stops nothing else", async () => {
    const { page, faults } = await desk.open("/events");
    await live(page);
    const rawBody = `{"topic":"deep","data":${levels(400_000)}}`;
    const { id } = (await (await desk.client.send("events.publish", { rawBody })).json()) as { id: number };
    const { id: next } = await desk.publish("shallow");
    await page.locator(`[data-event="${next}"]`).waitFor();
    await page.locator(`[data-event="${id}"]`).click();
    await page.locator(`[data-payload="${id}"] pre.value`, { hasText: "[[[[" }).waitFor();
    // Whoever comes later begins with it.
    await page.reload();
    await page.locator(`[data-event="${id}"]`).waitFor();
    for (const count of [90, 500, 3000, 400_000]) {
      await desk.put("deep.json", levels(count));
      await desk.put("deep.md", `${"> ".repeat(Math.min(count / 3, 50_000))}x`, "text/markdown");
      await visit(page, "/state/deep.json");
      await page.locator(count < 100 ? ".json" : "pre.value").waitFor();
      await visit(page, "/state/deep.md");
      await page.locator(count < 100 ? ".markdown" : "pre.value").waitFor();
      await page.getByRole("heading", { name: "State" }).waitFor();
      await visit(page, "/events");
    }
    expect(faults).toEqual([]);
  });
});

describe("however much there is", () => {
  test("ten thousand keys and ten thousand events are a bounded page, with the first and the last in reach", async () => {
    const keys = Array.from(
      { length: 10_000 },
      (_, index) => `many/${String(index % 100).padStart(2, "0")}/${index}`,
    );
    for (let at = 0; at < keys.length; at += 64) {
      const part = keys.slice(at, at + 64);
      const body = {
        do: part.flatMap((key) => [{ put: { key, value: 1 } }]),
      };
      await desk.client.call("txn.commit", { body });
    }
    for (let at = 0; at < 10_000; at += 64) {
      const steps = Array.from({ length: Math.min(64, 10_000 - at) }, (_, index) => at + index);
      const body = { do: steps.map((index) => ({ publish: { topic: `flood.${index}`, data: { index } } })) };
      await desk.client.call("txn.commit", { body });
    }
    const [newest] = await desk.client.call("events.history", { query: { last: "1" } });
    const last = newest?.id ?? 0;
    const { page } = await desk.open("/events");
    await page.locator(`[data-event="${last}"]`).waitFor();
    const list = page.getByRole("listbox");
    await list.focus();
    // Each time the end comes into view the page before it is read.
    const oldest = page.locator(`[data-event="${last - 9999}"]`);
    for (let turn = 0; turn < 30 && (await oldest.count()) === 0; turn++) {
      await page.keyboard.press("End");
      await page.waitForTimeout(100);
    }
    await oldest.waitFor();
    expect(await page.locator("[data-event]").count()).toBeLessThan(100);
    await page.keyboard.press("Home");
    await page.locator(`[data-event="${last}"]`).waitFor();

    await page.getByRole("link", { name: "State" }).click();
    await page.getByRole("searchbox").fill("many/");
    await page.locator('[data-branch="many/00/"]').waitFor();
    // The first thousand are shown at once, and the page says that it reads on.
    await page.getByText("reading on").waitFor({ state: "detached" });
    await page.getByRole("tree").focus();
    await page.keyboard.press("End");
    await page.locator('[data-key="many/99/9999"]').waitFor();
    expect(await page.locator(".virtual-row").count()).toBeLessThan(100);
    await page.getByRole("searchbox").fill("many/42 77");
    await page.locator('[data-key="many/42/7742"]').waitFor();
  });
});

describe("a pause in which more came than the page keeps", () => {
  test("loses none of it: how many they were is said, and the missing ones are a click away", async () => {
    const flood = async (many: number) => {
      const steps = Array.from({ length: 64 }, (_, data) => ({ publish: { topic: "flood", data } }));
      for (let at = 0; at < many; at += 64) await desk.client.call("txn.commit", { body: { do: steps } });
    };
    await flood(1_280);
    const first = await desk.publish("before.the.flood", { read: "on" });
    const { page } = await desk.open("/events");
    await live(page);
    await page.locator(`[data-event="${first.id}"]`).click();
    await page.locator(`[data-payload="${first.id}"]`).waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await flood(12_032);
    await page.getByText("Paused, 12,032 events since then").waitFor();
    // Who paused to read reads on, also further down.
    const list = page.getByRole("listbox");
    const oldest = await page.locator("[data-event]").last().getAttribute("data-event");
    await list.focus();
    await page.keyboard.press("End");
    await page.locator(`[data-event="${oldest}"]`).waitFor({ state: "detached" });

    await page.getByRole("button", { name: "Resume" }).click();
    await list.focus();
    await page.keyboard.press("Home");
    await page.locator(`[data-event="${first.id + 12_032}"]`).waitFor();
    expect(await page.locator(`[data-payload="${first.id}"]`).count()).toBe(1);
    await page.getByRole("button", { name: "Show the missing ones" }).click();
    await page.getByText("of this time; scroll down for older ones").waitFor();
    await list.focus();
    const missed = page.locator(`[data-event="${first.id + 1}"]`);
    for (let turn = 0; turn < 30 && (await missed.count()) === 0; turn++) {
      await page.keyboard.press("End");
      await page.waitForTimeout(100);
    }
    await missed.waitFor();
  });
});

describe("a server with thousands of projects, agents and leases", () => {
  const many = 1000;
  const some = 150;
  const named = (index: number) => `n${String(index).padStart(4, "0")}`;

  test("is pages of a bounded size, made of a bounded number of questions, and the last one is found", async () => {
    for (let at = 0; at < many; at += 50) {
      const steps = Array.from({ length: 50 }, (_, index) => ({
        put: { spec: `${named(at + index)}/spec`, value: {} },
      }));
      await desk.client.call("txn.commit", { body: { do: steps } });
      await Promise.all(
        steps.map((_, index) =>
          desk.client.call("instances.register", { body: { name: named(at + index), workspace: "many" } }),
        ),
      );
    }
    const holder = await desk.agent("holder");
    for (let index = 0; index < some; index++) {
      const project = named(index);
      await holder.client.call("leases.acquire", { body: { resource: `of ${project}` } });
      await desk.client.call("rules.propose", { body: { project, rule_id: project, pattern: "x" } });
      await desk.client.call("llm.setBudget", { params: { project }, body: { usd: 1, per: "day" } });
    }
    const { page, asked, faults } = await desk.open("/connect");
    await live(page);
    for (const [path, row, most] of [
      ["/", "[data-instance]", 200],
      ["/specs", "[data-spec]", 100],
      ["/rules", '[data-status="proposed"]', 100],
      ["/leases", "[data-lease]", 100],
      ["/tokens", "[data-budget]", 100],
    ] as const) {
      const before = asked.length;
      await visit(page, path);
      await page.locator(row).first().waitFor();
      expect([path, asked.length - before < 300]).toEqual([path, true]);
      const drawn = await page.locator(row).count();
      expect([path, drawn > 0 && drawn <= most, drawn]).toEqual([path, true, drawn]);
    }
    const last = named(some - 1);
    for (const [path, row] of [
      ["/specs", `[data-spec="${last}/spec"]`],
      ["/rules", `[data-rule="${last}/${last}"]`],
      ["/leases", `[data-lease]:has-text("of ${last}")`],
    ] as const) {
      await visit(page, path);
      await page.keyboard.press("/");
      await page.keyboard.type(last);
      await page.locator(row).waitFor();
      await page.keyboard.press("Escape");
    }
    // A spec that is written is read anew, and no other.
    await visit(page, "/specs");
    await page.locator("[data-spec]").first().waitFor();
    const before = asked.length;
    const params = { project: named(0), name: "spec" };
    await desk.client.call("specs.put", { params, body: "[2]" });
    await page.locator(`[data-spec="${named(0)}/spec"]`, { hasText: "v2" }).waitFor();
    expect(asked.slice(before).filter((url) => url.includes("/api/specs")).length).toBeLessThan(10);
    expect(faults).toEqual([]);
  });
});

describe("when the server goes away", () => {
  test("the page says so, and misses neither an event nor a change when it is back", async () => {
    const { page } = await desk.open("/events");
    await live(page);
    const before = await desk.publish("before");
    await page.locator(`[data-event="${before.id}"]`).waitFor();
    await desk.put("restart/before", "1");
    await page.locator(".summary", { hasText: /^newest .*, live$/ }).waitFor();
    await desk.restart(async () => {
      await page.getByText("The server does not answer.").waitFor();
      await page.locator(".summary", { hasText: "not live: connection lost" }).waitFor();
    });
    for (const topic of ["a", "b", "c"]) await desk.publish(topic);
    await desk.put("restart/after", "1");
    await desk.client.call("state.delete", { params: { key: "restart/before" } });
    await page.locator(`[data-event="${before.id + 3}"]`).waitFor();
    const topics = await page.locator("[data-event] .topic").allInnerTexts();
    expect(topics.slice(0, 4)).toEqual(["c", "b", "a", "before"]);
    await live(page);
    expect(await page.getByText("The server does not answer.").count()).toBe(0);
    await page.getByRole("link", { name: "State" }).click();
    await page.getByRole("searchbox").fill("restart");
    await page.locator('[data-key="restart/after"]').waitFor();
    expect(await page.locator('[data-key="restart/before"]').count()).toBe(0);
  });

  test("a server that hangs is not said to be live, and the page is when it goes on", async () => {
    const { page } = await desk.open("/events");
    await live(page);
    // What was asked before is never answered, as by a machine that has lost its power.
    let isLost = true;
    await page.route("**/api/state?*", (route) => (isLost ? undefined : route.continue()));
    const lost = page.waitForRequest("**/api/state?*");
    await page.getByRole("link", { name: "State" }).click();
    await lost;
    isLost = false;
    const givenUp = page.waitForEvent("requestfailed", { timeout: 30_000 });
    desk.server.kill("SIGSTOP");
    try {
      await page.getByText("The server does not answer.").waitFor({ timeout: 30_000 });
      await page.locator('[data-connection="waiting"]').waitFor();
      await givenUp;
    } finally {
      desk.server.kill("SIGCONT");
    }
    await desk.put("goes-on", "1");
    await page.getByRole("searchbox").fill("goes-on");
    await page.locator('[data-key="goes-on"]').waitFor();
    const { id } = await desk.publish("goes.on");
    await page.getByRole("link", { name: "Events" }).click();
    await page.locator(`[data-event="${id}"]`).waitFor();
    await live(page);
  });

  test("a connection that died without a word is made anew when there is a network again", async () => {
    const { page } = await desk.open("/events");
    const dead: { dead: boolean }[] = [];
    await page.routeWebSocket(/subscribe/, (socket) => {
      const line = { dead: false };
      dead.push(line);
      socket.connectToServer().onMessage((message) => {
        if (!line.dead) socket.send(message);
      });
    });
    await page.reload();
    await live(page);
    for (const line of dead) line.dead = true;
    const { id } = await desk.publish("while.asleep");
    await desk.put("restart/asleep", "1");
    await page.evaluate(() => void window.dispatchEvent(new Event("online")));
    await page.locator(`[data-event="${id}"]`).waitFor();
    await live(page);
  });

  test("a browser whose clock is hours ahead, or behind, tells ages by the server's", async () => {
    const ada = await desk.agent("in-another-time");
    await ada.client.call("state.put", { params: { key: "in-time" }, body: "1" });
    await ada.client.call("leases.acquire", { body: { resource: "in-time", ttl: "1h" } });
    for (const hours of [-3, 3]) {
      const { page } = await desk.open("/connect");
      await page.addInitScript((ms) => {
        const real = Date.now.bind(Date);
        Date.now = () => real() + ms;
      }, hours * 3_600_000);
      await page.goto(`${desk.server.dashboardUrl}/`);
      const card = page.locator(`[data-instance="${ada.id}"]`);
      await card.getByText("in-time v1").waitFor();
      await card.getByText(/^(5\d min|1 h) left$/).waitFor();
      expect(await card.locator("header time").innerText()).toMatch(/^(now|\d+ s ago)$/);
      expect(await card.getAttribute("data-trouble")).toBeNull();
    }
  });

  test("nobody asks again and again while nothing happens", async () => {
    const { page, asked } = await desk.open("/state");
    await live(page);
    await page.locator("[data-branch]").first().waitFor();
    // The tree comes page by page, as fast as the machine is; then it is quiet for three seconds.
    let length = -1;
    while (length < asked.length) {
      ({ length } = asked);
      await page.waitForTimeout(3000);
    }
  });
});
