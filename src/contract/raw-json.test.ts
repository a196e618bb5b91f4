import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RawJson, rawMembers, stringify } from "./raw-json.ts";

describe("raw members", () => {
  test("keep every digit and lose only white space between tokens", () => {
    const text = '{ "data" : { "n": 12345678901234567890 , "s" : " a \\u0020 {" }, "topic": "t" }';
    expect(rawMembers(text, ["data"]).get("data")?.text).toBe(
      '{"n":12345678901234567890,"s":" a \\u0020 {"}',
    );
  });

  test("mean the same as JSON.parse, whatever the document", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (others, data) => {
        const text = JSON.stringify({ ...others, data }, null, 2);
        const raw = rawMembers(text, ["data"]).get("data") as RawJson;
        expect(JSON.parse(raw.text)).toEqual(JSON.parse(text).data);
        expect(raw.text).not.toContain("\n");
      }),
    );
  });

  test("of a name that is there twice the last counts; a name written with escapes is the same name", () => {
    expect(rawMembers('{"data":1,"data":2}', ["data"]).get("data")?.text).toBe("2");
    expect(rawMembers('{"d\\u0061ta":3}', ["data"]).get("data")?.text).toBe("3");
  });

  test("what is no object has none", () => {
    for (const text of ["[]", "1", '"data"', "null"]) expect(rawMembers(text, ["data"]).size).toBe(0);
  });

  test("a document of a hundred thousand levels is walked without recursion", () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    expect(rawMembers(`{"data":${deep}}`, ["data"]).get("data")?.text).toBe(deep);
  });
});

test("stringify puts raw texts in as they are, and is JSON.stringify otherwise", () => {
  const raw = new RawJson("1.10");
  expect(stringify({ a: raw, b: undefined, c: [1] })).toBe('{"a":1.10,"c":[1]}');
  expect(stringify([{ a: raw }, { a: raw }])).toBe('[{"a":1.10},{"a":1.10}]');
  fc.assert(fc.property(fc.jsonValue(), (value) => expect(stringify(value)).toBe(JSON.stringify(value))));
});
