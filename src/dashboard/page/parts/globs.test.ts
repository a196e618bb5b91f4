import { expect, test } from "bun:test";
import { compileGlob, compileGlobs } from "../../../core/glob.ts";
import { globOf, globOfWord, globsOf, quoted } from "./globs.ts";

test("words are found as parts, wildcards make a glob of them, and quotes the whole text", () => {
  expect(globOf("")).toBe("");
  expect(globOf("ada")).toBe("*ada*");
  expect(globOf("a?a")).toBe("a?a");
  for (const text of ["plan/[1]", "{a,b}", "a*", "a, b", "\\", '"', "new\nline"]) {
    for (const glob of [compileGlob(globOf(quoted(text))), compileGlobs(globsOf(quoted(text)))])
      expect([glob.kind, glob.prefix]).toEqual(["exact", text]);
  }
});

test("several patterns of topics may be typed with commas and spaces between", () => {
  expect(globsOf("build, test.*.failed,, ")).toBe("*build*,test.*.failed");
  expect(globsOf("build.{ios,web}.*")).toBe("build.{ios,web}.*");
  expect(globsOf(" , ")).toBe("");
});

test("a word is found in upper and lower case, whatever is in it", () => {
  for (const word of ["plan", "PLAN/é", "[1]", "a*b", "{x,y}", "\\", "straße", "-]^"]) {
    for (const text of [`x${word}y`, word.toLowerCase(), word])
      expect(compileGlob(globOfWord(word)).test(text)).toBe(true);
    expect(compileGlob(globOfWord(word)).test("other")).toBe(false);
  }
  expect(compileGlob(globOfWord("plan")).test("the PLan")).toBe(true);
  expect(compileGlob(globOfWord("a*b")).test("a-b")).toBe(false);
  expect(() => compileGlob(globOfWord("é".repeat(4000)))).not.toThrow();
});
