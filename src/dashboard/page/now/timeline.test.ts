import { expect, test } from "bun:test";
import type { Row } from "../live/recent-events.ts";
import type { AuditEntry, Change, Lease } from "../server.ts";
import { eventsSince, firstOf, linesOf, widthOf } from "./timeline.ts";

const minute = 60_000;
const start = Date.parse("2026-11-01T12:00:00Z");
const time = (minutes: number) => new Date(start + minutes * minute).toISOString();
const change = (action: string, resource: string, minutes: number, version = 0) =>
  ({ action, resource, actor: "ada", version, created_at: time(minutes) }) as Change;
const event = (id: number, minutes: number): Row => ({
  kind: "event",
  id,
  topic: "t",
  source: "ada",
  createdAt: time(minutes),
  line: "",
  data: "",
  cut: false,
});
const none = {
  names: ["ada"],
  events: [],
  changes: [],
  leases: [],
  paths: new Map(),
  waits: [],
  refused: [],
  since: start,
};

test("each thing that an agent did is a mark of its kind, and what was before is none", () => {
  const refused = [
    { actor: "ada", action: "state.put", resource: "k", outcome: "conflict", timestamp: time(4) },
    { actor: "eve", action: "state.put", resource: "k", outcome: "denied", timestamp: time(4) },
  ] as AuditEntry[];
  const changes = [change("state.put", "old", -1, 1), change("state.put", "k", 1, 2)];
  const events = [event(3, 3), event(2, 2), event(1, -2)];
  const [line] = linesOf({ ...none, events, changes, refused });
  expect(line?.marks).toEqual([
    { at: start + 3 * minute, kind: "event", text: "t" },
    { at: start + 2 * minute, kind: "event", text: "t" },
    { at: start + minute, kind: "write", text: "k v2" },
    { at: start + 4 * minute, kind: "refused", text: "state.put k: somebody else was first" },
  ]);
});

test("leases and waits for them are spans, by what is leased, and one that goes on has no end", () => {
  const waits = [
    {
      id: "c",
      holder: "ada",
      what: "src/**",
      behind: ["bob", "cy"],
      from: start - minute,
      until: start + 5 * minute,
      to: start + minute,
      got: true,
    },
  ];
  const held = [
    { id: "b", holder: "ada", state: "held", expires_at: time(12), ttl_ms: 10 * minute },
  ] as Lease[];
  const changes = [change("lease.acquire", "a", 1), change("lease.release", "a", 2)];
  const paths = new Map([
    ["a", "docs/**"],
    ["b", "web/**"],
  ]);
  const [line] = linesOf({ ...none, changes, leases: held, paths, waits });
  expect(line?.spans).toEqual([
    { kind: "lease", from: start + minute, to: start + 2 * minute, text: "docs/**" },
    { kind: "lease", from: start + 2 * minute, to: undefined, text: "web/**" },
    { kind: "wait", from: start, to: start + minute, text: "src/**, behind bob and cy, and got it" },
  ]);
});

test("as little time is drawn as all that is known has room in, an hour at most", () => {
  const known = linesOf({ ...none, events: [event(2, 3), event(1, 1)] });
  expect(firstOf(known)).toBe(start + minute);
  expect(firstOf(linesOf(none))).toBeUndefined();
  const widths = [undefined, 0, 4, 5, 13, 39, 41, 500].map((minutes) =>
    widthOf(minutes === undefined ? undefined : start - minutes * minute, start),
  );
  expect(widths.map((width) => width / minute)).toEqual([4, 4, 4, 12, 20, 40, 60, 60]);
});

test("events are complete since the oldest that is there, since a gap, or since the first that ever was", () => {
  expect(eventsSince([])).toBeUndefined();
  expect(eventsSince([event(2, 2), event(1, 1)])).toBeUndefined();
  expect(eventsSince([event(9, 9), event(8, 8)])).toBe(start + 8 * minute);
  expect(eventsSince([event(9, 9), { kind: "gap", id: 8, from: 2 }, event(1, 1)])).toBe(start + 9 * minute);
});
