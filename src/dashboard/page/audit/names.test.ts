import { expect, test } from "bun:test";
import type { AuditEntry, Instance, Lease } from "../server.ts";
import { namesOf, sayDetail } from "./names.ts";

const entry = (
  action: string,
  resource: string,
  detail: object | string = {},
  actor = "ada",
): AuditEntry => ({
  id: 1,
  timestamp: "2026-11-01T12:00:00.000Z",
  actor,
  action,
  resource,
  detail: typeof detail === "string" ? detail : JSON.stringify(detail),
  outcome: "ok",
});

test("leases are called by their paths and instances by their names, also those that are gone", () => {
  const rows = [
    entry("lease.release", "l1", { version: 2, holder: "ada", paths: "docs/**, README.md" }),
    entry("lease.renew", "l1", { reason: "forbidden" }),
    entry("instance.register", "i1", {}, "grace"),
    entry("state.put", "plan", { paths: "no/path" }),
    entry("lease.acquire", "l3", "not JSON"),
  ];
  const instances = [{ id: "i2", name: "joan" }] as Instance[];
  const leases = [
    { id: "l2", resource: "", paths: ["a", "b"] },
    { id: "l4", resource: "gpu", paths: [] as string[] },
  ] as Lease[];
  expect([...namesOf(rows, instances, leases)]).toEqual([
    ["l1", "docs/**, README.md"],
    ["i1", "grace"],
    ["l2", "a, b"],
    ["l4", "gpu"],
    ["i2", "joan"],
  ]);
});

test("a detail is words, without what the row says anyhow", () => {
  expect(sayDetail(entry("lease.acquire", "l", { version: 1, holder: "ada", paths: "a" }))).toBe(
    "version 1 · holder ada",
  );
  expect(sayDetail(entry("instance.register", "i", { version: 1, unverified: true }))).toBe(
    "version 1 · unverified",
  );
  for (const detail of ["{}", "null", "[", "7"]) expect(sayDetail(entry("x", "y", detail))).toBe("");
});
