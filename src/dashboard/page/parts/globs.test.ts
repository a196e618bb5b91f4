import { expect, test } from "bun:test";
import { compileGlob, compileGlobs } from "../../../core/glob.ts";
import { globOf, globsOf, quoted } from "./globs.ts";

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
