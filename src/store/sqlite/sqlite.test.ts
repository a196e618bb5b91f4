import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chainHash } from "../../core/audit.ts";
import type { AuditRow } from "../../core/commit.ts";
import { commit, publish, put, testStore } from "../conformance.ts";
import { batchBytes, batchCommits } from "../group-commit.ts";
import { openSqlite } from "./open.ts";

const made: string[] = [];
function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "koor-store-"));
  made.push(path);
  return path;
}
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

testStore("SQLite", async () => {
  const clock = { now: 0 };
  const store = await openSqlite({ directory: directory(), now: () => clock.now });
  return { store, clock, dispose: () => store.close() };
});

describe("the SQLite file", () => {
  const now = () => 0;

  test("is owned by one server at a time; the second is told who holds it (DUR-3)", async () => {
    const path = directory();
    const first = await openSqlite({ directory: path, now, owner: "process 4711" });
    await expect(openSqlite({ directory: path, now })).rejects.toThrow(/in use by process 4711.*--data-dir/s);
    await first.close();
    const second = await openSqlite({ directory: path, now });
    await second.close();
  });

  test("keeps everything across closing and opening, the epoch too", async () => {
    const path = directory();
    const first = await openSqlite({ directory: path, now });
    await first.commit(commit(put("k", "a"), publish("t", "7")));
    const before = await first.heads();
    await first.close();
    const second = await openSqlite({ directory: path, now });
    expect(await second.heads()).toEqual(before);
    expect((await second.get("state", "k"))?.value).toEqual(new TextEncoder().encode("a"));
    expect(await second.events({ order: "newest", limit: 1 })).toMatchObject([{ id: 1, data: "7" }]);
    expect(await second.commit(commit(put("k", "b")))).toMatchObject({
      results: [{ record: { version: 2 } }],
    });
    await second.close();
  });

  test("is refused when a newer Koor wrote it, and left as it is", async () => {
    const path = directory();
    const store = await openSqlite({ directory: path, now });
    await store.close();
    const db = new Database(join(path, "data.db"));
    db.run("pragma user_version = 999");
    db.close();
    await expect(openSqlite({ directory: path, now })).rejects.toThrow(/newer Koor/);
    // The refusal let go of the lock.
    await expect(openSqlite({ directory: path, now })).rejects.toThrow(/newer Koor/);
  });

  test("is made with its directory, which nobody else can read", async () => {
    const path = join(directory(), "deep", "er");
    const store = await openSqlite({ directory: path, now });
    await store.commit(commit(put("k", "v")));
    await store.close();
    const { statSync } = await import("node:fs");
    expect(statSync(path).mode & 0o077).toBe(0);
  });

  test("holds an audit log in which each row's hash covers the row before it", async () => {
    const path = directory();
    const store = await openSqlite({ directory: path, now });
    for (const key of ["a", "b", "c"]) await store.commit(commit(put(key, key), publish("t")));
    const { auditHash } = await store.heads();
    await store.close();
    const db = new Database(join(path, "data.db"));
    const rows = db
      .query("select id, at, actor, action, resource, detail, outcome, hash from audit order by id")
      .all() as AuditRow[];
    db.close();
    let previous = "";
    for (const { hash, ...row } of rows) {
      expect(hash).toBe(chainHash(previous, row));
      previous = hash;
    }
    expect(previous).toBe(auditHash);
    expect(rows.map(({ id, resource }) => [id, resource])).toEqual([
      [1, "a"],
      [2, "b"],
      [3, "c"],
    ]);
  });

  test("is trimmed of what was written before the start, too", async () => {
    const path = directory();
    const retention = { keep: 2, spareMs: 0, spareBytes: 0 };
    const first = await openSqlite({ directory: path, now });
    for (let n = 0; n < 5; n++) await first.commit(commit(put("k", String(n)), put(`other${n}`, "v")));
    await first.trimHistory({ ...retention, keep: 4 }, 1);
    await first.close();
    const second = await openSqlite({ directory: path, now });
    await second.commit(commit(put("k", "5")));
    expect(await second.trimHistory(retention, 1)).toBe(3);
    expect((await second.history("state", "k", 10)).map(({ version }) => version)).toEqual([6, 5]);
    await second.close();
  });

  test("takes more at once than its writer holds, in order, and each value as it came", async () => {
    const store = await openSqlite({ directory: directory(), now });
    const sizes = [1, batchBytes + 1, 0, 1000, ...Array<number>(batchCommits + 1).fill(2)];
    const outcomes = await Promise.all(
      sizes.map((size, index) =>
        store.commit(commit(put(`k${index}`, String.fromCharCode(65 + (index % 26)).repeat(size)))),
      ),
    );
    expect(outcomes.map((outcome) => outcome.ok && outcome.revision)).toEqual(
      sizes.map((_, index) => index + 1),
    );
    for (const [index, size] of sizes.entries()) {
      const value = (await store.get("state", `k${index}`))?.value as Uint8Array;
      expect(Buffer.alloc(size, 65 + (index % 26)).equals(value)).toBe(true);
    }
    await store.close();
  });

  test("writes the same with one commit a transaction, as the benchmark asks for", async () => {
    const store = await openSqlite({ directory: directory(), now, batchCommits: 1 });
    const faulty = store.commit({ by: "", ops: [{ ...put("k", "v"), audit: undefined } as never] });
    const writes = ["a", "b", "c"].map((value) => store.commit(commit(put("k", value))));
    expect(await faulty.catch(String)).toMatch(/audit label/);
    expect(await Promise.all(writes)).toMatchObject([1, 2, 3].map((revision) => ({ ok: true, revision })));
    await store.close();
  });

  test("is whole after it was closed in the middle of many writes", async () => {
    const path = directory();
    const store = await openSqlite({ directory: path, now });
    const writes = Array.from({ length: 500 }, (_, index) => store.commit(commit(put(`k${index}`, "v"))));
    await store.close();
    expect((await Promise.all(writes)).every(({ ok }) => ok)).toBe(true);
    const db = new Database(join(path, "data.db"), { readonly: true });
    expect(db.query("pragma integrity_check").get()).toEqual({ integrity_check: "ok" });
    expect(db.query("select count(*) as n from records").get()).toEqual({ n: 500 });
    db.close();
  });
});
