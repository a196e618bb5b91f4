import { expect, test } from "bun:test";
import fc from "fast-check";
import { readFrame, splitArray } from "./frames.ts";

test("an event keeps the text that came", () => {
  const raw = '{"id":7,"topic":"t","data":12345678901234567890,"source":"","created_at":"x"}';
  expect(readFrame(raw)).toMatchObject({ kind: "event", raw, event: { id: 7 } });
});

test("hello and gap are told from events", () => {
  expect(readFrame('{"hello":{"epoch":"e","last_id":4}}')).toEqual({ kind: "hello", epoch: "e", lastId: 4 });
  expect(readFrame('{"gap":{"from":1,"to":9}}')).toMatchObject({ kind: "gap", from: 1, to: 9 });
});

test("frames of later versions are passed over", () => {
  for (const raw of ["", "no json", "null", "7", "[]", '{"something":"new"}'])
    expect(readFrame(raw)).toBeUndefined();
});

test("an array's items keep their texts", () => {
  expect(splitArray('[ {"n":12345678901234567890,"a":[1,2]} ,"x,]\\"", {} ]')).toEqual([
    '{"n":12345678901234567890,"a":[1,2]}',
    '"x,]\\""',
    "{}",
  ]);
  expect(splitArray("[]")).toEqual([]);
  expect(splitArray(" [ ] ")).toEqual([]);
});

test("any array comes apart into what it was put together from", () => {
  fc.assert(
    fc.property(fc.array(fc.json()), fc.boolean(), (items, spaced) => {
      const text = `[${items.join(spaced ? " , " : ",")}]`;
      expect(splitArray(text)).toEqual(items);
    }),
  );
});
