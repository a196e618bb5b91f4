import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../demo/browser.ts";
import { chromium } from "../scripts/setup.mjs";
import { type TestServer, openSocket, startServer } from "./harness.ts";

const origin = "https://tools.example.com";
const token = "s3cret-token";
const bearer = { Authorization: `Bearer ${token}` };

/** What an answer lets a page read; null where it says nothing of it. */
const grants = ({ headers }: { headers: Headers }) => ({
  origin: headers.get("access-control-allow-origin"),
  methods: headers.get("access-control-allow-methods"),
  credentials: headers.get("access-control-allow-credentials"),
});
const none = { origin: null, methods: null, credentials: null };

describe("what a server answers to pages of allowed origins", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer([
      "--auth-token",
      token,
      "--allowed-origins",
      `${origin},http://localhost:5173`,
    ]);
  });
  afterAll(() => server.dispose());

  const preflight = (url: string, headers: Record<string, string> = {}) =>
    fetch(url, {
      method: "OPTIONS",
      headers: {
        Origin: origin,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,if-match",
        ...headers,
      },
    });

  test("a preflight is answered without the token, and tells the same of every path (AUTH-1)", async () => {
    const answers = await Promise.all(
      ["/api/state/k", "/api/instances", "/mcp", "/metrics", "/no/such/path"].map((path) =>
        preflight(server.url + path),
      ),
    );
    for (const answer of answers) {
      expect(answer.status).toBe(204);
      expect(await answer.text()).toBe("");
      expect(grants(answer)).toEqual({
        origin,
        methods: "GET, HEAD, PUT, POST, PATCH, DELETE",
        credentials: null,
      });
      expect(answer.headers.get("vary")).toBe("Origin");
      expect(answer.headers.get("access-control-max-age")).toMatch(/^\d+$/);
    }
  });

  test("a preflight allows every header that the OpenAPI document has", async () => {
    const { body } = await server.json("/api/openapi.json", { headers: bearer });
    const named = Object.values<any>(body.components.parameters).map(({ name }) => name.toLowerCase());
    expect(named).toContain("if-match");
    const answer = await preflight(`${server.url}/api/state/k`);
    const allowed = answer.headers.get("access-control-allow-headers")?.toLowerCase().split(", ");
    expect(allowed).toEqual(expect.arrayContaining([...named, "authorization", "content-type"]));
  });

  test("answers and refusals alike name the origin that asks, and never one that did not", async () => {
    const put = await server.ask("/api/state/k", {
      method: "PUT",
      body: "1",
      headers: { ...bearer, Origin: origin },
    });
    expect(put.status).toBe(200);
    expect(put.headers.get("access-control-expose-headers")).toContain("ETag");
    const asked: [path: string, headers: Record<string, string>, status: number][] = [
      ["/api/state/k", bearer, 200],
      ["/api/state/missing", bearer, 404],
      ["/no/such/path", bearer, 404],
      ["/api/state/k", {}, 401],
      ["/api/events/stream", bearer, 200],
    ];
    for (const [path, headers, status] of asked) {
      for (const Origin of [origin, "http://localhost:5173"]) {
        const answer = await server.ask(path, { headers: { ...headers, Origin } });
        expect(answer.status).toBe(status);
        expect(grants(answer)).toEqual({ ...none, origin: Origin });
        expect(answer.headers.get("vary")).toBe("Origin");
        await answer.body?.cancel();
      }
      const plain = await server.ask(path, { headers });
      expect(grants(plain)).toEqual(none);
      // A cache must not give a page what it kept of an answer to nobody's page.
      expect(plain.headers.get("vary")).toBe("Origin");
      await plain.body?.cancel();
    }
  });

  test("every header of an answer that is Koor's own may be read", async () => {
    await server.ask("/api/state/h", { method: "PUT", body: "1", headers: bearer });
    const headers = { ...bearer, Origin: origin };
    for (const path of ["/api/state/h", "/api/events/history", "/api/events/next", "/api/backup"]) {
      const answer = await server.ask(path, { headers });
      await answer.body?.cancel();
      const exposed = answer.headers.get("access-control-expose-headers")?.toLowerCase().split(", ");
      const own = [...answer.headers.keys()].filter((name) => /koor-|^etag$|disposition/.test(name));
      expect(exposed).toEqual(expect.arrayContaining(own));
    }
  });

  test.each([
    "http://evil.example.com",
    "https://tools.example.com.evil.com",
    "https://tools.example.com:444",
    "https://tools.example.com/",
    "null",
  ])("a page of %s reads nothing, and its preflight fails (ORIGIN-1)", async (Origin) => {
    for (const answer of [
      await preflight(`${server.url}/api/state/k`, { Origin }),
      await server.ask("/api/state/k", { headers: { ...bearer, Origin } }),
    ]) {
      expect(grants(answer)).toEqual(none);
    }
  });

  test("an allowed origin does not make up for a rebound name (ORIGIN-1)", async () => {
    const answer = await preflight(`${server.url}/api/state/k`, { Host: "evil.example.com" });
    expect(answer.status).toBe(403);
    expect(grants(answer).methods).toBeNull();
  });

  test("OPTIONS that is no preflight is refused as any other method is", async () => {
    const answer = await server.ask("/api/state/k", {
      method: "OPTIONS",
      headers: { ...bearer, Origin: origin },
    });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toContain("GET");
  });

  test("the dashboard's port, where a cookie counts, opens to no other origin (ORIGIN-1)", async () => {
    const { dashboardUrl } = server;
    expect(grants(await preflight(`${dashboardUrl}/api/state/k`))).toEqual(none);
    for (const path of ["/", "/api/state/k"]) {
      const answer = await fetch(dashboardUrl + path, { headers: { ...bearer, Origin: origin } });
      expect(grants(answer)).toEqual(none);
    }
    // Nor does the API's port open to the dashboard's page, which asks its own.
    expect(grants(await preflight(`${server.url}/api/state/k`, { Origin: dashboardUrl as string }))).toEqual(
      none,
    );
  });

  test("a WebSocket opens for the allowed origin and for no other", async () => {
    const url = `${server.url}/api/events/subscribe?hello=1`;
    const socket = await openSocket(url, { headers: { ...bearer, Origin: origin } });
    expect(await socket.next()).toContain("hello");
    socket.close();
    await expect(
      openSocket(url, { headers: { ...bearer, Origin: "http://evil.example.com" } }),
    ).rejects.toThrow();
  });
});

test("without allowed origins there is no preflight, and answers say nothing of origins", async () => {
  const server = await startServer();
  const answer = await server.ask("/api/state/k", {
    method: "OPTIONS",
    headers: { Origin: origin, "Access-Control-Request-Method": "PUT" },
  });
  expect(answer.status).toBe(403);
  const plain = await server.ask("/api/state");
  expect([plain.headers.get("vary"), plain.headers.get("access-control-expose-headers")]).toEqual([
    null,
    null,
  ]);
  await server.dispose();
});

describe("a page in a browser", () => {
  let browser: Browser;
  let server: TestServer;
  /** Two sites of somebody else: the first one is allowed. */
  const sites = [0, 1].map(() =>
    Bun.serve({
      hostname: "localhost",
      port: 0,
      fetch: () =>
        new Response("<!doctype html><title>tools</title>", { headers: { "Content-Type": "text/html" } }),
    }),
  );
  const [allowed = "", foreign = ""] = sites.map(({ port }) => `http://localhost:${port}`);

  beforeAll(async () => {
    browser = await launchChromium(chromium());
    server = await startServer(["--auth-token", token, "--allowed-origins", allowed]);
  });
  afterAll(async () => {
    await browser.close();
    await server.dispose();
    for (const site of sites) await site.stop(true);
  });

  async function at(url: string): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(url);
    return page;
  }

  test("of an allowed origin writes under conditions, and reads what it is answered", async () => {
    const page = await at(allowed);
    const seen = await page.evaluate(
      async ([url, token]) => {
        const address = `${url}/api/state/from-a-page`;
        const ask = async (method: string, headers: Record<string, string>, body?: string) => {
          const response = await fetch(address, {
            method,
            headers: { Authorization: `Bearer ${token}`, ...headers },
            ...(body !== undefined && { body }),
          });
          return {
            status: response.status,
            etag: response.headers.get("etag"),
            version: response.headers.get("x-koor-version"),
            body: await response.json(),
          };
        };
        const json = { "Content-Type": "application/json" };
        const first = await ask("PUT", { ...json, "If-None-Match": "*", "Idempotency-Key": "page-1" }, "1");
        const again = await ask("PUT", { ...json, "If-None-Match": "*", "Idempotency-Key": "page-1" }, "1");
        const second = await ask("PUT", { ...json, "If-Match": first.etag as string }, "2");
        const late = await ask("PATCH", { ...json, "X-Koor-If-Version": "1" }, "3");
        const read = await ask("GET", {});
        const removed = await ask("DELETE", { "If-Match": "*" });
        return { first, again, second, late, read, removed };
      },
      [server.url, token],
    );
    expect(seen.first).toMatchObject({ status: 200, etag: expect.any(String), body: { version: 1 } });
    expect(seen.again.body).toEqual(seen.first.body);
    expect(seen.second).toMatchObject({ status: 200, body: { version: 2 } });
    expect(seen.late).toMatchObject({ status: 412, body: { reason: "version_mismatch", current: 2 } });
    expect(seen.read).toMatchObject({ status: 200, version: "2", body: 2 });
    expect(seen.removed.status).toBe(200);
    await page.close();
  });

  test("of an allowed origin follows events by fetch, and by WebSocket not without the token", async () => {
    const page = await at(allowed);
    const reading = page.evaluate(
      async ([url, token]) => {
        const response = await fetch(`${url}/api/events/stream?after=0`, {
          headers: { Authorization: `Bearer ${token}` },
        });
        const epoch = response.headers.get("koor-epoch");
        const reader = (response.body as ReadableStream<Uint8Array>).getReader();
        const decoder = new TextDecoder();
        let text = "";
        while (!text.includes("from.outside")) text += decoder.decode((await reader.read()).value);
        await reader.cancel();
        return { epoch, text };
      },
      [server.url, token],
    );
    await server.ask("/api/events/publish", {
      method: "POST",
      headers: bearer,
      body: '{"topic":"from.outside"}',
    });
    expect(await reading).toMatchObject({
      epoch: expect.any(String),
      text: expect.stringContaining("from.outside"),
    });
    const opened = await page.evaluate(
      (url) =>
        new Promise((resolve) => {
          const socket = new WebSocket(`${url.replace("http", "ws")}/api/events/subscribe`);
          socket.addEventListener("open", () => resolve(true));
          socket.addEventListener("error", () => resolve(false));
        }),
      server.url,
    );
    expect(opened).toBe(false);
    await page.close();
  });

  test("of another origin can neither read nor change anything (ORIGIN-1)", async () => {
    await server.ask("/api/state/mine", { method: "PUT", body: "1", headers: bearer });
    const page = await at(foreign);
    const outcomes = await page.evaluate(
      async ([url, token]) => {
        const attempts: [string, RequestInit][] = [
          ["/api/state/mine", {}],
          ["/api/state/mine", { headers: { Authorization: `Bearer ${token}` } }],
          ["/api/state/mine", { method: "PUT", body: "2", headers: { Authorization: `Bearer ${token}` } }],
          ["/api/events/publish", { method: "POST", body: '{"topic":"t"}' }],
          ["/health", {}],
        ];
        return Promise.all(
          attempts.map(([path, init]) =>
            fetch(url + path, init).then(
              ({ status }) => `read ${status}`,
              () => "nothing",
            ),
          ),
        );
      },
      [server.url, token] as const,
    );
    expect(outcomes).toEqual(Array(5).fill("nothing"));
    expect((await server.json("/api/state/mine", { headers: bearer })).body).toBe(1);
    await page.close();
  });
});
