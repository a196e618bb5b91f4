import { expect, test } from "bun:test";
import { prettyJson } from "./pretty.ts";

test("numbers of twenty digits keep them all, and 1.0 stays 1.0", async () => {
  expect(await prettyJson('{"n":12345678901234567890,"m":[1.0,1e400],"e":{}}')).toBe(
    '{\n  "n": 12345678901234567890,\n  "m": [\n    1.0,\n    1e400\n  ],\n  "e": {}\n}\n',
  );
});

test("texts inside are left alone", async () => {
  const text = '{"a":"{\\"b\\": [1,2]}","\\u00e9":"  "}';
  expect(await prettyJson(text)).toBe('{\n  "a": "{\\"b\\": [1,2]}",\n  "\\u00e9": "  "\n}\n');
});

test("what is indented already comes out the same but for white space", async () => {
  expect(await prettyJson('\n{ "a" :\n\n [ 1 ,\n 2 ] }\n\n')).toBe('{\n  "a": [\n    1,\n    2\n  ]\n}\n');
});

test("what is no JSON stays as it came", async () => {
  for (const text of ["", "# a plan", '{"a":1} {"b":2}', "{'a':1}", "// c\n{}"])
    expect(await prettyJson(text)).toBe(text);
});
