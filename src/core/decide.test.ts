import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Commit, type Op, type RecordHead, emptyHeads, entityTag, recordId } from "./commit.ts";
import { chainHash } from "./audit.ts";
import { type Before, decide } from "./decide.ts";

const put = (key: string, guard?: object): Op => ({
  kind: "put",
  collection: "state",
  key,
  value: new TextEncoder().encode(key),
  contentType: "text/plain",
  audit: { action: "state.put", resource: key },
  ...(guard && { guard }),
});
const remove = (key: string, guard?: object): Op => ({
  kind: "delete",
  collection: "state",
  key,
  audit: { action: "state.delete", resource: key },
  ...(guard && { guard }),
});
const nothing: Before = { heads: emptyHeads, records: new Map() };
const one = (...ops: Op[]): Commit => ({ ops, by: "alice" });

describe("decide", () => {
  test("the same batch gives the same decision, and the input is left alone", () => {
    const batch = [one(put("a"), { kind: "append", topic: "t", data: "1", source: "" }), one(remove("a"))];
    const before = structuredClone(nothing);
    expect(decide(batch, nothing, 5)).toEqual(decide(batch, nothing, 5));
    expect(nothing).toEqual(before);
  });

  test("a guard sees the commits before it in the batch, but not its own commit", () => {
    const { outcomes } = decide(
      [one(put("a")), one(put("a", { version: 1 })), one(put("b"), put("b", { exists: true }))],
      nothing,
      0,
    );
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, false]);
  });

  test("what is gone is not deleted again, where no tombstone stays: neither in another batch nor in the same", () => {
    const gone: Op = {
      kind: "delete",
      collection: "leases",
      key: "l",
      guard: { ended: true },
      audit: { action: "lease.expire", resource: "l" },
    };
    const lease = { ...put("l"), collection: "leases", ttlMs: 5 } as Op;
    const { records, ...born } = decide([one(lease)], nothing, 0).versions.reduce(
      (before, { head }) => ({ ...before, records: new Map([[recordId("leases", "l"), head]]) }),
      nothing,
    );
    const swept = decide([one(gone), one(gone)], { ...born, records }, 5);
    expect(swept.audit).toHaveLength(1);
    expect(swept.versions).toHaveLength(1);
    expect(decide([one(gone)], nothing, 5)).toMatchObject({
      audit: [],
      versions: [],
      outcomes: [{ ok: true }],
    });
  });

  test("a change that says so leaves no audit row", () => {
    const lease = { ...put("l"), collection: "leases", audit: false } as Op;
    expect(decide([one(lease)], nothing, 0)).toMatchObject({ audit: [], outcomes: [{ ok: true }] });
    expect(() => decide([one({ ...lease, audit: undefined } as unknown as Op)], nothing, 0)).toThrow(
      "no audit label",
    );
  });

  test("an entity tag is of one state only: a key deleted and written again has another", () => {
    const { versions } = decide([one(put("a")), one(remove("a")), one(put("a"))], nothing, 0);
    const tags = versions
      .filter(({ head }) => !head.deleted)
      .map(({ head }) => entityTag(head.version, head.hash));
    expect(new Set(tags).size).toBe(2);
  });

  test("a guard's tag list names the record or not", () => {
    const { versions } = decide([one(put("a"))], nothing, 0);
    const head = versions[0]?.head as RecordHead;
    const before: Before = { heads: emptyHeads, records: new Map([[recordId("state", "a"), head]]) };
    const tag = entityTag(head.version, head.hash);
    const holds = (guard: object) => decide([one(put("a", guard))], before, 0).outcomes[0]?.ok;
    expect(holds({ match: [tag] })).toBe(true);
    expect(holds({ match: ["other", tag] })).toBe(true);
    expect(holds({ match: "*" })).toBe(true);
    expect(holds({ match: [] })).toBe(false);
    expect(holds({ noneMatch: [tag] })).toBe(false);
    expect(holds({ noneMatch: "*" })).toBe(false);
    expect(holds({ noneMatch: ["other"] })).toBe(true);
  });

  test("the audit chain joins batches, and a changed row breaks it", () => {
    const first = decide([one(put("a"))], nothing, 1);
    const second = decide([one(put("b")), one(put("c"))], { heads: first.heads, records: new Map() }, 2);
    const rows = [...first.audit, ...second.audit];
    expect(rows.map(({ id, actor }) => [id, actor])).toEqual([
      [1, "alice"],
      [2, "alice"],
      [3, "alice"],
    ]);
    let previous = "";
    for (const { hash, ...row } of rows) {
      expect(chainHash(previous, row)).toBe(hash);
      expect(chainHash(previous, { ...row, resource: "forged" })).not.toBe(hash);
      previous = hash;
    }
    expect(second.heads.auditHash).toBe(previous);
  });

  test("versions of a key are consecutive and never reused, whatever is written, deleted and refused (CAS-2)", () => {
    const op = fc.record({
      key: fc.constantFrom("a", "b"),
      kind: fc.constantFrom("put", "delete"),
      guard: fc.option(fc.nat(6), { nil: undefined }),
    });
    const batches = fc.array(fc.array(op, { minLength: 1, maxLength: 4 }), { maxLength: 12 });
    fc.assert(
      fc.property(batches, (program) => {
        let before: Before = nothing;
        const model = new Map<string, { version: number; live: boolean }>();
        const used = new Set<string>();
        for (const batch of program) {
          const commits = batch.map(({ key, kind, guard }) => {
            const condition = guard === undefined ? undefined : { version: guard };
            return one(kind === "put" ? put(key, condition) : remove(key, condition));
          });
          const decision = decide(commits, before, 0);
          for (const [index, { key, kind, guard }] of batch.entries()) {
            const now = model.get(key) ?? { version: 0, live: false };
            const holds = guard === undefined || guard === (now.live ? now.version : 0);
            expect(decision.outcomes[index]?.ok).toBe(holds);
            if (holds) model.set(key, { version: now.version + 1, live: kind === "put" });
          }
          for (const { head } of decision.versions) {
            const name = `${head.key}@${head.version}`;
            expect(used.has(name)).toBe(false);
            used.add(name);
          }
          const records = new Map(before.records);
          for (const { head } of decision.versions) records.set(recordId("state", head.key), head);
          before = { heads: decision.heads, records };
        }
        for (const [key, { version }] of model) {
          for (let number = 1; number <= version; number++) expect(used.has(`${key}@${number}`)).toBe(true);
        }
        const live = [...model.values()].filter((entry) => entry.live).length;
        expect(before.heads.live.state).toBe(live);
      }),
      { numRuns: 300 },
    );
  });
});
