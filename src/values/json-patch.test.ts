import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import specTests from "json-patch-test-suite/spec_tests.json";
import suiteTests from "json-patch-test-suite/tests.json";
import { performJob } from "./document-job.ts";

interface SuiteTest {
  comment?: string;
  doc: unknown;
  patch: unknown;
  expected?: unknown;
  error?: string;
  disabled?: boolean;
}

/** What the text comes to, or the reason why not. */
function patched(document: string, patch: string, form: "merge" | "operations" | "either" = "operations") {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const result = performJob({ kind: "patch", document: bytes(document), patch: bytes(patch), form });
  return result.ok ? result.text : `${result.reason} ${result.details.path ?? ""}`.trim();
}

const suites: [string, SuiteTest[]][] = [
  ["the RFC's own", specTests],
  ["json-patch-tests", suiteTests],
];

describe.each(suites)("JSON patch: %s", (_, tests) => {
  const enabled = tests.filter(
    ({ disabled, expected, error }) => !disabled && (expected !== undefined || error),
  );
  test.each(
    enabled.map((each, index) => [`${index} ${each.comment ?? JSON.stringify(each.patch)}`, each] as const),
  )("%s", (_, { doc, patch, expected, error }) => {
    const outcome = patched(JSON.stringify(doc), JSON.stringify(patch));
    if (error) expect(outcome).toMatch(/^(bad_request|conflict)/);
    else expect(JSON.parse(outcome)).toEqual(expected);
  });
});

describe("JSON patch as edits of a text", () => {
  test("what is not touched keeps every character", () => {
    const text = '{ "id": 12345678901234567890 ,\n  "price": 1.10, "list" : [ 1.0 , 1e2 ], "__proto__": 1 }';
    expect(patched(text, '[{"op":"replace","path":"/list/1","value":98765432109876543210}]')).toBe(
      '{ "id": 12345678901234567890 ,\n  "price": 1.10, "list" : [ 1.0 , 98765432109876543210 ], "__proto__": 1 }',
    );
    expect(patched(text, '[{"op":"remove","path":"/price"}]')).toBe(
      '{ "id": 12345678901234567890, "list" : [ 1.0 , 1e2 ], "__proto__": 1 }',
    );
    expect(
      patched(text, '[{"op":"remove","path":"/id"},{"op":"move","from":"/__proto__","path":"/constructor"}]'),
    ).toBe('{ "price": 1.10, "list" : [ 1.0 , 1e2 ],"constructor":1 }');
  });

  test("copied and moved numbers keep their digits, and tests compare them to the last", () => {
    expect(patched('{"a":12345678901234567890}', '[{"op":"copy","from":"/a","path":"/b"}]')).toBe(
      '{"a":12345678901234567890,"b":12345678901234567890}',
    );
    const tests = (value: string) =>
      patched('{"a":12345678901234567890}', `[{"op":"test","path":"/a","value":${value}}]`);
    expect(tests("12345678901234567891")).toBe("conflict 0.value");
    expect(tests("1.234567890123456789e19")).toBe('{"a":12345678901234567890}');
  });

  test("a test knows no order of members, no white space and no way of writing", () => {
    const tests = (document: string, value: string) =>
      patched(document, `[{"op":"test","path":"","value":${value}}]`) === document;
    expect(tests('{"a":1,"b":[{"c":"ü","d":-0}]}', '{"b": [ {"d":0.0,"c":"\\u00fc"} ], "a": 10e-1}')).toBe(
      true,
    );
    expect(tests('{"a":1}', '{"a":1,"b":null}')).toBe(false);
    expect(tests("[1,2]", "[1,2,3]")).toBe(false);
    expect(tests('"1"', "1")).toBe(false);
    expect(tests("null", "false")).toBe(false);
    expect(tests("1e400", "1e401")).toBe(false);
  });

  test("a name that is there twice is one member", () => {
    expect(patched('{"a":1,"b":2,"a":3}', '[{"op":"remove","path":"/a"}]')).toBe('{"b":2}');
    expect(patched('{"a":1,"a":2}', '[{"op":"test","path":"/a","value":2}]')).toBe('{"a":1,"a":2}');
  });

  test("one operation that does not fit refuses all of them, and is named", () => {
    expect(patched('{"a":1}', '[{"op":"add","path":"/b","value":1},{"op":"remove","path":"/c"}]')).toBe(
      "conflict 1.path",
    );
    expect(patched('{"a":1}', '[{"op":"add","path":"/b","value":1},{"op":"grow","path":"/b"}]')).toBe(
      "bad_request 1.op",
    );
    expect(patched('{"a":{}}', '[{"op":"move","from":"/a","path":"/a/b"}]')).toBe("bad_request 0.from");
    expect(patched('{"a":1}', '[{"op":"remove","path":""}]')).toBe("bad_request 0.path");
    expect(patched('{"a":1}', '{"op":"remove","path":"/a"}')).toBe("bad_request body");
    expect(patched('{"a":1}', "[1]")).toBe("bad_request 0");
  });

  test("a patch that doubles the value each time is stopped at the limit", () => {
    const text = `{"a":"${"x".repeat(1000)}"}`;
    const doubling = Array.from({ length: 40 }, (_, index) => ({ op: "copy", from: "", path: `/b${index}` }));
    expect(patched(text, JSON.stringify(doubling))).toStartWith("too_large 1");
  });

  test("what is nested too deep is refused: the value, the patch, and what they come to", () => {
    const deep = (levels: number) => '{"a":'.repeat(levels) + "1" + "}".repeat(levels);
    expect(patched(deep(5000), "[]")).toBe("bad_request");
    expect(patched("{}", `[{"op":"add","path":"/a","value":${deep(5000)}}]`)).toBe("bad_request body");
    expect(patched(deep(700), `[{"op":"add","path":"${"/a".repeat(700)}","value":${deep(700)}}]`)).toBe(
      "bad_request body",
    );
    expect(patched("{}", deep(5000), "merge")).toBe("bad_request body");
    expect(patched(deep(900), deep(900).replace("1", "2"), "merge")).toBe(deep(900).replace("1", "2"));
  });
});

/** RFC 7386's own pseudocode, over parsed values. */
function mergeByTheBook(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
  const merged = new Map(isObject ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergeByTheBook(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

describe("merge patch", () => {
  test("does what the RFC's pseudocode does, to any value", () => {
    const name = fc.constantFrom("a", "b", "c", "__proto__", "ü", 'quo"te');
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, 1, "x", true, [1, null]),
        fc.dictionary(name, tie("value"), { maxKeys: 4, noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(value, value, fc.nat(2), (target, patch, indent) => {
        const text = patched(
          JSON.stringify(target, null, indent),
          JSON.stringify(patch, null, indent),
          "merge",
        );
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(mergeByTheBook(target, patch))));
      }),
      { numRuns: 2000 },
    );
  });

  test("what is not named keeps every character", () => {
    const text = '{ "a" : 1.10 ,\n "n": 12345678901234567890, "b": {"c":1e2,"d":2} }';
    expect(patched(text, '{"b":{"d":null,"e":1.0},"z":12345678901234567891}', "merge")).toBe(
      '{"a" : 1.10 ,\n "n": 12345678901234567890,"b": {"c":1e2,"e":1.0},"z":12345678901234567891}',
    );
    expect(patched(text, '{"a":null}', "merge")).toBe('{"n": 12345678901234567890, "b": {"c":1e2,"d":2}}');
  });

  test("where the type does not say, an array is a JSON patch", () => {
    expect(patched('{"a":1}', '[{"op":"remove","path":"/a"}]', "either")).toBe("{}");
    expect(patched('{"a":1}', ' {"a":2}', "either")).toBe('{"a":2}');
    expect(patched('{"a":1}', "[1]", "merge")).toBe("[1]");
  });
});
