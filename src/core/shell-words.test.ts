import { expect, test } from "bun:test";
import { shellWords } from "./shell-words.ts";

test("names are quoted where a shell would read more into them", () => {
  expect(shellWords(["plan/v1.2", "src/**", "a b; $(c)"], "PATHS")).toBe("plan/v1.2 'src/**' 'a b; $(c)'");
});

test("names that no quotes hold, that one line does not show, or that are long, are left to be filled in", () => {
  for (const name of [
    "it's",
    "a\u2019;b",
    "a\nb",
    "a\u202eb",
    "--all",
    "",
    "x".repeat(201),
    "a\\",
    'a"b',
    "`id`",
    "a&b",
    "%x%",
  ])
    expect(shellWords(["plan", name], "KEYS")).toBe("KEYS");
});

test("what a shell is given is read as the names were", () => {
  const names = ["plan", "$HOME", "a b", "!x", "~", "*", "a=b", "#"];
  const { stdout } = Bun.spawnSync(["sh", "-c", `printf '%s\\n' ${shellWords(names, "NONE")}`]);
  expect(stdout.toString().trimEnd().split("\n")).toEqual(names);
});
