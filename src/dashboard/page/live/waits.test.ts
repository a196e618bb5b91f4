import { expect, test } from "bun:test";
import { followWaits } from "./waits.ts";

const start = Date.parse("2026-11-01T12:00:00Z");
const after = (seconds: number) => start + seconds * 1000;
const time = (seconds: number) => new Date(after(seconds)).toISOString();

const lease = (id: string, state: "held" | "waiting", since = 0, inFront: { holder: string }[] = []) => ({
  id,
  holder: `holder of ${id}`,
  resource: "",
  paths: ["a", "b"],
  state,
  expires_at: time(since + 60),
  ...(state === "waiting" && { waiting_since: time(since) }),
  inFront,
});
const kept = 3_600_000;

test("a wait begins when its agent came, and ends when it has the lease", () => {
  const held = lease("one", "held");
  const begun = followWaits([], [held, lease("two", "waiting", 3, [held])], after(5), kept);
  expect(begun).toMatchObject([
    { id: "two", what: "a, b", behind: ["holder of one"], from: after(3), to: undefined, got: false },
  ]);
  // Whom it waited for stays known in the moment before it is its turn.
  const still = followWaits(begun, [lease("two", "waiting", 3)], after(9), kept);
  expect(still).toMatchObject([{ behind: ["holder of one"], to: undefined }]);
  const over = followWaits(still, [lease("two", "held")], after(10), kept);
  expect(over).toMatchObject([{ to: after(10), got: true }]);
  expect(followWaits(over, [], after(20), kept)).toEqual(over);
});

test("one that is not there any more gave up, no later than it said that it would", () => {
  const begun = followWaits([], [lease("two", "waiting")], after(1), kept);
  expect(followWaits(begun, [], after(30), kept)).toMatchObject([{ to: after(30), got: false }]);
  // Nobody looked for an hour.
  expect(followWaits(begun, [], after(4000), kept)).toMatchObject([{ to: after(60), got: false }]);
});

test("what was over longer ago than is shown is forgotten", () => {
  const over = followWaits(followWaits([], [lease("two", "waiting")], after(1), kept), [], after(2), kept);
  expect(followWaits(over, [], after(3601), kept)).toHaveLength(1);
  expect(followWaits(over, [], after(3603), kept)).toEqual([]);
});
