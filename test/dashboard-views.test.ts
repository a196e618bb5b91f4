import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { root, start, temporaryFolder } from "../demo/compiled.ts";
import { type Desk, closeBrowser, live, openDesk } from "./dashboard-harness.ts";

/** Each view with real data, kept true by what others do from outside the browser. */

setDefaultTimeout(30_000);

let desk: Desk;
beforeAll(async () => {
  desk = await openDesk();
});
afterEach(() => desk.tidy());
afterAll(async () => {
  await desk.close();
  await closeBrowser();
});

const text = (page: Page, selector: string) => page.locator(selector).first().innerText();

describe("an empty server", () => {
  test("says in each view what to type next", async () => {
    const at = `KOOR_SERVER=${desk.server.url}`;
    const { page } = await desk.open("/connect");
    for (const [path, command] of [
      ["/", `${at} koor-cli register NAME`],
      ["/state", `${at} koor-cli state set plan`],
      ["/specs", `${at} koor-cli specs set shop/orders`],
      ["/rules", `${at} koor-cli rules import`],
      ["/events", `${at} koor-cli events publish`],
      ["/leases", `${at} koor-cli lease run`],
      ["/tokens", `${at} koor-cli llm import ~/.claude/projects ~/.codex/sessions`],
      ["/tokens", `${at} koor-cli llm budget-set shop --usd 20 --per day`],
      ["/tokens", `claude mcp add --transport http koor ${desk.server.url}/mcp`],
    ] as const) {
      await page.goto(desk.server.dashboardUrl + path);
      await page.getByText(command).first().waitFor();
    }
  });
});

describe("Now", () => {
  test("says first who is stuck, on what, and who is in the way", async () => {
    const { page } = await desk.open("/");
    const ada = await desk.agent("ada", { workspace: "shop", stack: "go", intent: "paging" });
    const bob = await desk.agent("bob", { workspace: "shop", intent: "refunds" });
    await page.locator(`[data-instance="${ada.id}"]`).waitFor();
    const { id } = await ada.client.call("leases.acquire", {
      body: { paths: ["src/api/**"], note: "renaming" },
    });
    const waiting = bob.client.call("leases.acquire", { body: { paths: ["src/*/orders.ts"], wait: "60s" } });
    const stuck = page.locator('[data-trouble="waiting"]');
    await stuck.getByText("held by ada").waitFor();
    expect(await text(page, "[data-instance]")).toMatch(
      /bob[\s\S]*Waits for src\/\*\/orders\.ts, held by ada/,
    );
    expect(await text(page, `[data-instance="${ada.id}"]`)).toContain("src/api/**");
    expect(await text(page, ".summary")).toContain("1 blocked");

    await ada.client.call("events.publish", { body: { topic: "api.changed" } });
    await ada.client.call("state.put", { params: { key: "plan/a" }, body: "1" });
    const card = page.locator(`[data-instance="${ada.id}"]`);
    await card.getByText("api.changed").waitFor();
    await card.getByText("plan/a v1").waitFor();
    for (const part of ["shop · go", "paging", "active"]) expect(await card.innerText()).toContain(part);

    // A person steps in.
    await page.getByRole("link", { name: "Leases" }).click();
    await page.locator(`[data-lease="${id}"]`).getByText("bob").waitFor();
    await page.getByRole("button", { name: "Release src/api/** of ada" }).click();
    await page.getByRole("dialog").getByText("The lease ends now, and bob is next.").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Release" }).click();
    const held = await waiting;
    await page.locator(`[data-lease="${held.id}"][data-state="held"]`).waitFor();
    await page.locator(`[data-lease="${id}"]`).waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Now", exact: true }).click();
    await stuck.waitFor({ state: "detached" });
    await bob.client.call("leases.release", { params: { id: held.id } });
  });

  test("tells those who are blocked from those who are silent", async () => {
    const { page } = await desk.open("/connect");
    await page.clock.install();
    await page.goto(`${desk.server.dashboardUrl}/`);
    const holder = await desk.agent("holder");
    const waiter = await desk.agent("waiter");
    const { id } = await holder.client.call("leases.acquire", { body: { resource: "told-apart" } });
    const over = new AbortController();
    const body = { resource: "told-apart", wait: "60s" };
    waiter.client.call("leases.acquire", { body, signal: over.signal }).catch(() => {});
    await page.locator('[data-trouble="waiting"]').waitFor();
    // In steps that are no sleep of the machine.
    for (let step = 0; step < 2; step++) await page.clock.fastForward(80_000);
    const silent = page.locator(`[data-instance="${holder.id}"][data-trouble="silent"]`);
    await silent.getByText(/^silent/).waitFor();
    expect(await text(page, ".summary")).toMatch(/1 blocked, \d+ silent/);

    // Where a lease is ended by hand the page says whose holder is not heard of.
    await page.getByRole("link", { name: "Leases" }).click();
    const row = page.locator(`[data-lease="${id}"]`);
    await row.locator("[data-silent]", { hasText: "silent for 2 min" }).waitFor();
    await row.getByRole("button", { name: "Release" }).click();
    await page.getByRole("dialog").getByText("It was last heard of 2 min ago.").waitFor();
    over.abort();
    await holder.client.call("leases.release", { params: { id } });
  });

  test("counts waiting from the first attempt, and tells who was refused and does nothing", async () => {
    const { page } = await desk.open("/");
    const holder = await desk.agent("has-it");
    const { id } = await holder.client.call("leases.acquire", { body: { paths: ["asked/**"] } });
    const bob = await desk.agent("asks-again");
    const ask = (wait: string, signal?: AbortSignal) =>
      bob.client.call("leases.acquire", { body: { paths: ["asked/**"], wait }, signal }).catch(() => {});
    await ask("0s");
    // No stream tells of what was refused: the next change has a number that is not the next one.
    await desk.put("asked", "1");
    const card = page.locator(`[data-instance="${bob.id}"]`);
    await card.getByText("Was refused asked/**, held by has-it").waitFor();
    await ask("0s");
    await desk.put("asked", "2");
    await card.getByText(/refused 2 times since \d/).waitFor();
    const over = new AbortController();
    void ask("60s", over.signal);
    await card.getByText("Waits for asked/**, held by has-it").waitFor();
    await card.getByText(/has waited .* \(refused 2 times since \d/).waitFor();
    await page.getByRole("link", { name: "Leases" }).click();
    await page
      .locator('[data-state="waiting"]', { hasText: "asks-again" })
      .getByText("refused 2 times")
      .waitFor();
    await holder.client.call("leases.release", { params: { id } });
    over.abort();
  });

  test("says in the menu of every view how many rules wait for a person", async () => {
    const { page } = await desk.open("/state");
    const ada = await desk.agent("proposer");
    const rule = { project: "menu", rule_id: "no-any", pattern: "any", message: "Say which." };
    await ada.client.call("rules.propose", { body: rule });
    const todo = page.locator("nav .todo");
    await todo.getByText("1").waitFor();
    // Rather than rejected: other tests count those.
    await ada.client.call("rules.delete", { params: { project: "menu", rule_id: "no-any" } });
    await todo.waitFor({ state: "detached" });
  });

  test("leads from what is on a card to it, and marks it there", async () => {
    const ada = await desk.agent("linked");
    const bob = await desk.agent("behind");
    const topic = "odd.*[topic],";
    await ada.client.call("events.publish", { body: { topic, data: { first: true } } });
    await ada.client.call("state.put", { params: { key: "linked/to" }, body: "1" });
    const { id } = await ada.client.call("leases.acquire", { body: { paths: ["linked/**"] } });
    for (let index = 0; index < 40; index++)
      await bob.client.call("leases.acquire", { body: { resource: `many ${index}` } });
    const over = new AbortController();
    const body = { paths: ["linked/a"], wait: "60s" };
    bob.client.call("leases.acquire", { body, signal: over.signal }).catch(() => {});

    const { page } = await desk.open("/");
    await page.setViewportSize({ width: 380, height: 700 });
    const card = page.locator(`[data-instance="${ada.id}"]`);
    await card.getByRole("link", { name: topic }).click();
    await page.locator("[data-event]", { hasText: topic }).waitFor();
    expect(await page.locator("[data-event]").count()).toBe(1);
    await page.goBack();
    await card.getByRole("link", { name: "linked/to v1" }).click();
    await page.locator('[data-document="linked/to"]').waitFor();
    await page.goBack();
    const marked = page.locator("[data-marked]");
    await page.locator('[data-trouble="waiting"]').getByRole("link", { name: "linked", exact: true }).click();
    await page.locator(`[data-lease="${id}"][data-marked][aria-current]`).waitFor();
    await page.waitForFunction(() => {
      const { top, bottom } = document.querySelector("[data-marked]")!.getBoundingClientRect();
      return top >= 0 && bottom <= innerHeight;
    });
    await marked.getByRole("link", { name: "behind" }).click();
    await page.locator('[data-state="waiting"][data-marked]').waitFor();
    await marked.getByRole("link", { name: "behind", exact: true }).click();
    await page.locator(`[data-instance="${bob.id}"][data-marked]`).waitFor();
    expect(await marked.count()).toBe(1);
    over.abort();
    await page.goto(`${desk.server.dashboardUrl}/leases?lease=${id}`);
    await marked.waitFor();
    await ada.client.call("leases.release", { params: { id } });
    await page.getByText("The lease that you came for has ended").waitFor();
    await desk.client.call("instances.delete", { params: { id: bob.id } });
  });

  test("draws who waits and who was refused among what was done, and says what each mark is", async () => {
    const ada = await desk.agent("drawn");
    const bob = await desk.agent("drawn too");
    const { id } = await ada.client.call("leases.acquire", { body: { paths: ["drawn/**"] } });
    const { page } = await desk.open("/");
    await live(page);
    await page.locator(".timeline-names li", { hasText: /^drawn:/ }).waitFor();
    const line = (name: string) => page.locator(".timeline-names li", { hasText: `${name}:` });
    const waiting = bob.client.call("leases.acquire", { body: { paths: ["drawn/b"], wait: "60s" } });
    await line("drawn too").getByText("1 wait,").waitFor();
    const plot = page.locator(".timeline-plot");
    const point = async () => {
      const box = (await plot.boundingBox())!;
      const row = (await line("drawn too").boundingBox())!;
      await page.mouse.move(box.x + box.width - 2, row.y + row.height / 2);
    };
    await plot.scrollIntoViewIfNeeded();
    await point();
    await page.locator(".tip", { hasText: "waits for drawn/b, behind drawn" }).waitFor();
    expect(await page.locator("path.wait").count()).toBeGreaterThan(0);
    await ada.client.call("leases.release", { params: { id } });
    const held = await waiting;
    await page.locator(".tip", { hasText: "waited for drawn/b, behind drawn, and got it" }).waitFor();

    const body = { paths: ["drawn/b"] };
    await expect(ada.client.call("leases.acquire", { body })).rejects.toThrow("held by");
    await ada.client.call("state.put", { params: { key: "drawn" }, body: "1" });
    await line("drawn").first().getByText("1 refused").waitFor();
    expect(await page.locator(".legend span").allInnerTexts()).toEqual([
      "published an event",
      "wrote something",
      "holds a lease",
      "waits for a lease",
      "was refused",
    ]);
    await bob.client.call("leases.release", { params: { id: held.id } });
  });

  test("says since when it has events, where it has not all of them", async () => {
    const keeper = await openDesk();
    try {
      const { client } = await keeper.agent("forgetful");
      const steps = Array.from({ length: 60 }, () => ({ publish: { topic: "t" } }));
      for (let round = 0; round < 20; round++) await client.call("txn.commit", { body: { do: steps } });
      const { page } = await keeper.open("/");
      await page.getByText(/^Of events the newest 1,000 are here, since \d/).waitFor();
    } finally {
      await keeper.close();
    }
  });
});

describe("What named no instance", () => {
  test("is called unidentified wherever it is shown, and found in the audit by that word", async () => {
    await desk.put("by-nobody", "1");
    const { id } = await desk.publish("by.nobody");
    const { page } = await desk.open("/state/by-nobody");
    await page.locator(".facts", { hasText: "by unidentified" }).waitFor();
    await page.getByRole("tab", { name: "History (1)" }).click();
    await page.locator('[data-version="1"]', { hasText: "unidentified" }).waitFor();
    await page.goto(`${desk.server.dashboardUrl}/events`);
    await page.locator(`[data-event="${id}"]`, { hasText: "unidentified" }).click();
    await page.locator(`[data-payload="${id}"]`, { hasText: "by unidentified" }).waitFor();
    await page.goto(`${desk.server.dashboardUrl}/audit?actor=unidentified&resource=by-nobody`);
    await page.locator("[data-audit]", { hasText: "unidentified" }).waitFor();
    await page.goto(`${desk.server.dashboardUrl}/state/by-nobody`);
    await page.locator(".facts").getByRole("link", { name: "unidentified" }).click();
    await page.getByText("by koor-cli and curl its own token says who it is").waitFor();
  });
});

describe("State", () => {
  test("is a tree of keys, searched as one types, that others' writes change", async () => {
    for (const key of ["tree/a/1", "tree/a/2", "tree/b"]) await desk.put(key, "1");
    const { page } = await desk.open("/state");
    await page.locator('[data-key="tree/a/1"]').waitFor();
    await page.locator('[data-branch="tree/a/"]').click();
    await page.locator('[data-key="tree/a/1"]').waitFor({ state: "detached" });
    await desk.put("tree/c", "1");
    await page.locator('[data-key="tree/c"]').waitFor();
    await desk.put("tree/c", "2");
    await page.locator('[data-key="tree/c"]').getByText("v2").waitFor();
    await desk.client.call("state.delete", { params: { key: "tree/c" } });
    await page.locator('[data-key="tree/c"]').waitFor({ state: "detached" });
    await page.keyboard.press("/");
    await page.keyboard.type("a/2");
    await page.locator('[data-key="tree/b"]').waitFor({ state: "detached" });
    expect(await page.locator("[data-key]").count()).toBe(1);
    await page.locator('[data-key="tree/a/2"]').click();
    await page.locator('[data-document="tree/a/2"]').waitFor();
    expect(new URL(page.url()).pathname).toBe("/state/tree/a/2");
  });

  test("shows each value as what it is, with every digit", async () => {
    await desk.put("kinds/json", '{"big":12345678901234567890,"f":1.0,"deep":{"a":[1,{"b":"c"}]}}');
    await desk.put("kinds/page.md", "# Title\n\n- **bold** [link](https://example.com/)\n", "text/markdown");
    await desk.put("kinds/log", "a\n  b", "text/plain");
    await desk.put("kinds/bytes", new Uint8Array([0, 1, 2, 255, 75]), "application/octet-stream");
    await desk.put(
      "kinds/dot.svg",
      '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>',
      "image/svg+xml",
    );
    const { page, faults } = await desk.open("/state/kinds/json");
    await page.getByText("12345678901234567890").waitFor();
    expect(await text(page, ".json")).toContain('"f": 1.0');
    await page.goto(`${desk.server.dashboardUrl}/state/kinds/page.md`);
    await page.getByRole("heading", { name: "Title" }).waitFor();
    expect(await page.locator(".markdown strong").innerText()).toBe("bold");
    await page.goto(`${desk.server.dashboardUrl}/state/kinds/log`);
    await page.locator("pre.value").waitFor();
    expect(await text(page, "pre.value")).toBe("a\n  b");
    await page.goto(`${desk.server.dashboardUrl}/state/kinds/bytes`);
    await page.getByText("00 01 02 ff 4b").waitFor();
    await page.goto(`${desk.server.dashboardUrl}/state/kinds/dot.svg`);
    const image = page.locator("img.picture");
    await image.waitFor();
    expect(await image.evaluate((element) => (element as HTMLImageElement).naturalWidth)).toBe(8);
    expect(faults).toEqual([]);
  });

  test("compares any two versions, and undoes a bad write", async () => {
    for (const n of [1, 2, 3]) await desk.put("undo", JSON.stringify({ n, same: true }));
    const { page } = await desk.open("/state/undo");
    await page.getByRole("tab", { name: "History (3)" }).click();
    await page.getByRole("columnheader", { name: "Version 2" }).waitFor();
    await page.getByLabel("Compare version").selectOption("1");
    await page.getByRole("columnheader", { name: "Version 1" }).waitFor();
    await page.locator(".removed.line", { hasText: '"n": 1' }).waitFor();
    expect(await text(page, ".added.line")).toContain('"n": 3');
    await page.getByRole("button", { name: "Roll back to version 2" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Roll back to 2" }).click();
    await page.locator(".facts", { hasText: "version 4" }).waitFor();
    expect(await page.locator(".facts").innerText()).toContain("by dashboard");
    const { bytes } = await desk.client.call("state.get", { params: { key: "undo" }, query: {} });
    expect(new TextDecoder().decode(bytes as Uint8Array)).toBe('{"n":2,"same":true}');
    // What is compared now is what the way back has changed.
    await page.getByRole("columnheader", { name: "Version 4" }).waitFor();
    await page.locator(".added.line", { hasText: '"n": 2' }).waitFor();

    // What somebody writes while the question is open is not buried by the answer.
    await page.getByRole("button", { name: "Roll back to version 1" }).click();
    await desk.put("undo", "meanwhile");
    await page.getByRole("dialog").getByRole("button", { name: "Roll back to 1" }).click();
    await page.getByRole("dialog").getByText("Somebody has changed it meanwhile").waitFor();
    await page.keyboard.press("Escape");
    expect(await (await fetch(`${desk.server.url}/api/state/undo`)).text()).toBe("meanwhile");

    // What is deleted is what the page shows.
    await page.locator(".facts", { hasText: "version 5" }).waitFor();
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.locator(".facts", { hasText: "deleted" }).waitFor();
    await page.getByRole("button", { name: "Roll back to version 4" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Roll back to 4" }).click();
    await page.locator(".facts", { hasText: "version 7" }).waitFor();
  });

  test("unfolds what is the same in two long texts a part at a time", async () => {
    const lines = (last: string) => `${"the same\n".repeat(5000)}${last}\n`;
    await desk.put("folded", lines("a"), "text/plain");
    await desk.put("folded", lines("b"), "text/plain");
    const { page } = await desk.open("/state/folded");
    await page.getByRole("tab", { name: "History (2)" }).click();
    await page.getByRole("button", { name: "4,997 lines the same" }).click();
    await page.getByRole("button", { name: "3,997 lines the same" }).waitFor();
    expect(await page.locator(".diff tr").count()).toBeLessThan(1100);
  });

  test("an edit that somebody came in between is shown with both sides, and loses nothing", async () => {
    await desk.put("edited", '{"a":1}');
    const { page } = await desk.open("/state/edited");
    await page.getByRole("button", { name: "Edit" }).click();
    const field = page.getByRole("dialog").locator("textarea");
    await field.fill('{"a":"mine"}');
    await desk.put("edited", '{"a":"theirs"}');
    await page.getByRole("button", { name: "Save" }).click();
    const conflict = page.getByRole("alert", { name: "Conflict" });
    await conflict.getByText(/unidentified wrote version 2 meanwhile \(.+\)\./).waitFor();
    expect(await conflict.innerText()).toMatch(/theirs[\s\S]*mine/);
    const read = async () => {
      const { bytes } = await desk.client.call("state.get", { params: { key: "edited" }, query: {} });
      return new TextDecoder().decode(bytes as Uint8Array);
    };
    expect(await read()).toBe('{"a":"theirs"}');
    await page.getByRole("button", { name: "Write mine over version 2" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.locator(".facts", { hasText: "version 3" }).waitFor();
    expect(await read()).toBe('{"a":"mine"}');

    await page.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("Key", { exact: true }).fill("edited");
    await page.getByRole("dialog").locator("textarea").fill("1");
    await page.getByRole("button", { name: "Write" }).click();
    await page.getByText("This key is there already").waitFor();
    expect(await read()).toBe('{"a":"mine"}');
  });

  test("leads from a search to the keys that were deleted", async () => {
    for (const key of ["lost/Found/1", "lost/found/2", "lost/again"]) await desk.put(key, "1");
    for (const key of ["lost/Found/1", "lost/again"])
      await desk.client.call("state.delete", { params: { key } });
    await desk.put("lost/again", "2");
    const { page } = await desk.open("/state");
    await page.getByLabel("Search keys").fill("found lost/f");
    await page.locator('[data-key="lost/found/2"]').waitFor();
    const href = await page.getByRole("link", { name: "the audit" }).getAttribute("href");
    expect(href).toBe("/audit?action=%22state.delete%22&resource=lost%2Ff");
    // What is there again is not among them.
    await desk.client.call("state.delete", { params: { key: "lost/found/2" } });
    await page.locator('[data-deleted="lost/found/2"]').waitFor();
    expect(await page.locator("[data-deleted]").allInnerTexts()).toEqual([
      expect.stringMatching(/^lost\/found\/2 deleted by unidentified .+$/),
      expect.stringMatching(/^lost\/Found\/1 deleted by unidentified .+$/),
    ]);
    await page.locator("[data-deleted]").getByRole("link", { name: "lost/Found/1" }).click();
    await page.locator('[data-document="lost/Found/1"]', { hasText: "It was deleted" }).waitFor();
  });

  test("has names below each other, of branches and of keys, and says of each by whom it was written", async () => {
    for (const key of ["aligned/branch/leaf", "aligned/leaf"]) await desk.put(key, "1");
    const { page } = await desk.open("/state");
    await page.getByLabel("Search keys").fill("aligned/");
    const start = (row: string) =>
      page.locator(`${row} .tree-name`).evaluate((name) => {
        const range = document.createRange();
        range.selectNodeContents(name);
        return range.getBoundingClientRect().x;
      });
    const leaf = page.locator('[data-key="aligned/leaf"]');
    await leaf.getByTitle("Changed by unidentified").waitFor();
    expect(await start('[data-key="aligned/leaf"]')).toBe(await start('[data-branch="aligned/branch/"]'));
  });

  test("counts what a search finds, and goes there by Enter or into the list by the arrow keys", async () => {
    for (const key of ["sought/branch/deep", "sought/a"]) await desk.put(key, "1");
    const { page } = await desk.open("/state");
    await page.locator(".summary", { hasText: /^[\d,]+ keys$/ }).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("SOUGHT/");
    await page.locator(".summary", { hasText: /^2 of [\d,]+ keys$/ }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.locator('[data-branch="sought/"][data-cursor]').waitFor();
    await page.keyboard.press("ArrowDown");
    await page.locator('[data-branch="sought/branch/"][data-cursor]').waitFor();
    await page.keyboard.press("/");
    await page.keyboard.press("Enter");
    await page.locator('[data-document="sought/branch/deep"]').waitFor();
    expect(new URL(page.url()).pathname).toBe("/state/sought/branch/deep");

    // After the number of a view, too.
    await desk.publish("sought.event");
    await page.keyboard.press("Escape");
    for (const [key, view, row] of [
      ["2", "state", "[data-branch]"],
      ["5", "events", "[data-event]"],
      ["8", "audit", "[data-audit]"],
    ] as const) {
      await page.keyboard.press(key);
      await page.locator(`main[data-view="${view}"] ${row}`).first().waitFor();
      await page.keyboard.press("ArrowDown");
      await page.locator(`main[data-view="${view}"] ${row}[data-cursor]`).waitFor();
    }
  });

  test("shows an old version by itself, which the address holds, and says whose it is before it comes back", async () => {
    const ada = await desk.agent("first-writer");
    await ada.client.call("state.put", { params: { key: "versions/old" }, body: '{"n":"one"}' });
    await desk.put("versions/old", '{"n":"two"}');
    const { page } = await desk.open("/state/versions/old");
    await page.getByRole("tab", { name: "History (2)" }).click();
    await page.waitForURL("**/state/versions/old?tab=history");
    await page.getByRole("link", { name: "Value of version 1" }).click();
    await page.waitForURL("**/state/versions/old?tab=history&version=1");
    const alone = page.getByRole("region", { name: "Version 1" });
    await alone.locator(".json", { hasText: '"one"' }).waitFor();
    await alone.getByText("written by first-writer").waitFor();
    await page.reload();
    await alone.locator(".json", { hasText: '"one"' }).waitFor();
    await page.getByRole("link", { name: "Compare versions" }).click();
    await page.getByRole("columnheader", { name: "Version 1" }).waitFor();
    await page.goBack();
    await alone.waitFor();
    await page.getByRole("button", { name: "Roll back to version 1" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText(/The value of version 1, which first-writer wrote \(.+\)/).waitFor();
    await dialog.getByRole("button", { name: "Roll back to 1" }).click();
    await page.locator(".facts", { hasText: "version 3" }).waitFor();
    await page.getByRole("columnheader", { name: "Version 3" }).waitFor();
    await page.getByRole("tab", { name: "Value" }).click();
    await page.waitForURL("**/state/versions/old");
    await page.locator('[data-document="versions/old"] .json', { hasText: '"one"' }).waitFor();
  });

  test("says in the narrowest window, too, which line of a difference is of which version", async () => {
    for (const n of [1, 2]) await desk.put("differs", JSON.stringify({ n }));
    const { page } = await desk.open("/state/differs?tab=history", { viewport: { width: 380, height: 800 } });
    await page.locator(".diff thead").getByText("- Version 1", { exact: true }).waitFor();
    await page.locator(".diff thead").getByText("+ Version 2", { exact: true }).waitFor();
    expect(await text(page, ".removed.line")).toMatch(/^-\s*removed:\s*"n": 1$/);
    expect(await text(page, ".added.line")).toMatch(/^\+\s*added:\s*"n": 2$/);
  });
});

describe("What a person types", () => {
  const open = async (key: string, value: string, type?: string) => {
    await desk.put(key, value, type);
    const { page } = await desk.open(`/state/${key}`);
    await page.getByRole("button", { name: "Edit" }).click();
    return { page, dialog: page.getByRole("dialog"), field: page.getByRole("dialog").locator("textarea") };
  };
  const read = async (key: string) => {
    const { bytes } = await desk.client.call("state.get", { params: { key }, query: {} });
    return new TextDecoder().decode(bytes as Uint8Array);
  };

  test("is not lost by Escape, nor by a pointer that was let go beside the window", async () => {
    const { page, dialog, field } = await open("typed", "one", "text/plain");
    await field.fill("one\ntwo");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await dialog.getByText("What you typed is not saved.").waitFor();
    await dialog.getByRole("button", { name: "Go on" }).click();
    const box = (await field.boundingBox())!;
    await page.mouse.move(box.x + 20, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(5, 5);
    await page.mouse.up();
    expect(await field.inputValue()).toBe("one\ntwo");
    expect(await dialog.getByText("What you typed is not saved.").count()).toBe(0);
    await page.mouse.click(5, 5);
    await dialog.getByRole("button", { name: "Discard it" }).click();
    await dialog.waitFor({ state: "detached" });
    // Where nothing was typed nothing is asked.
    await page.getByRole("button", { name: "Edit" }).click();
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  });

  test("keeps the ends of its lines, and can be written anew where somebody has deleted the key meanwhile", async () => {
    const { page, field } = await open("windows", "a\r\nb\r\n", "text/plain");
    await field.fill("a\nb\nc\n");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator(".facts", { hasText: "version 2" }).waitFor();
    expect(await read("windows")).toBe("a\r\nb\r\nc\r\n");

    await page.getByRole("button", { name: "Edit" }).click();
    await field.fill("mine");
    await desk.client.call("state.delete", { params: { key: "windows" } });
    await page.getByRole("button", { name: "Save" }).click();
    await page
      .getByRole("alert", { name: "Conflict" })
      .getByText("unidentified deleted it meanwhile")
      .waitFor();
    await page.getByRole("button", { name: "Write mine anew" }).click();
    await page.locator(".facts", { hasText: "version 4" }).waitFor();
    expect(await read("windows")).toBe("mine");
  });

  test("deletes what was seen, and not what came in between", async () => {
    await desk.put("to-delete", '"old"');
    const { page } = await desk.open("/state/to-delete");
    await page.getByRole("button", { name: "Delete" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Delete to-delete, version 1").waitFor();
    await desk.put("to-delete", '"new"');
    await dialog.getByRole("button", { name: "Delete" }).click();
    await dialog.getByRole("alert").getByText("Somebody has changed it meanwhile").waitFor();
    expect(await read("to-delete")).toBe('"new"');
  });

  test("an address that somebody sends is no option of a command that is shown", async () => {
    const { page } = await desk.open("/state/--server=http%3A%2F%2Fevil.example");
    await page.getByText("Nothing was ever written here.").waitFor();
    expect(await page.locator(".command").count()).toBe(0);
  });

  test("is told at once, while it is being typed, that somebody else has written, and may be given up", async () => {
    const ada = await desk.agent("overtaker");
    const { page, dialog, field } = await open("overtaken", "one", "text/plain");
    await live(page);
    await field.fill("mine");
    await ada.client.call("state.put", { params: { key: "overtaken" }, body: "theirs" });
    const notice = dialog.getByRole("status");
    await notice
      .getByText(/^overtaker wrote version 2 meanwhile \(.*\); when you save, both are shown\.$/)
      .waitFor();
    expect(await field.inputValue()).toBe("mine");
    await dialog.getByRole("button", { name: "Save" }).click();
    const conflict = page.getByRole("alert", { name: "Conflict" });
    await conflict.getByText(/overtaker wrote version 2 meanwhile \(.*\)/).waitFor();
    await notice.getByText("meanwhile").waitFor({ state: "detached" });
    await ada.client.call("state.delete", { params: { key: "overtaken" } });
    await notice.getByText(/^overtaker deleted it meanwhile/).waitFor();

    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.getByText("What you typed is not saved.").waitFor();
    await dialog.getByRole("button", { name: "Go on" }).click();
    expect(await field.inputValue()).toBe("mine");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.getByRole("button", { name: "Discard it" }).click();
    await dialog.waitFor({ state: "detached" });
    await page.locator(".facts", { hasText: "deleted by overtaker" }).waitFor();
  });
});

describe("Events", () => {
  test("come live, pause without loss, and go by a pattern that the address holds", async () => {
    const { page, asked } = await desk.open("/events");
    await live(page);
    const { id } = await desk.publish("build.web.failed", { big: 1 });
    await page.locator(`[data-event="${id}"]`).waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    for (let index = 0; index < 30; index++) await desk.publish("build.web.passed", { index });
    await page.getByText("30 events since then").waitFor();
    expect(await text(page, "[data-event] .topic")).toBe("build.web.failed");
    await page.getByRole("button", { name: "Resume" }).click();
    await page.locator(`[data-event="${id + 30}"]`).waitFor();
    const filter = page.getByLabel("Filter by topic");
    await filter.fill("build.*.failed");
    await page.locator(`[data-event="${id + 30}"]`).waitFor({ state: "detached" });
    expect(new URL(page.url()).search).toBe("?pattern=build.*.failed");
    await page.locator(`[data-event="${id}"]`).waitFor();
    const other = await desk.publish("build.ios.failed");
    await desk.publish("build.ios.passed");
    await page.locator(`[data-event="${other.id}"]`).waitFor();
    expect(await page.locator(".event .topic").allInnerTexts()).toEqual([
      "build.ios.failed",
      "build.web.failed",
    ]);
    // What failed has a mark, and says so to those who do not see it.
    expect(await page.locator(`[data-event="${other.id}"]`).getAttribute("data-level")).toBe("failure");
    expect(await text(page, `[data-event="${other.id}"]`)).toContain("failure");
    await filter.fill("[");
    await page.getByRole("alert", { name: "" }).filter({ hasText: "malformed" }).waitFor();
    await filter.fill("web.pas");
    await page.locator(`[data-event="${id + 30}"]`).waitFor();
    expect(await page.locator("[data-level]").count()).toBe(0);
    expect(new URL(page.url()).search).toBe("?pattern=web.pas");
    expect(asked.filter((url) => url.startsWith("ws://"))).toHaveLength(4);
  });

  test("show their data whole, of a time in the past too, and are published by a person as `dashboard`", async () => {
    await desk.client.send("events.publish", {
      rawBody: '{"topic":"exact","data":{"big":12345678901234567890,"f":1.0}}',
    });
    const long = await desk.publish("long", { text: "x".repeat(50_000), last: "the end" });
    const { page } = await desk.open("/events");
    await page.locator(".event", { hasText: "exact" }).click();
    await page.locator("[data-payload]", { hasText: "12345678901234567890" }).waitFor();
    expect(await text(page, "[data-payload]")).toContain("1.0");
    await page.locator(`[data-event="${long.id}"]`).click();
    await page.locator("[data-payload]", { hasText: "the end" }).waitFor();

    await page.getByRole("button", { name: "Publish" }).click();
    await page.getByLabel("Topic", { exact: true }).fill("by.hand");
    await page.getByLabel("Data (JSON, or nothing)").fill('{"n":12345678901234567890}');
    await page.getByRole("dialog").getByRole("button", { name: "Publish" }).click();
    await page.locator(".event", { hasText: "by.hand" }).waitFor();
    const [event] = await desk.client.call("events.history", { query: { last: "1" } });
    expect(event).toMatchObject({ topic: "by.hand", source: "dashboard" });

    const to = new Date(Date.parse(event?.created_at ?? "") - 1).toISOString();
    await page.goto(`${desk.server.dashboardUrl}/events?to=${to}`);
    await page.locator(`[data-event="${long.id}"]`).waitFor();
    expect(await page.locator(".event", { hasText: "by.hand" }).count()).toBe(0);
    // A time in the past is told by the clock.
    expect(await text(page, `[data-event="${long.id}"] time`)).toMatch(/\d:\d\d:\d\d/);
    await page.getByRole("button", { name: "Clear range" }).click();
    await page.locator(".event", { hasText: "by.hand" }).waitFor();
    expect(await text(page, `[data-event="${long.id}"] time`)).toMatch(/ago|now/);
  });

  test("of the last minutes are a click away, go on, and say in which time zone", async () => {
    const { page } = await desk.open("/events", { timezoneId: "Asia/Kolkata" });
    const { id } = await desk.publish("just.now");
    await page.getByRole("button", { name: "Time range" }).click();
    await page.getByText("Your time zone: Asia/Calcutta, UTC+05:30.").waitFor();
    await page.getByRole("button", { name: "Last 5 minutes" }).click();
    await page.locator(`[data-event="${id}"]`).waitFor();
    const from = Date.parse(new URL(page.url()).searchParams.get("from") ?? "");
    expect(Date.now() - from).toBeWithin(290_000, 360_000);
    await page.getByRole("button", { name: /^since / }).waitFor();
    const later = await desk.publish("later");
    await page.locator(`[data-event="${later.id}"]`).waitFor();
  });

  test("that a person publishes are told of where the list does not show them", async () => {
    const { page } = await desk.open("/events");
    await live(page);
    const { id } = await desk.publish("before.pausing");
    await page.locator(`[data-event="${id}"]`).waitFor();
    const publish = async (topic: string) => {
      await page.getByRole("button", { name: "Publish" }).click();
      await page.getByLabel("Topic", { exact: true }).fill(topic);
      await page.getByRole("dialog").getByRole("button", { name: "Publish" }).click();
    };
    await page.getByRole("button", { name: "Pause" }).click();
    await publish("while.paused");
    await page.getByText(`Published as event ${id + 1}. It is shown when you resume.`).waitFor();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.locator(`[data-event="${id + 1}"]`).waitFor();
    await page.getByText("Published as event").waitFor({ state: "detached" });
    await page.getByLabel("Filter by topic").fill("before.pausing");
    await page.locator(`[data-event="${id + 1}"]`).waitFor({ state: "detached" });
    await publish("of.another.topic");
    await page.getByText(`Published as event ${id + 2}. It is not in this list`).waitFor();
  });

  test("of which nobody knows whether they were published, as the server does not answer, say so", async () => {
    const { page } = await desk.open("/events");
    await live(page);
    await page.getByRole("button", { name: "Publish" }).click();
    await page.getByLabel("Topic", { exact: true }).fill("lost.answer");
    await page.context().setOffline(true);
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Publish" }).click();
    await dialog.getByRole("alert").getByText("it may have been done all the same").waitFor();
    expect(await dialog.innerText()).not.toContain("KOOR_SERVER");
  });

  test("are filtered by who published them, and a name that is no topic leads to where it is one", async () => {
    const ada = await desk.agent("ada-of-events");
    const bob = await desk.agent("bob-of-events");
    const say = (agent: typeof ada, topic: string) =>
      agent.client.call("events.publish", { body: { topic } });
    const { id } = await say(ada, "said.early");
    await say(bob, "said.early");
    const { page } = await desk.open("/events");
    await page.getByLabel("Filter by topic").fill("bob-of-events");
    await page.getByText("No event matches.").waitFor();
    const audit = page.getByRole("link", { name: "audit of bob-of-events" });
    expect(await audit.getAttribute("href")).toBe("/audit?actor=bob-of-events");
    await page.getByLabel("Filter by topic").fill("");
    await page.getByLabel("Filter by agent").fill("ada-of-events");
    const topics = page.locator(".event .topic");
    await page.getByText("newest 1 event, live").waitFor();
    expect(await topics.allInnerTexts()).toEqual(["said.early"]);
    await say(bob, "said.late");
    const later = await say(ada, "said.late");
    await page.locator(`[data-event="${later.id}"]`).waitFor();
    expect(await topics.allInnerTexts()).toEqual(["said.late", "said.early"]);
    await page.getByLabel("Filter by topic").fill("early");
    await page.locator(`[data-event="${later.id}"]`).waitFor({ state: "detached" });
    await page.locator(`[data-event="${id}"]`).waitFor();
    expect(new URL(page.url()).search).toBe("?source=ada-of-events&pattern=early");
  });

  test("beside an open one their names stand in line, whatever their ages say", async () => {
    const { page } = await desk.open("/events", { viewport: { width: 1440, height: 900 } });
    await live(page);
    const older = await desk.publish("in.line");
    const row = (id: number) => page.locator(`[data-event="${id}"]`);
    await row(older.id).click();
    await page.locator(`[data-payload="${older.id}"]`).waitFor();
    await row(older.id).getByText("s ago").waitFor();
    const newer = await desk.publish("in.line");
    await row(newer.id).waitFor();
    const edges = await page
      .locator(".event .source")
      .evaluateAll((all) => all.map((one) => one.getBoundingClientRect().x));
    expect(new Set(edges).size).toBe(1);
  });
});

describe("Specs and rules", () => {
  test("a contract shows its endpoints, and what breaks between versions", async () => {
    const contract = (request: object) =>
      JSON.stringify({ kind: "contract", version: 1, endpoints: { "POST /orders": { request } } });
    const params = { project: "shop", name: "orders" };
    await desk.client.call("specs.put", { params, body: contract({ id: { type: "string" } }) });
    await desk.client.call("specs.put", {
      params,
      body: contract({ id: { type: "number", required: true } }),
    });
    const { page } = await desk.open("/specs");
    await page.locator('[data-spec="shop/orders"]').click();
    await page.getByRole("tab", { name: "Contract" }).click();
    await page.getByText("/orders", { exact: true }).waitFor();
    await page.getByRole("tab", { name: "What breaks" }).click();
    await page.locator(".changes li").first().waitFor();
    expect(await text(page, ".verdict")).toMatch(/^\d breaking/);
  });

  test("a proposed rule is accepted by hand, and the playground marks the lines that break it", async () => {
    const ada = await desk.agent("rule-finder");
    await ada.client.call("rules.propose", {
      body: {
        project: "shop",
        rule_id: "no-sleep",
        pattern: "sleep\\(",
        message: "Wait for what you need.",
        applies_to: ["*.ts", "*.js"],
      },
    });
    const { page } = await desk.open("/rules");
    const row = page.locator('[data-rule="shop/no-sleep"]');
    await row.waitFor();
    expect(await row.innerText()).toContain("rule-finder");
    await page.getByLabel("Project").selectOption("shop");
    await page.getByLabel("Text to check").fill("one\nsleep(5)\nthree");
    await page.getByText("No violations").waitFor();
    await page.getByRole("button", { name: "Accept no-sleep" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Accept" }).click();
    await page.locator('[data-rule="shop/no-sleep"][data-status="accepted"]').waitFor();
    await page.getByText("1 violation").waitFor();
    expect(await text(page, "[data-broken]")).toMatch(/sleep\(5\)\s+no-sleep Wait for what you need\./);
    expect(await page.locator("[data-broken]").getAttribute("data-line")).toBe("2");
    await page.getByText("1 rule asked, and the files that each one checks").click();
    expect(await page.locator(".asked li").innerText()).toBe("no-sleep *.ts, *.js");
    // As pasting does it; typing so many lines takes a browser ten seconds.
    await page.getByLabel("Text to check").evaluate((field) => {
      (field as HTMLTextAreaElement).value = "one\n".repeat(1500);
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await page.getByText("The first 1,000 of 1,500 lines are shown").waitFor();
  });

  test("a rule is decided on with all of it in sight, and what was decided can be changed", async () => {
    const ada = await desk.agent("rule-maker");
    const proposal = {
      project: "decided",
      rule_id: "no-var",
      pattern: "^var ",
      message: "Use const.",
      applies_to: ["*.ts", "*.mts"],
      severity: "warning" as const,
      context: "three reviews said so",
    };
    await ada.client.call("rules.propose", { body: proposal });
    const { page } = await desk.open("/rules");
    const dialog = page.getByRole("dialog");
    const inStatus = (status: string) =>
      page.locator(`[data-rule="decided/no-var"][data-status="${status}"]`);
    await inStatus("proposed").getByText("*.ts, *.mts").waitFor();
    await page.getByRole("button", { name: "Reject no-var" }).click();
    for (const fact of ["^var ", "*.ts, *.mts", "warning", "Use const.", "by rule-maker", "three reviews"])
      await dialog.locator("dd", { hasText: fact }).waitFor();
    await dialog.getByRole("button", { name: "Reject" }).click();

    await page.getByText("1 rejected rule, which can still be accepted").click();
    await inStatus("rejected").getByRole("button", { name: "Accept no-var" }).click();
    await dialog.getByText("It was rejected. It is proposed again, by you, and accepted.").waitFor();
    await dialog.getByRole("button", { name: "Accept" }).click();
    await inStatus("accepted").getByText("*.ts, *.mts").waitFor();

    await page.getByLabel("Search rules").fill("no-var");
    await page.getByText(/^1 of \d+ rules, 0 proposed$/).waitFor();
    await page.getByRole("button", { name: "Delete no-var" }).click();
    await dialog.getByText("This is final").waitFor();
    // Another one in its place is not what was seen.
    const other = { ...proposal, message: "Use let." };
    await desk.client.call("rules.import", { body: [other] });
    await dialog.getByRole("button", { name: "Delete" }).click();
    await dialog.getByRole("alert").getByText("Somebody has changed it meanwhile").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await inStatus("accepted").getByText("Use let.").waitFor();
    await page.getByRole("button", { name: "Delete no-var" }).click();
    await dialog.getByRole("button", { name: "Delete" }).click();
    await inStatus("accepted").waitFor({ state: "detached" });
    expect(await desk.client.call("rules.find", { query: { project: "decided" } })).toEqual([]);
  });

  test("the playground tells warnings from violations, and tries proposed rules before they count", async () => {
    const rule = (rule_id: string, pattern: string, more = {}) => ({
      project: "tried",
      rule_id,
      pattern,
      message: `Not ${pattern}.`,
      ...more,
    });
    await desk.client.call("rules.import", {
      body: [rule("bad", "bad"), rule("odd", "odd", { severity: "warning" })],
    });
    await desk.client.call("rules.propose", { body: rule("new", "new") });
    const { page } = await desk.open("/rules");
    await page.getByLabel("Project").selectOption("tried");
    await page.getByLabel("Text to check").fill("a bad line\nan odd one\na new one\n");
    const verdict = page.locator("#playground [role=status]");
    await verdict.getByText("1 violation, 1 warning", { exact: true }).waitFor();
    expect(await page.locator(".checked li").count()).toBe(3);
    await page.getByLabel("Try the proposed rules, too (1)").check();
    await verdict.getByText("1 violation, 1 warning, 1 of proposed rules", { exact: true }).waitFor();
    expect(await text(page, '.checked [data-line="3"]')).toMatch(/a new one\s+new Not new\. proposed/);
    await page.getByText("3 rules asked, and the files that each one checks").waitFor();
  });
});

describe("Tokens and costs", () => {
  const call = { provider: "anthropic", model: "opus", tokens_in: 1000, tokens_out: 200 };

  test("what models cost is drawn by agent, project and model over time, and kept true", async () => {
    const ada = await desk.agent("ada the dear");
    const bob = await desk.agent("bob the cheap");
    const record = (agent: typeof ada, more: object) =>
      agent.client.call("llm.record", { body: { ...call, project: "shop", ...more } });
    await record(ada, { cost_usd: 1.5 });
    await record(bob, { cost_usd: 0.25, model: "haiku", project: "docs" });
    const { page, faults } = await desk.open("/tokens");
    const costOf = (name: string) => page.locator(`[data-usage="${name}"] [data-title="Cost"]`);
    await costOf(ada.id).getByText("$1.50").waitFor();
    expect(await page.locator("[data-usage] th").allInnerTexts()).toEqual([
      expect.stringContaining("ada the dear"),
      expect.stringContaining("bob the cheap"),
    ]);
    await record(ada, { cost_usd: 1 });
    await costOf(ada.id).getByText("$2.50").waitFor();
    expect(await page.locator("#costs .count").innerText()).toContain(
      "$2.75, 3K tokens in, 600 out, 3 calls",
    );

    // The bar of today has both of them, one on the other.
    const colours = await page.evaluate(() => {
      const canvas = document.querySelector("canvas") as HTMLCanvasElement;
      const { data } = (canvas.getContext("2d") as CanvasRenderingContext2D).getImageData(
        0,
        0,
        canvas.width,
        canvas.height,
      );
      const seen = new Map<string, number>();
      for (let at = 0; at < data.length; at += 4) {
        const pixel = `rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`;
        if (data[at + 3] === 255) seen.set(pixel, (seen.get(pixel) ?? 0) + 1);
      }
      const chips = [...document.querySelectorAll("[data-usage] .chip")];
      return chips.map((chip) => seen.get(getComputedStyle(chip).backgroundColor) ?? 0);
    });
    expect(colours[0]! / colours[1]!).toBeWithin(7, 14);

    await page.getByRole("img", { name: /Cost by agent/ }).focus();
    await page.keyboard.press("ArrowLeft");
    await page.locator(".bar-chart li", { hasText: "ada the dear $2.50" }).waitFor();

    await page.getByRole("button", { name: "Model" }).click();
    await costOf("haiku").getByText("$0.25").waitFor();
    await page.getByRole("button", { name: "30 days" }).click();
    const timestamp = new Date(Date.now() - 12 * 86_400_000).toISOString();
    const past = { ...call, model: "of-long-ago", cost_usd: 9, timestamp, ref: "a-log 1" };
    await desk.client.call("llm.import", { body: { records: [past] } });
    await costOf("of-long-ago").getByText("$9.00").waitFor();
    await page.getByRole("button", { name: "Project" }).click();
    await costOf("docs").waitFor();
    await page.locator('[data-usage=""]', { hasText: "no project given" }).waitFor();
    await page.getByRole("button", { name: "Tokens", exact: true }).click();
    expect(new URL(page.url()).search).toBe("?by=project&span=month&of=tokens");
    await page.reload();
    await costOf("docs").getByText("$0.25").waitFor();

    await page.getByRole("link", { name: "Now", exact: true }).click();
    await page.locator(`[data-instance="${ada.id}"]`, { hasText: "2.4K tokens, $2.50 today" }).waitFor();
    expect(faults).toEqual([]);
  });

  test("a person sets a budget, sees it being used up, and takes it away", async () => {
    const { page } = await desk.open("/tokens");
    await page.getByRole("button", { name: "Set a budget" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("A budget warns, it does not stop calls").waitFor();
    await dialog.locator('datalist option[value="shop"]').waitFor({ state: "attached" });
    await dialog.getByLabel("Project").fill("spender");
    await dialog.getByLabel("US dollars").fill("10");
    await dialog.getByLabel("Per").selectOption("month");
    await dialog.getByRole("button", { name: "Save" }).click();
    const row = page.locator('[data-budget="spender"]');
    await row.getByText("$10.00 a month").waitFor();
    for (const [cost_usd, said, level] of [
      [2, "$2.00, 20 %", "good"],
      [6.5, "$8.50, 85 %", "warn"],
      [4, "$12.50, 125 %", "bad"],
    ] as const) {
      await desk.client.call("llm.record", { body: { ...call, project: "spender", cost_usd } });
      await row.getByText(said).waitFor();
      expect(await row.getAttribute("data-level")).toBe(level);
    }
    await row.getByText("$2.50 over").waitFor();
    await page.getByRole("link", { name: "Now", exact: true }).click();
    await page.getByRole("link", { name: "1 budget used up, or nearly" }).click();
    await page.getByRole("button", { name: "Change the budget of spender" }).click();
    await dialog.getByLabel("US dollars").fill("50");
    await dialog.getByRole("button", { name: "Save" }).click();
    await row.getByText("25 %").waitFor();
    await page.getByRole("button", { name: "Remove the budget of spender" }).click();
    await dialog.getByRole("button", { name: "Remove" }).click();
    await row.waitFor({ state: "detached" });
    const done = await desk.client.call("audit.list", { query: { resource: "spender" } });
    expect(done.map(({ action, actor }) => [action, actor])).toEqual([
      ["budget.delete", "dashboard"],
      ["budget.put", "dashboard"],
      ["budget.put", "dashboard"],
    ]);
  });

  test("ten have a colour each, the others say who they are, and days say of which time zone", async () => {
    const names = Array.from({ length: 12 }, (_, at) => `model-${String(at + 1).padStart(2, "0")}`);
    for (const [at, model] of names.entries())
      await desk.client.call("llm.record", { body: { ...call, model, cost_usd: 100 - at } });
    const { page } = await desk.open("/tokens?by=model&span=day", { timezoneId: "Asia/Kolkata" });
    await page.locator('[data-usage="model-12"]').getByText("drawn with the others").waitFor();
    const colours = await page
      .locator('[data-usage^="model-"] .chip')
      .evaluateAll((chips) => chips.map((chip) => getComputedStyle(chip).backgroundColor));
    expect(new Set(colours.slice(0, 10)).size).toBe(10);
    expect(new Set(colours.slice(9)).size).toBe(2);
    await page.locator("#costs .count").getByText("Asia/Calcutta, UTC+05:30").waitFor();
    await page.getByRole("img", { name: /Cost by model/ }).focus();
    await page.keyboard.press("ArrowLeft");
    await page.locator(".bar-chart li", { hasText: "others: model-11, model-12, " }).waitFor();
  });

  test("a budget of a project that nothing was recorded for says so, and names those with usage", async () => {
    await desk.client.call("llm.record", { body: { ...call, project: "shop-web", cost_usd: 1 } });
    const { page } = await desk.open("/tokens");
    await page.getByRole("button", { name: "Set a budget" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Project").fill("shop-wbe");
    await dialog
      .getByText(/Nothing was recorded for shop-wbe so far\. Projects with usage: .*shop-web/)
      .waitFor();
    await dialog.getByLabel("Project").fill("shop-web");
    await dialog.getByText("Nothing was recorded").waitFor({ state: "detached" });
    await dialog.getByLabel("Project").fill("shop-wbe");
    await dialog.getByLabel("US dollars").fill("10");
    await dialog.getByRole("button", { name: "Save" }).click();
    const row = page.locator('[data-budget="shop-wbe"]');
    await row.getByText("nothing recorded yet").waitFor();
    await desk.client.call("llm.record", { body: { ...call, project: "shop-wbe", cost_usd: 1 } });
    await row.getByText("$1.00, 10 %").waitFor();
    await row.getByText("nothing recorded yet").waitFor({ state: "detached" });
  });
});

describe("Tokens and Connect", () => {
  test("the ledger says how its tokens were worked out", async () => {
    await desk.put("ledger", "1");
    const { page } = await desk.open("/tokens");
    const books = page.locator('[data-ledger="rest"]');
    await books.waitFor();
    expect(await books.getAttribute("title")).toMatch(
      /^[\d,]+ tokens, estimated from the [\d,]+ bytes .*: bytes \/ 4$/,
    );
  });

  test("the lines for each client hold this server's address, and go to the clipboard by one click", async () => {
    const { page } = await desk.open("/connect", { permissions: ["clipboard-read", "clipboard-write"] });
    await page.getByText(`Agents reach this server at ${desk.server.url}`).waitFor();
    await page.getByText("npm run build in Koor’s folder").waitFor();
    const names = ["Claude Code", "Cursor", "VS Code", "Codex", "Gemini CLI", "opencode", "koor-cli", "curl"];
    await page.getByRole("heading", { name: "Claude Code" }).waitFor();
    for (const name of names) {
      const panel = page.locator(".panel", { has: page.getByRole("heading", { name }) });
      expect(await panel.locator("pre").innerText()).toContain(desk.server.url);
    }
    await page.getByRole("button", { name: "Copy the lines for Claude Code" }).click();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
      `claude mcp add --transport http koor ${desk.server.url}/mcp`,
    );
  });

  test("the lines for a terminal do as they stand what they say, in the name of who registered", async () => {
    const { page } = await desk.open("/connect");
    for (const client of ["curl", "koor-cli"]) {
      const lines = (await page.locator(`#client-${client} pre`).innerText()).replace("NAME", `by-${client}`);
      const shell = start(["bash", "-euo", "pipefail", "-c", lines], temporaryFolder(), {
        PATH: `${join(root, "dist")}:${process.env["PATH"]}`,
      });
      const { code, stdout, stderr } = await shell.exited;
      expect([client, code, stderr.replaceAll(/^.*%.*$|^.*--:--.*$|^\s*Dload.*$/gm, "").trim()]).toEqual([
        client,
        0,
        "",
      ]);
      expect(stdout).not.toContain('"code":4');
      const { versions } = await desk.client.call("state.history", { params: { key: "plan" }, query: {} });
      expect(versions[0]?.updated_by).toBe(`by-${client}`);
    }
    const leases = await desk.client.call("leases.list", { query: {} });
    expect(leases.filter(({ holder }) => holder.startsWith("by-")).map(({ paths }) => paths)).toEqual([
      ["docs/**"],
    ]);
  });
});

describe("Whoever has read nothing", () => {
  test("finds in the help who is blocked, how to undo a write, and what each view is for", async () => {
    const { page } = await desk.open("/leases");
    await page.getByRole("button", { name: "Help" }).click();
    const help = page.getByRole("dialog");
    await help.getByText("Who is blocked, and by whom?").waitFor();
    await help.getByText("has a tab, History, for each key").waitFor();
    await help.locator(".tasks").getByRole("link", { name: "State" }).click();
    await page.locator('[data-view="state"]').waitFor();
    await help.waitFor({ state: "detached" });
  });

  test("has all views in sight in the narrowest window", async () => {
    const { page } = await desk.open("/leases", { viewport: { width: 380, height: 700 } });
    await page.locator("nav a[aria-current]").waitFor();
    const boxes = await page.locator("nav a").evaluateAll((links) =>
      links.map((link) => {
        const { left, right } = link.getBoundingClientRect();
        return left >= 0 && right <= innerWidth && link.scrollWidth <= link.clientWidth;
      }),
    );
    expect(boxes).toEqual(Array(9).fill(true));
  });
});

describe("Audit", () => {
  test("has no hole where more came at once than an answer has", async () => {
    // Only this agent's rows are listed, so that the end of the list is the first of them.
    const { client } = await desk.agent("digger");
    const put = (body: string) => client.call("state.put", { params: { key: "hole" }, body });
    await put("0");
    const [before] = await desk.client.call("audit.list", { query: { limit: "1" } });
    const { page } = await desk.open("/audit?actor=digger");
    await page.locator(`[data-audit="${before?.id}"]`).waitFor();
    await live(page);
    const held = Promise.withResolvers<void>();
    await page.route("**/api/audit?*", async (route) => {
      await held.promise;
      await route.continue();
    });
    const asks = page.waitForRequest("**/api/audit?*");
    await put("1");
    await asks;
    for (let at = 0; at < 1280; at += 64) {
      const steps = Array.from({ length: 64 }, (_, index) => ({
        put: { key: `hole/${at + index}`, value: 1 },
      }));
      await client.call("txn.commit", { body: { do: steps } });
    }
    held.resolve();
    const rowOf = (more: number) => page.locator(`[data-audit="${(before?.id ?? 0) + more}"]`);
    await rowOf(1281).waitFor();
    const row = rowOf(2);
    await page.getByRole("grid").focus();
    for (let turn = 0; turn < 60 && (await row.count()) === 0; turn++) {
      await page.waitForTimeout(100);
      await page.keyboard.press("End");
    }
    await row.waitFor();
  });

  test("is filtered by actor, action, resource and time, live, and goes into a file", async () => {
    const ada = await desk.agent("auditor");
    await ada.client.call("state.put", { params: { key: "audited" }, body: "1" });
    const { page } = await desk.open("/audit?actor=auditor&action=state.put");
    await page.locator("[data-audit]", { hasText: "audited" }).waitFor();
    await ada.client.call("state.put", { params: { key: "audited/=later" }, body: "1" });
    await page.locator("[data-audit]", { hasText: "audited/=later" }).waitFor();
    await desk.put("audited", "2");
    expect(await page.locator(".audit-line .actor").allInnerTexts()).toEqual(["auditor", "auditor"]);
    const saving = page.waitForEvent("download");
    await page.getByRole("button", { name: "CSV" }).click();
    const saved = await (await saving).path();
    expect(await Bun.file(saved).text()).toMatch(
      /^id,timestamp,actor,action,resource,outcome,detail\r\n\d+,[^,]+,auditor,state\.put,audited\/=later,ok,"\{""version"":1\}"\r\n.*\r\n$/,
    );

    await page.getByLabel("Filter by actor").fill("");
    await page.locator("[data-audit]", { hasText: "unidentified" }).first().waitFor();
    await page.getByRole("button", { name: "audited/=later" }).click();
    await page.locator("[data-audit]", { hasText: "unidentified" }).first().waitFor({ state: "detached" });
    expect(new URL(page.url()).searchParams.get("resource")).toBe('"audited/=later"');

    // Parts of names are enough, as one types; and what has only an id is found, and shown, by its name.
    const { id } = await ada.client.call("leases.acquire", { body: { paths: ["apps/web/**"] } });
    await page.getByLabel("Filter by action").fill("");
    for (const [words, name] of [
      ["ps/web", "apps/web/**"],
      ["udito", "auditor"],
    ] as const) {
      await page.getByLabel("Filter by resource").fill(words);
      await page.locator(".audit-line .resource", { hasText: name }).first().waitFor();
      await page.locator("[data-audit]", { hasText: "audited/=later" }).waitFor({ state: "detached" });
    }
    await page.getByLabel("Filter by resource").fill("");
    await page.getByLabel("Filter by actor").fill("dito");
    await page.getByLabel("Filter by action").fill("lease.");
    const row = page.locator("[data-audit]", { hasText: "lease.acquire" });
    await row.getByText("apps/web/**").waitFor();
    // What is no lease goes: the filter by actor alone may have been answered before.
    await page.locator("[data-audit]", { hasText: "state.put" }).first().waitFor({ state: "detached" });
    expect(await row.locator(".resource").getAttribute("title")).toBe(`apps/web/**\n${id}`);
    expect(await row.locator(".about-it").innerText()).toBe("version 1 · holder auditor · mode exclusive");
    expect(await page.locator("[data-audit]").count()).toBe(1);
    await ada.client.call("leases.release", { params: { id } });
    await page.locator("[data-audit]", { hasText: "lease.release" }).getByText("apps/web/**").waitFor();
  });

  test("shows only what a part of a row names, and leads to the thing itself, by keys as well", async () => {
    const { client } = await desk.agent("pointer");
    await client.call("state.put", { params: { key: "pointed/at" }, body: "1" });
    await client.call("state.delete", { params: { key: "pointed/at" } });
    const body = '{"type":"object"}';
    await client.call("specs.put", { params: { project: "pointed", name: "a/b" }, body });
    const { page } = await desk.open("/audit?resource=pointed/");
    const row = (action: string) => page.locator("[data-audit]", { hasText: action });
    const query = (wanted: string) => page.waitForURL((url) => decodeURIComponent(url.search) === wanted);
    await row("state.delete").getByRole("button", { name: "state.delete" }).click();
    await query('?resource=pointed/&action="state.delete"');
    await row("state.put").waitFor({ state: "detached" });
    await row("state.delete").getByRole("button", { name: "pointer" }).click();
    await query('?resource=pointed/&action="state.delete"&actor="pointer"');
    // Beside what is pressed nothing happens.
    const before = page.url();
    await row("state.delete").locator(".when").click();
    await page.evaluate(() => new Promise(requestAnimationFrame));
    expect(page.url()).toBe(before);
    await page.goto(`${desk.server.dashboardUrl}/audit?actor=pointer&resource=pointed/`);
    await row("spec.put").getByRole("link", { name: "Open pointed/a/b" }).click();
    await page.locator('[data-document="pointed/a/b"]').waitFor();

    // The newest row is the spec's, the next one the deletion.
    await page.goBack();
    await page.getByRole("grid").focus();
    await page.keyboard.press("ArrowDown");
    await page.locator('[data-cursor][aria-rowindex="1"]').waitFor();
    await page.keyboard.press("ArrowDown");
    await page.locator('[data-cursor][aria-rowindex="2"]').waitFor();
    for (const [role, name] of [
      ["button", "pointer"],
      ["button", "state.delete"],
      ["button", "pointed/at"],
      ["link", "Open pointed/at"],
    ] as const) {
      await page.keyboard.press("Tab");
      await page
        .locator(":focus")
        .and(page.getByRole(role, { name, exact: true }))
        .waitFor();
    }
    await page.keyboard.press("ArrowUp");
    await page.locator('[data-cursor][aria-rowindex="1"]').waitFor();
    await page.keyboard.press("ArrowDown");
    await page.locator('[data-cursor][aria-rowindex="2"]').waitFor();
    await page.keyboard.press("Enter");
    await page.locator('[data-document="pointed/at"]', { hasText: "It was deleted" }).waitFor();
  });

  test("finds what whoever named no instance did by a click on that word", async () => {
    await desk.put("clicked/by-nobody", "1");
    const { client } = await desk.agent("somebody");
    await client.call("state.put", { params: { key: "clicked/by-somebody" }, body: "1" });
    const { page } = await desk.open("/audit?resource=clicked/");
    await page.locator("[data-audit]", { hasText: "clicked/by-somebody" }).waitFor();
    await page.getByRole("button", { name: "unidentified" }).click();
    await page.locator("[data-audit]", { hasText: "clicked/by-somebody" }).waitFor({ state: "detached" });
    await page.locator("[data-audit]", { hasText: "clicked/by-nobody" }).waitFor();
  });

  test("shows what was refused by one choice, which goes on and is in the address", async () => {
    await desk.put("refused/a", "1");
    const refuse = (key: string) =>
      desk.client
        .call("state.put", { params: { key }, body: "2", condition: { version: 7 } })
        .catch(({ reason }: { reason: string }) => reason);
    expect(await refuse("refused/a")).toBe("version_mismatch");
    await desk.put("refused/a", "3");
    const { page } = await desk.open("/audit?resource=refused/");
    const rows = page.locator("[data-audit]");
    await rows.and(page.locator('[data-outcome="ok"]')).nth(1).waitFor();
    await page.getByRole("button", { name: "Refused", exact: true }).click();
    await rows.and(page.locator('[data-outcome="ok"]')).first().waitFor({ state: "detached" });
    expect(new URL(page.url()).searchParams.get("outcome")).toBe("refused");
    expect(await rows.count()).toBe(1);
    expect(await rows.innerText()).toContain("reason version_mismatch · current 1");
    await refuse("refused/b");
    // A refusal is no change: the next one brings it.
    await desk.put("refused/a", "4");
    await page.locator('[data-outcome="conflict"]', { hasText: "refused/b" }).waitFor();
    await page.getByRole("button", { name: "Everything" }).click();
    await rows.and(page.locator('[data-outcome="ok"]')).first().waitFor();
  });

  test("has all of a row in a window of middle width, and in the narrowest the outcome behind the action", async () => {
    await desk.put("narrow/key", "1");
    await desk.client
      .call("state.put", { params: { key: "narrow/key" }, body: "2", condition: { version: 7 } })
      .catch(() => {});
    const { page } = await desk.open("/audit?resource=narrow/", { viewport: { width: 1024, height: 700 } });
    const row = page.locator('[data-outcome="conflict"]');
    await page.locator("[data-narrow] .about-it", { hasText: "version_mismatch" }).waitFor();
    await row.locator(".id").waitFor();
    const middleOf = async (name: "heading" | "button", title: string) => {
      const { y, height } = (await page.getByRole(name, { name: title }).boundingBox())!;
      return y + height / 2;
    };
    expect(Math.abs((await middleOf("heading", "Audit")) - (await middleOf("button", "CSV")))).toBeLessThan(
      6,
    );
    await page.setViewportSize({ width: 380, height: 700 });
    await row.locator(".id").waitFor({ state: "hidden" });
    const ends = async (part: string) => {
      const { x, width } = (await row.locator(part).boundingBox())!;
      return [x, x + width] as const;
    };
    const [[, action], [from, to], [when]] = [
      await ends(".action .only"),
      await ends(".action .tag"),
      await ends(".when"),
    ];
    expect(action).toBeLessThanOrEqual(from);
    expect(to).toBeLessThanOrEqual(when);
  });
});
