import { expect, test } from "bun:test";
import { openRetryRoom, retriesMost } from "./retry-room.ts";
import type { Retry } from "./webhook.ts";

const retry = (event: number, bytes: number): Retry => ({
  event,
  topic: "t",
  status: "waiting",
  attempts: 1,
  code: 500,
  error: "",
  at: 0,
  due: 0,
  until: 0,
  bytes,
});

test("a shelf that is closed has given its room back once, and takes none, whatever comes after", () => {
  const room = openRetryRoom(100);
  const shelf = room.open([retry(1, 30)]);
  const other = room.open([retry(1, 20)]);
  expect(shelf.put(retry(2, 10))).toBe(true);
  shelf.remove(2);
  shelf.remove(2);
  expect(room.bytes).toBe(50);
  shelf.close();
  shelf.remove(1);
  shelf.close();
  expect(shelf.put(retry(3, 10))).toBe(false);
  expect([room.bytes, shelf.size, other.size]).toEqual([20, 0, 1]);
});

test("what is kept in place of another of its event takes room once", () => {
  const room = openRetryRoom(100);
  const shelf = room.open([]);
  expect([shelf.put(retry(1, 60)), shelf.put(retry(1, 70)), shelf.put(retry(2, 40))]).toEqual([
    true,
    true,
    false,
  ]);
  expect(room.bytes).toBe(70);
  const over = room.open([retry(1, 200)]);
  expect(over.put({ ...retry(1, 200), attempts: 2 })).toBe(true);
});

test("of one webhook no more are kept than the bound", () => {
  const shelf = openRetryRoom().open(Array.from({ length: retriesMost }, (_, event) => retry(event, 1)));
  expect([shelf.put(retry(retriesMost, 1)), shelf.put(retry(7, 1))]).toEqual([false, true]);
});
