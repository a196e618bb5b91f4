import { expect, test } from "bun:test";
import { type Frame, gap, readFrame } from "../../../client/frames.ts";
import { parseExact } from "../parts/exact-json.ts";
import { type EventRow, addOlder, addRows, maxRows, toRow } from "./recent-events.ts";

function row(id: number, data = "null"): EventRow {
  const raw = `{"id":${id},"topic":"t","data":${data},"source":"s","created_at":"2026-11-01T12:00:00.000Z"}`;
  return toRow(readFrame(raw) as Frame) as EventRow;
}

test("rows are newest first, never twice, and at most so many", () => {
  const some = addRows([], [row(1), row(2)]);
  expect(addRows(some, [row(2), row(3)]).map(({ id }) => id)).toEqual([3, 2, 1]);
  expect(addRows(some, [row(1)])).toBe(some);
  const many = addRows(
    some,
    Array.from({ length: maxRows }, (_, index) => row(index + 3)),
  );
  expect(many).toHaveLength(maxRows);
  expect(many[0]?.id).toBe(maxRows + 2);
});

test("what was trimmed before it could be shown is a row too", () => {
  expect(addRows([row(1)], [toRow(gap(2, 5)), row(6)])).toMatchObject([
    { kind: "event", id: 6 },
    { kind: "gap", from: 2, id: 5 },
    { kind: "event", id: 1 },
  ]);
});

test("data is on one line, with every digit as it came; no data is nothing", () => {
  expect(row(1).line).toBe("");
  const exact = row(1, '{"n":12345678901234567890,"f":1.0,"t":"a\\nb"}');
  expect(exact.line).toBe('{"n":12345678901234567890,"f":1.0,"t":"a\\nb"}');
  expect(JSON.stringify(parseExact(exact.data), null, 2)).toBe(
    '{\n  "n": 12345678901234567890,\n  "f": 1.0,\n  "t": "a\\nb"\n}',
  );
});

test("large data is cut", () => {
  const large = row(1, JSON.stringify("x".repeat(100_000)));
  expect(large.line.length).toBe(300);
  expect(large.cut).toBe(true);
  expect(large.data.length).toBe(2048);
});

test("older rows go below, and none is there twice", () => {
  const some = addRows([], [row(5), row(6)]);
  expect(addOlder(some, [row(3), row(4), row(5)]).map(({ id }) => id)).toEqual([6, 5, 4, 3]);
});

test("data of any number of levels is a row, as the text that it is", () => {
  const levels = 400_000;
  expect(row(1, `{"a":${"[".repeat(levels)}${"]".repeat(levels)}}`).data).toBe(`{"a":${"[".repeat(2043)}`);
  const deep = `{"a":${"[".repeat(150)}1.0${"]".repeat(150)},"b":",\\"source\\":\\",\\"data\\":"}`;
  expect(row(1, deep).data).toBe(deep);
});
