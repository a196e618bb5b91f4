import { expect, test } from "bun:test";
import { parseArguments } from "./arguments.ts";

const flagsOf = (...argv: string[]) => Object.fromEntries(parseArguments(argv).flags);

test("flags may stand anywhere, with a space or =, with hyphens or underscores", () => {
  const { positionals, flags } = parseArguments([
    "--limit",
    "5",
    "state",
    "--if_match=a=b",
    "get",
    "-o",
    "f",
    "k",
  ]);
  expect(positionals).toEqual(["state", "get", "k"]);
  expect(Object.fromEntries(flags)).toEqual({ limit: "5", "if-match": "a=b", output: "f" });
});

test("--pretty is taken anywhere and is no value's beginning", () => {
  expect(parseArguments(["--pretty", "state", "list"])).toMatchObject({
    pretty: true,
    positionals: ["state", "list"],
  });
  expect(parseArguments(["state", "list", "--pretty"]).pretty).toBe(true);
});

test("the text of --data may look like a flag, a dash or help", () => {
  expect(flagsOf("--data", "--pretty")).toEqual({ data: "--pretty" });
  expect(flagsOf("--data", "-h")).toEqual({ data: "-h" });
  expect(flagsOf("--data=")).toEqual({ data: "" });
  expect(flagsOf("--data", "-5")).toEqual({ data: "-5" });
});

test("after -- nothing is a flag", () => {
  expect(parseArguments(["state", "get", "--", "--help"])).toMatchObject({
    help: false,
    positionals: ["state", "get", "--help"],
  });
});

test("a lone dash is a word: standard input", () => {
  expect(parseArguments(["state", "set", "k", "-"]).positionals).toEqual(["state", "set", "k", "-"]);
});

test("help is heard wherever it stands, also where a value is missing", () => {
  for (const argv of [
    ["-h"],
    ["state", "--help"],
    ["state", "get", "k", "-h"],
    ["events", "history", "--last", "--help"],
  ]) {
    expect(parseArguments(argv).help).toBe(true);
  }
});

test("--version alone asks for the version; after a command it has a value", () => {
  expect(parseArguments(["--version"]).version).toBe(true);
  expect(parseArguments(["state", "rollback", "k", "--version", "3"])).toMatchObject({ version: false });
  expect(flagsOf("state", "rollback", "k", "--version", "3")).toEqual({ version: "3" });
});

test("a flag without its value is told from one with an empty one", () => {
  expect(parseArguments(["--limit"]).valueless).toBe("limit");
  expect(parseArguments(["--file", "--type", "x"]).valueless).toBe("file");
  expect(parseArguments(["--limit="]).valueless).toBeUndefined();
});

test("a flag that is given twice, or unreadable, is refused with its name", () => {
  expect(() => parseArguments(["--limit", "1", "--limit", "2"])).toThrow("--limit is given twice");
  expect(() => parseArguments(["state", "get", "-foo"])).toThrow("what is -foo?");
  expect(() => parseArguments(["--pretty=yes"])).toThrow("--pretty takes no value");
});
