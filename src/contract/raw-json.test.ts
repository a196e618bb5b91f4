import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RawJson, keepRaw, stringify } from "./raw-json.ts";

/** The member at a dotted path, as the text that came in. */
function raw(text: string, path = "data"): string | undefined {
  const value = JSON.parse(text);
  keepRaw(value, text, [path]);
  const found = path.split(".").reduce((holder, name) => holder?.[name], value);
  return found instanceof RawJson ? found.text : undefined;
}

describe("raw members", () => {
  test("keep every character", () => {
    const text = '{ "data" : { "n": 12345678901234567890 , "s" : " a \\u0020 {" }, "topic": "t" }';
    expect(raw(text)).toBe('{ "n": 12345678901234567890 , "s" : " a \\u0020 {" }');
  });

  test("mean the same as JSON.parse, whatever the document", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (others, data) => {
        const text = JSON.stringify({ ...others, data }, null, 2);
        expect(JSON.parse(raw(text) as string)).toEqual(JSON.parse(text).data);
      }),
    );
  });

  test("may stand inside others, in each item of an array", () => {
    const value = JSON.parse('{"do":[{"put":{"value":1.0}},{"delete":{}},{"put":{}},{"put":{"value":1e2}}]}');
    keepRaw(value, '{"do":[{"put":{"value":1.0}},{"delete":{}},{"put":{}},{"put":{"value":1e2}}]}', [
      "do.*.put.value",
    ]);
    expect(value).toEqual({
      do: [
        { put: { value: new RawJson("1.0") } },
        { delete: {} },
        { put: {} },
        { put: { value: new RawJson("1e2") } },
      ],
    });
  });

  test("of a name that is there twice the last counts; a name written with escapes is the same name", () => {
    expect(raw('{"data":1,"data":2}')).toBe("2");
    expect(raw('{"d\\u0061ta":3}')).toBe("3");
  });

  test("what is no object has none", () => {
    for (const text of ["[]", "1", '"data"', "null"]) expect(raw(text)).toBeUndefined();
  });

  test("a document of a hundred thousand levels is walked without recursion", () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    expect(raw(`{"data":${deep}}`)).toBe(deep);
  });
});

test("stringify puts raw texts in as they are, and is JSON.stringify otherwise", () => {
  const raw = new RawJson("1.10");
  expect(stringify({ a: raw, b: undefined, c: [1] })).toBe('{"a":1.10,"c":[1]}');
  expect(stringify([{ a: raw }, { a: raw }])).toBe('[{"a":1.10},{"a":1.10}]');
  fc.assert(fc.property(fc.jsonValue(), (value) => expect(stringify(value)).toBe(JSON.stringify(value))));
});
