import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  JsonFault,
  checkJson,
  compactJson,
  endOf,
  enter,
  isNamed,
  nameOf,
  next,
  skipSpace,
  valueOf,
} from "./json-text.ts";

/** Enough for anything that fast-check makes. */
const depth = 1000;

function isJson(text: string): boolean {
  try {
    checkJson(text, depth);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(JsonFault);
    return false;
  }
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const json = fc
  .tuple(fc.jsonValue(), fc.nat(3))
  .map(([value, indent]) => JSON.stringify(value, null, indent));

describe("checking JSON", () => {
  test("takes what JSON.parse takes", () => {
    fc.assert(fc.property(json, (text) => expect(isJson(` ${text}\n`)).toBe(true)));
  });

  test("refuses what JSON.parse refuses, however little is wrong", () => {
    const noise = fc.constantFrom(...'{}[]",:\\0123456789.eE+-tfn \t\n\u0000\u2028ü/u'.split(""));
    const damaged = fc
      .tuple(json, fc.nat(), fc.nat(2), fc.array(noise, { maxLength: 3 }))
      .map(([text, place, cut, added]) => {
        const at = place % (text.length + 1);
        return text.slice(0, at) + added.join("") + text.slice(at + cut);
      });
    fc.assert(
      fc.property(damaged, (text) => expect(isJson(text)).toBe(parses(text))),
      { numRuns: 20_000 },
    );
    for (const text of [
      "",
      " ",
      "[1,]",
      '{"a":1,}',
      "[1 2]",
      '{"a" 1}',
      "01",
      "1.",
      "-",
      "+1",
      "nul",
      '"\\x"',
      '"\\u12g4"',
      '"\t"',
      '"a',
      "[",
      "[]]",
      "{]",
      "\u00a01",
      "NaN",
    ])
      expect(isJson(text)).toBe(false);
  });

  test("refuses what is nested deeper than allowed, and counts without recursion", () => {
    const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
    expect(() => checkJson(nested(1000), 1000)).not.toThrow();
    expect(() => checkJson(nested(1001), 1000)).toThrow("nested deeper than 1000 levels");
    expect(() => checkJson(nested(1_000_000), 2_000_000)).not.toThrow();
  });
});

describe("parts of a document", () => {
  test("are those that JSON.parse finds, at their places", () => {
    fc.assert(
      fc.property(json, (text) => {
        const value: unknown = JSON.parse(text);
        const parts: [string | undefined, unknown][] = [];
        for (const part = enter(text, skipSpace(text, 0)); next(text, part);) {
          const name = Array.isArray(value) ? undefined : nameOf(text, part);
          if (name !== undefined) {
            expect(isNamed(text, part, name)).toBe(true);
            expect(isNamed(text, part, `${name}x`)).toBe(false);
            expect(isNamed(text, part, JSON.stringify(name).slice(1, -1))).toBe(
              !JSON.stringify(name).includes("\\"),
            );
          }
          parts.push([name, JSON.parse(valueOf(text, part))]);
        }
        if (Array.isArray(value)) expect(parts).toEqual(value.map((item) => [undefined, item]));
        else if (typeof value === "object" && value !== null) {
          const names = parts.map(([name]) => name);
          expect(new Set(names)).toEqual(new Set(Object.keys(value)));
          for (const [name, part] of parts)
            expect(part).toEqual((value as Record<string, unknown>)[name as string]);
        } else expect(parts).toEqual([]);
      }),
    );
  });

  test("end where they end, whatever follows", () => {
    fc.assert(
      fc.property(json, fc.constantFrom("", " ", ",1", "]", "}"), (text, after) => {
        expect(endOf(text + after, 0)).toBe(text.length);
      }),
    );
  });
});

test("compact JSON is what JSON.stringify writes, but that numbers stay as they are", () => {
  fc.assert(
    fc.property(json, (text) => expect(compactJson(text)).toBe(JSON.stringify(JSON.parse(text)))),
    {
      // fast-check knows -0, which JSON.stringify writes as 0.
      examples: [['[ 0 , { "a b" : "c\\" d" } ]']],
    },
  );
  expect(compactJson(' { "n" : 1.10 , "s" : " a " } ')).toBe('{"n":1.10,"s":" a "}');
});
