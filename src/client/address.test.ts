import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { fillPath, serverAddress } from "./address.ts";

describe("paths", () => {
  test("a key's slashes stay slashes where URLs leave them alone", () => {
    expect(fillPath("/api/state/{key...}", { key: "api/openapi v2.json" })).toBe(
      "/api/state/api/openapi%20v2.json",
    );
  });

  test("beside empty parts and dots they are encoded", () => {
    for (const key of ["/a", "a/", "a//b", "./a", "a/..", "/"]) {
      expect(fillPath("/s/{key...}", { key })).toBe(`/s/${key.replaceAll("/", "%2F")}`);
    }
  });

  test("a parameter that is one segment never becomes two", () => {
    expect(fillPath("/api/specs/{project}/{name}", { project: "a/b", name: "c" })).toBe("/api/specs/a%2Fb/c");
  });

  test("what no URL can carry is refused by its name", () => {
    for (const key of [".", "..", "", "\ud800"])
      expect(() => fillPath("/s/{key...}", { key })).toThrow(/^key /);
    expect(() => fillPath("/s/{project}/{name}", { project: "..", name: "n" })).toThrow(/^project /);
    expect(() => fillPath("/s/{project}", {})).toThrow("project is required");
  });

  test("any other key comes through URLs as it is: parsed, split at slashes, each segment decoded once", () => {
    const awkward = fc.constantFrom(
      "/",
      ".",
      "%",
      "2",
      "F",
      "?",
      "#",
      "\\",
      " ",
      "\n",
      "é",
      "😀",
      "\u007f",
      "a",
    );
    const key = fc.array(awkward, { minLength: 1, maxLength: 12 }).map((units) => units.join(""));
    fc.assert(
      fc.property(key, (text) => {
        fc.pre(text !== "." && text !== "..");
        const { pathname, search, hash } = new URL(`http://x${fillPath("/s/{key...}", { key: text })}`);
        expect(search + hash).toBe("");
        expect(pathname.split("/").slice(2).map(decodeURIComponent).join("/")).toBe(text);
      }),
    );
  });
});

describe("server addresses", () => {
  test.each([
    ["localhost:9800", "http://localhost:9800"],
    ["http://localhost:9800/", "http://localhost:9800"],
    ["koor.example.com", "http://koor.example.com"],
    ["https://example.com/koor/", "https://example.com/koor"],
    ["[::1]:9800", "http://[::1]:9800"],
    [" 127.0.0.1:1\n", "http://127.0.0.1:1"],
  ])("%j is %s", (text, address) => {
    expect(serverAddress(text)).toBe(address);
  });

  test.each(["", ":9800", "ftp://x", "http://", "localhost:99999"])("%j is none", (text) => {
    expect(() => serverAddress(text)).toThrow("is not the address of a server");
  });
});
