import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { openApiDocument } from "../http/openapi.ts";
import { field, fields, payloadOf } from "./arbitraries-for-tests.ts";
import { type Breaks, type Change, compareContracts } from "./compare.ts";
import { type Contract, readContract } from "./document.ts";
import { checkFields } from "./field-check.ts";
import { type FieldsEndpoint, readEndpoints } from "./fields.ts";

const read = (document: unknown): Contract =>
  readContract(new TextEncoder().encode(JSON.stringify(document))) as Contract;
const changes = (before: unknown, after: unknown): Change[] => compareContracts(read(before), read(after));
const breaking = (list: readonly Change[], direction: Breaks) =>
  list.filter(({ breaks }) => breaks.includes(direction));

const contract = (endpoint: object) => ({ kind: "contract", endpoints: { "POST /x": endpoint } });
const $schema = "https://json-schema.org/draft/2020-12/schema";
const schema = (keywords: object) => ({ $schema, ...keywords });
/** In short: `backward:type /a`. */
const told = (before: object, after: object): string[] =>
  changes(schema(before), schema(after)).flatMap(({ rule, path, breaks }) =>
    breaks.map((one) => `${one}:${rule} ${path}`),
  );

const bothWays = fields.chain((before) =>
  fc.record({
    before: fc.constant(before),
    after: fc.oneof(
      fields,
      // One thing differs, most times.
      fc
        .record({ name: fc.constantFrom(...Object.keys(before), "new"), field: fc.option(field) })
        .map(({ name, field: one }) => {
          const { [name]: _, ...rest } = before;
          return one ? { ...rest, [name]: one } : rest;
        }),
    ),
  }),
);

describe("contracts of fields", () => {
  test("nothing changed, nothing is told", () => {
    fc.assert(
      fc.property(fields, fields, (request, response) => {
        const one = contract({
          request,
          response,
          query: request,
          response_array: response,
          error: response,
        });
        expect(changes(one, one)).toEqual([]);
      }),
    );
  });

  test("what is backward takes every request that the old one took", () => {
    const endpoint = (request: object) =>
      readEndpoints({ endpoints: { x: { request } } } as never).get("x") as FieldsEndpoint;
    fc.assert(
      fc.property(bothWays, fc.nat(), ({ before, after }, seed) => {
        const list = changes(contract({ request: before }), contract({ request: after }));
        for (const [direction, writer, reader] of [
          ["backward", before, after],
          ["forward", after, before],
        ] as const) {
          if (breaking(list, direction).length > 0) continue;
          for (const payload of fc.sample(payloadOf(writer), { numRuns: 20, seed }))
            expect(checkFields(endpoint(reader), "request", payload)).toEqual([]);
        }
      }),
    );
  });

  test("what is backward answers as its readers expect, further fields aside", () => {
    const endpoint = (response: object) =>
      readEndpoints({ endpoints: { x: { response } } } as never).get("x") as FieldsEndpoint;
    fc.assert(
      fc.property(bothWays, fc.nat(), ({ before, after }, seed) => {
        const list = changes(contract({ response: before }), contract({ response: after }));
        for (const [direction, writer, reader] of [
          ["backward", after, before],
          ["forward", before, after],
        ] as const) {
          if (breaking(list, direction).length > 0) continue;
          for (const payload of fc.sample(payloadOf(writer), { numRuns: 20, seed })) {
            const violations = checkFields(endpoint(reader), "response", payload);
            expect(violations.filter(({ message }) => message !== "unexpected field")).toEqual([]);
          }
        }
      }),
    );
  });

  test("a change one way is the same change the other way round", () => {
    fc.assert(
      fc.property(bothWays, ({ before, after }) => {
        const one = contract({ request: before, error: before });
        const other = contract({ request: after, error: after });
        const [there, back] = [changes(one, other), changes(other, one)];
        // Of answers an optional field that goes is told on the way there only.
        const requests = (list: readonly Change[], direction: Breaks) =>
          breaking(list, direction).filter(({ path }) => path.includes("/request")).length > 0;
        expect(requests(there, "backward")).toBe(requests(back, "forward"));
        expect(requests(there, "forward")).toBe(requests(back, "backward"));
      }),
    );
  });
});

describe("JSON Schemas", () => {
  test.each<[object, object, string[]]>([
    [{ type: "string" }, { type: ["string", "null"] }, ["forward:nullable "]],
    [{ type: "integer" }, { type: "number" }, ["forward:type "]],
    [{ type: "string", maxLength: 5 }, { type: "string", maxLength: 9 }, ["forward:bound "]],
    [{ type: "string" }, { type: "string", minLength: 1 }, ["backward:bound "]],
    [{ minimum: 1 }, { exclusiveMinimum: 1 }, ["backward:bound "]],
    [{ exclusiveMinimum: 1 }, { minimum: 1 }, ["forward:bound "]],
    [{ type: "number", multipleOf: 6 }, { type: "number", multipleOf: 3 }, ["forward:bound "]],
    [{ enum: [1, 2] }, { enum: [1, 2, 3] }, ["forward:enum "]],
    [{ enum: [1, 2] }, { type: "integer" }, ["forward:enum "]],
    [{ enum: [1, 2] }, { minimum: 1, type: "integer" }, ["forward:enum "]],
    [{ const: 1 }, { enum: [1] }, []],
    [{ enum: [true, false] }, { type: "boolean" }, []],
    [{ anyOf: [{ type: "string" }, { type: "null" }] }, { type: ["null", "string"] }, []],
    [{ anyOf: [{ const: "a" }, { const: "b" }] }, { enum: ["a", "b"] }, []],
    [
      { oneOf: [{ type: "string" }] },
      { oneOf: [{ type: "string" }, { type: "integer" }] },
      ["forward:type /oneOf/1"],
    ],
    [
      { allOf: [{ properties: { a: { type: "string" } } }, { properties: { b: {} } }] },
      { properties: { b: {}, a: { type: "string" } } },
      [],
    ],
    [{ pattern: "^a" }, { pattern: "^b" }, ["backward:pattern ", "forward:pattern "]],
    [{ pattern: "^a" }, {}, ["forward:pattern "]],
    [{ not: { type: "null" } }, { not: { type: "string" } }, ["backward:constraint ", "forward:constraint "]],
    [
      { properties: { a: {} } },
      { properties: { b: {} } },
      ["backward:field-removed /properties/a", "forward:field-added /properties/b"],
    ],
    [{ required: ["a"] }, {}, ["forward:field-removed /properties/a"]],
    [
      { properties: { a: {} } },
      { properties: { a: {} }, required: ["a"] },
      ["backward:required /properties/a"],
    ],
    [{ additionalProperties: true }, { additionalProperties: false }, ["backward:closed "]],
    [
      { type: "object", additionalProperties: { type: "integer" } },
      { type: "object", additionalProperties: { type: "number" } },
      ["forward:type /additionalProperties"],
    ],
    [
      { items: { type: "string" } },
      { items: { type: "integer" } },
      ["backward:type /items", "forward:type /items"],
    ],
    [
      { prefixItems: [{ type: "string" }], items: false },
      { prefixItems: [{ type: "string" }, { type: "string" }], items: false },
      ["forward:closed /prefixItems/1"],
    ],
    [
      { $ref: "#/$defs/a", $defs: { a: { type: "string" } } },
      { $ref: "#/$defs/b", $defs: { b: { type: "string" } } },
      [],
    ],
    [
      { $ref: "#/$defs/a", $defs: { a: { type: "string" } } },
      { $ref: "#/$defs/a", $defs: { a: { type: "integer" } } },
      ["backward:type /$defs/a", "forward:type /$defs/a"],
    ],
    [
      { properties: { next: { $ref: "#" }, v: { type: "string" } } },
      { properties: { next: { $ref: "#" }, v: { type: "integer" } } },
      ["backward:type /properties/v", "forward:type /properties/v"],
    ],
    [{ title: "a", description: "b", default: 1, examples: [1] }, { title: "c" }, []],
    [
      { properties: { constructor: { type: "string" }, __proto__: {} } },
      { properties: {} },
      ["backward:field-removed /properties/constructor"],
    ],
  ])("from %j to %j: %j", (before, after, expected) => {
    expect(told(before, after).toSorted()).toEqual(expected.toSorted());
  });

  test("each keyword beside itself changes nothing, however they are put together", () => {
    const keyword = fc.letrec<{ schema: object | boolean }>((tie) => ({
      schema: fc.oneof(
        { maxDepth: 3 },
        fc.boolean(),
        fc.record(
          {
            type: fc.constantFrom("string", "object", "array", ["string", "null"], "integer", [
              "object",
              "boolean",
            ]),
            enum: fc.constant(["a", 1, null]),
            minLength: fc.nat(3),
            maximum: fc.nat(3),
            pattern: fc.constant("^a"),
            format: fc.constant("date"),
            uniqueItems: fc.boolean(),
            required: fc.subarray(["a", "b"]),
            properties: fc.dictionary(fc.constantFrom("a", "b", "c"), tie("schema")),
            patternProperties: fc.dictionary(fc.constantFrom("^x", "y$"), tie("schema")),
            additionalProperties: tie("schema"),
            items: tie("schema"),
            prefixItems: fc.array(tie("schema"), { minLength: 1, maxLength: 2 }),
            anyOf: fc.array(tie("schema"), { minLength: 1, maxLength: 2 }),
            oneOf: fc.array(tie("schema"), { minLength: 1, maxLength: 2 }),
            allOf: fc.array(tie("schema"), { minLength: 1, maxLength: 2 }),
            not: tie("schema"),
            $ref: fc.constantFrom("#", "#/$defs/a", "#/$defs/b"),
          },
          { requiredKeys: [] },
        ),
      ),
    })).schema;
    const defs = fc.record({ a: keyword, b: keyword });
    fc.assert(
      fc.property(keyword, defs, (one, $defs) => {
        const document = schema(typeof one === "boolean" ? { $defs } : { ...one, $defs });
        expect(breaking(changes(document, document), "backward")).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe("OpenAPI documents", () => {
  const document = JSON.stringify(openApiDocument());
  const koor = (edit: (text: string) => string) => changes(JSON.parse(document), JSON.parse(edit(document)));

  test("Koor's own is itself", () => {
    expect(koor((text) => text)).toEqual([]);
  });

  test("a renamed field of a request, of an answer or of a query breaks both ways", () => {
    for (const name of ["topic", "updated_at", "intent", "workspace"]) {
      const list = koor((text) => text.replaceAll(`"${name}"`, '"renamed"'));
      expect(breaking(list, "backward").length).toBeGreaterThan(0);
      expect(breaking(list, "forward").length).toBeGreaterThan(0);
    }
  });

  const operation = (more: object) => ({
    openapi: "3.1.0",
    paths: { "/x": { post: { responses: {}, ...more } } },
  });
  const json = (inner: object) => ({ content: { "application/json": { schema: inner } } });

  test.each<[string, object, object, string[]]>([
    [
      "a required header",
      {},
      { parameters: [{ in: "header", name: "X-A", required: true }] },
      ["backward:parameter-added", "forward:parameter-added"],
    ],
    ["an optional parameter", {}, { parameters: [{ in: "query", name: "a" }] }, ["forward:parameter-added"]],
    [
      "a body that must be",
      { requestBody: json({}) },
      { requestBody: { ...json({}), required: true } },
      ["backward:required"],
    ],
    ["no body any more", { requestBody: json({}) }, {}, ["backward:request-removed"]],
    [
      "another success",
      { responses: { 200: json({}) } },
      { responses: { 201: json({}) } },
      ["backward:status-added", "forward:status-removed"],
    ],
    ["one more refusal", { responses: { 200: {} } }, { responses: { 200: {}, 409: {} } }, []],
    [
      "no answer any more",
      { responses: { 200: json({}) } },
      { responses: { 200: {} } },
      ["backward:response-removed"],
    ],
  ])("%s", (_, before, after, expected) => {
    const list = changes(operation(before), operation(after));
    const found = list.flatMap(({ rule, breaks }) => breaks.map((one) => `${one}:${rule}`));
    expect(found.toSorted()).toEqual(expected.toSorted());
  });

  test("an operation that is gone is told with its pointer", () => {
    expect(changes(operation({}), { openapi: "3.1.0", paths: {} })).toEqual([
      {
        rule: "endpoint-removed",
        path: "/paths/~1x/post",
        message: "POST /x was removed",
        breaks: ["backward"],
      },
    ]);
  });
});
