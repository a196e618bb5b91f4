import { expect, test } from "bun:test";
import { KoorError } from "../contract/errors.ts";
import type { Front } from "../http/front.ts";
import { createSessions, dashboardFront } from "./session.ts";

const hour = 3_600_000;
const host = "localhost:9847";

function start() {
  const clock = { now: 0 };
  const waiting: (() => void)[] = [];
  const sessions = createSessions({
    isToken: (text) => text === "secret",
    now: () => clock.now,
    sleep: () => new Promise((resolve) => void waiting.push(resolve)),
  });
  return { clock, sessions, waiting };
}

function request(headers: Record<string, string>, method = "GET", path = "/api/state") {
  return new Request(`http://${host}${path}`, { method, headers: { Host: host, ...headers } });
}

const withId = (id: string, headers: Record<string, string> = {}, method = "GET") =>
  request({ Cookie: `other=1; koor_session_9847=${id}`, ...headers }, method);

const reasonOf = (work: () => void) => {
  try {
    work();
    return "none";
  } catch (error) {
    return (error as KoorError).reason;
  }
};

test("a session begins with the token, is a cookie that no script and no other site gets, and never the token", async () => {
  const { sessions } = start();
  const id = await sessions.open("secret");
  expect(id).toMatch(/^[\w-]{43}$/);
  expect(sessions.cookie(request({}), id)).toBe(
    `koor_session_9847=${id}; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict`,
  );
  expect(sessions.has(withId(id))).toBe(true);
  // Behind a proxy that speaks TLS the cookie goes over nothing else.
  expect(sessions.cookie(request({ Origin: "https://koor.example" }), id)).toEndWith(
    "; SameSite=Strict; Secure",
  );
  expect(sessions.has(withId(`${id}x`))).toBe(false);
  expect(sessions.has(request({}))).toBe(false);
  // Of another server on this host.
  expect(sessions.has(request({ Cookie: `koor_session_9848=${id}` }))).toBe(false);
  expect(await sessions.open("secret")).not.toBe(id);
});

test("it ends after 12 hours, and by logging out", async () => {
  const { clock, sessions } = start();
  const id = await sessions.open("secret");
  clock.now = 12 * hour - 1;
  expect(sessions.has(withId(id))).toBe(true);
  clock.now = 12 * hour;
  expect(sessions.has(withId(id))).toBe(false);

  const other = await sessions.open("secret");
  sessions.end(withId(other));
  expect(sessions.has(withId(other))).toBe(false);
  expect(sessions.cookie(request({}))).toContain("koor_session_9847=; Max-Age=0;");
});

test("of more than 64 sessions the oldest ends", async () => {
  const { sessions } = start();
  const ids: string[] = [];
  for (let index = 0; index < 65; index++) ids.push(await sessions.open("secret"));
  expect(ids.map((id) => sessions.has(withId(id)))).toEqual([false, ...Array<boolean>(64).fill(true)]);
});

test("wrong tokens are answered late, and only four at a time are looked at", async () => {
  const { sessions, waiting } = start();
  const attempts = Array.from({ length: 4 }, () =>
    sessions.open("wrong").catch((error: KoorError) => error.reason),
  );
  expect(waiting).toHaveLength(4);
  await expect(sessions.open("wrong")).rejects.toMatchObject({ reason: "rate_limited" });
  await expect(sessions.open("secret")).rejects.toMatchObject({ reason: "rate_limited" });
  for (const answer of waiting) answer();
  expect(await Promise.all(attempts)).toEqual(Array(4).fill("unauthorized"));
  expect(await sessions.open("secret")).toBeString();
});

test("a session counts for the dashboard's own page only", async () => {
  const { sessions } = start();
  const id = await sessions.open("secret");
  const front: Front = {
    guarded: true,
    admit: () => {},
    isToken: () => false,
    authorize: () => {
      throw new KoorError("unauthorized", "no");
    },
  };
  const { authorize } = dashboardFront(front, sessions);
  const origin = { Origin: `http://${host}` };
  const reason = (headers: Record<string, string>, method?: string) =>
    reasonOf(() => authorize(withId(id, headers, method)));

  expect(reasonOf(() => authorize(request({})))).toBe("unauthorized");
  expect(reason({})).toBe("none");
  expect(reason({ "Sec-Fetch-Site": "same-origin" })).toBe("none");
  expect(reason({ "Sec-Fetch-Site": "same-site" })).toBe("forbidden");
  expect(reason({ "Sec-Fetch-Site": "cross-site" })).toBe("forbidden");
  expect(reason({}, "POST")).toBe("forbidden");
  expect(reason(origin, "POST")).toBe("none");
  expect(reason({ ...origin, "Sec-Fetch-Site": "same-site" }, "DELETE")).toBe("forbidden");
  expect(reason({ Upgrade: "websocket" })).toBe("forbidden");
  expect(reason({ Upgrade: "websocket", ...origin })).toBe("none");
  // Whoever sends a token means the token.
  expect(reason({ Authorization: "Bearer wrong" })).toBe("unauthorized");
});

test("without a token there is nothing to add", () => {
  const front = {} as Front;
  expect(dashboardFront(front, undefined)).toBe(front);
});
