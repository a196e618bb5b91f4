import { afterAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { KoorError } from "../contract/errors.ts";
import { diffRows } from "./diff.ts";
import { inlineBytes, openDocuments } from "./documents.ts";

const documents = openDocuments();
afterAll(() => documents.close());

const bytes = (text: string) => new TextEncoder().encode(text);
const refusal = async (work: Promise<unknown>) => {
  const { reason, details } = await work.then(
    () => expect.unreachable("was not refused"),
    (error: unknown) => error as KoorError,
  );
  return `${reason} ${details.path ?? ""}`.trim();
};
const pick = async (document: string, pointer: string) =>
  (await documents.run({ kind: "pick", document: bytes(document), pointer })).text;
const diff = async (before: string, after: string) =>
  JSON.parse((await documents.run({ kind: "diff", before: bytes(before), after: bytes(after) })).text);
/** Makes a document one for the workers. */
const large = (document: string) => `${document}${" ".repeat(inlineBytes)}`;

describe("picking a part", () => {
  test("gives it as it is written", async () => {
    const text =
      '{ "a/b": { "m~n": [ 0, {"n": 12345678901234567890, "s": "\\u00fc"} ] }, "": 1.10, "__proto__": 2 }';
    expect(await pick(text, "/a~1b/m~0n/1")).toBe('{"n": 12345678901234567890, "s": "\\u00fc"}');
    expect(await pick(text, "/a~1b/m~0n/1/n")).toBe("12345678901234567890");
    expect(await pick(text, "/")).toBe("1.10");
    expect(await pick(text, "/__proto__")).toBe("2");
    expect(await pick(` ${text}\n`, "")).toBe(text);
    expect(await pick(large(text), "/a~1b/m~0n/0")).toBe("0");
  });

  test("of every part of any value", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 3 }), fc.nat(2), async (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const walk = async (part: unknown, pointer: string): Promise<void> => {
          expect(JSON.parse(await pick(text, pointer))).toEqual(JSON.parse(JSON.stringify(part)));
          if (typeof part !== "object" || part === null) return;
          for (const [name, member] of Object.entries(part))
            await walk(member, `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
        };
        await walk(value, "");
      }),
    );
  });

  test("says what leads to nothing, what is no pointer, and what is no JSON", async () => {
    for (const pointer of ["/b", "/a/2", "/a/-", "/a/01", "/a/0/x", "/toString", "/a/length"])
      expect(await refusal(pick('{"a":[0,1]}', pointer))).toBe("not_found pick");
    for (const pointer of ["a", "/~", "/~2"])
      expect(await refusal(pick("{}", pointer))).toBe("bad_request pick");
    for (const text of ["", "{", "# text", '{"a":1,}', "{} {}"]) {
      expect(await refusal(pick(text, "/a"))).toBe("bad_request");
      expect(await refusal(pick(large(text), "/a"))).toBe("bad_request");
    }
    const binary = documents.run({ kind: "pick", document: new Uint8Array([0x22, 0xff, 0x22]), pointer: "" });
    expect(await refusal(binary)).toBe("bad_request");
    expect(await refusal(pick("[".repeat(5000) + "]".repeat(5000), "/0"))).toBe("bad_request");
  });
});

describe("comparing", () => {
  test("says what was removed, replaced and added, objects looked into, arrays whole", async () => {
    const before = '{"same":[1,{"a":1}],"gone":1,"deep":{"x":{"y":1},"z":1},"list":[1,2],"kind":{}}';
    const after =
      '{"deep":{"x":{"y":2},"z":1},"same":[ 1.0, {"a":1e0} ],"list":[2,1],"kind":[],"a/b~c":null}';
    expect(await diff(before, after)).toEqual([
      { operation: "remove", path: "/gone", old_value: 1 },
      { operation: "replace", path: "/deep/x/y", old_value: 1, new_value: 2 },
      { operation: "replace", path: "/list", old_value: [1, 2], new_value: [2, 1] },
      { operation: "replace", path: "/kind", old_value: {}, new_value: [] },
      { operation: "add", path: "/a~1b~0c", new_value: null },
    ]);
    expect(await diff(large(before), large(before))).toEqual([]);
  });

  test("sees the last of twenty digits", async () => {
    const job = {
      kind: "diff",
      before: bytes('{"n":12345678901234567890}'),
      after: bytes('{"n":12345678901234567891}'),
    } as const;
    expect((await documents.run(job)).text).toBe(
      '[{"operation":"replace","path":"/n","old_value":12345678901234567890,"new_value":12345678901234567891}]',
    );
  });

  test("makes a patch that leads from the one to the other", async () => {
    const name = fc.constantFrom("a", "b", "~/", "__proto__");
    const { object } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 3 }, fc.constantFrom(null, 1, "x", [1], {}), tie("object")),
      object: fc.dictionary(name, tie("value"), { maxKeys: 4, noNullPrototype: true }),
    }));
    await fc.assert(
      fc.asyncProperty(object, object, async (a, b) => {
        const rows = await diff(JSON.stringify(a), JSON.stringify(b));
        const patch = rows.map(({ operation, path, new_value }: any) => ({
          op: operation,
          path,
          value: new_value,
        }));
        const job = {
          kind: "patch",
          document: bytes(JSON.stringify(a)),
          patch: bytes(JSON.stringify(patch)),
          form: "operations",
        } as const;
        expect(JSON.parse((await documents.run(job)).text)).toEqual(JSON.parse(JSON.stringify(b)));
      }),
    );
  });

  test("is refused where one is no object, and cut where there is too much", async () => {
    expect(await refusal(diff("[]", "{}"))).toBe("bad_request diff");
    expect(await refusal(diff("{}", "text"))).toBe("bad_request");
    const many = JSON.stringify(
      Object.fromEntries(Array.from({ length: diffRows + 1 }, (_, at) => [`k${at}`, at])),
    );
    const cut = await documents.run({ kind: "diff", before: bytes("{}"), after: bytes(many) });
    expect(cut.truncated).toBe(true);
    expect(JSON.parse(cut.text)).toHaveLength(diffRows);
  });
});

test("a patch over its budget is stopped, while the event loop goes on and others are served", async () => {
  const hard = openDocuments({ budgetMs: 300 });
  const patch = JSON.stringify(Array.from({ length: 10_000 }, () => ({ op: "add", path: "/-", value: 1 })));
  const job = {
    kind: "patch",
    document: bytes(`[${"1,".repeat(1_000_000)}1]`),
    patch: bytes(patch),
    form: "either",
  } as const;
  let turns = 0;
  const loop = setInterval(() => turns++, 1);
  const outcome = refusal(hard.run(job));
  expect((await hard.run({ kind: "pick", document: bytes(large('{"a":1}')), pointer: "/a" })).text).toBe("1");
  expect(await outcome).toBe("over_budget");
  clearInterval(loop);
  expect(turns).toBeGreaterThan(2);
  await hard.close();
  expect(await refusal(hard.run(job))).toBe("unavailable");
});

test("more than may wait is refused, and told when to come back", async () => {
  const busy = openDocuments();
  const document = bytes(large("{}"));
  const all = await Promise.allSettled(
    Array.from({ length: 60 }, () => busy.run({ kind: "pick", document, pointer: "" })),
  );
  const refused = all.filter((outcome) => outcome.status === "rejected");
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.length).toBeLessThan(60);
  for (const { reason } of refused)
    expect(reason).toMatchObject({ reason: "rate_limited", details: { retryAfter: 1 } });
  await busy.close();
});
