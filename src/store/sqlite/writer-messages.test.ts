import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { KoorError } from "../../contract/errors.ts";
import type { Commit, Op } from "../../core/commit.ts";
import {
  type Fault,
  movedWith,
  packCommit,
  packError,
  unpackCommit,
  unpackError,
} from "./writer-messages.ts";

/** As the other side gets it: the text as it is, the bytes moved out of reach. */
function sent(commit: Commit): Commit {
  const packed = packCommit(commit);
  return unpackCommit({ ...packed, bytes: structuredClone(packed.bytes, { transfer: movedWith(packed) }) });
}

const text = fc.string({ unit: "binary", maxLength: 20 });
const guard = fc.record(
  {
    version: fc.nat(),
    match: fc.oneof(fc.constant("*" as const), fc.array(text)),
    exists: fc.boolean(),
    untouchedSince: fc.nat(),
  },
  { requiredKeys: [] },
);
const audit = fc.record({ action: text, resource: text });
const collection = fc.constantFrom("state", "specs", "instances");
const named = { collection, key: text };
const op = fc.oneof(
  fc.record(
    {
      kind: fc.constant("put"),
      ...named,
      value: fc.uint8Array({ maxLength: 50 }),
      contentType: text,
      touch: fc.boolean(),
      guard,
      audit,
    },
    { requiredKeys: ["kind", "collection", "key", "value", "contentType"] },
  ),
  fc.record(
    { kind: fc.constant("delete"), ...named, guard, audit },
    { requiredKeys: ["kind", "collection", "key"] },
  ),
  fc.record({ kind: fc.constant("guard"), ...named, guard }),
  fc.record({ kind: fc.constant("append"), topic: text, data: text, source: text }),
) as fc.Arbitrary<Op>;

describe("a commit on its way to the writer", () => {
  test("is not copied where its memory is shared", () => {
    const value = new Uint8Array(new SharedArrayBuffer(3));
    value.set([1, 2, 3]);
    const packed = packCommit({
      by: "",
      ops: [{ kind: "put", collection: "state", key: "k", value, contentType: "" }],
    });
    expect(packed.bytes).toBe(value);
    expect(movedWith(packed)).toEqual([]);
  });

  test("comes out as it went in, bytes and any text, and leaves the sender's alone", () => {
    fc.assert(
      fc.property(fc.record({ by: text, ops: fc.array(op, { maxLength: 5 }) }), (commit) => {
        const before = structuredClone(commit);
        expect(sent(commit)).toEqual(before);
        expect(commit).toEqual(before);
      }),
    );
  });

  test("takes along what it does not know", () => {
    const op = {
      kind: "put",
      collection: "state",
      key: "k",
      value: new Uint8Array([7]),
      contentType: "",
      later: [1],
    };
    const commit = { by: "", ops: [op], note: { deep: "x" } } as unknown as Commit;
    expect(sent(commit)).toEqual(commit);
  });

  test("copies only the bytes that are the value's", () => {
    const value = new Uint8Array(1000).subarray(10, 13);
    const put: Op = { kind: "put", collection: "state", key: "k", value, contentType: "" };
    expect(packCommit({ by: "", ops: [put] }).bytes.buffer.byteLength).toBe(3);
  });
});

describe("a fault on its way back", () => {
  const sentBack = (error: unknown) => unpackError(JSON.parse(JSON.stringify(packError(error))) as Fault);

  test("stays what the caller is meant to see", () => {
    const error = sentBack(new KoorError("unavailable", "not now", { retryAfter: 1 }));
    expect(error).toBeInstanceOf(KoorError);
    expect(error).toMatchObject({ reason: "unavailable", message: "not now", details: { retryAfter: 1 } });
  });

  test("or stays a fault of the program, whatever was thrown", () => {
    expect(sentBack(new TypeError("x is undefined"))).not.toBeInstanceOf(KoorError);
    expect(sentBack(new TypeError("x is undefined")).message).toBe("x is undefined");
    expect(sentBack("a text").message).toBe("a text");
  });
});
