import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type WrittenField, fields, payloadOf, placesOf } from "./arbitraries-for-tests.ts";
import { type Violation, checkFields } from "./field-check.ts";
import { type FieldsEndpoint, readEndpoints } from "./fields.ts";
import { type JsonObject, setMember } from "./json.ts";
import { checkSchema, compileSchema } from "./schema-check.ts";
import { schemaFor, surfaceOfFields } from "./surface.ts";

const endpointOf = (request: Record<string, WrittenField>): FieldsEndpoint =>
  readEndpoints({ endpoints: { "POST /x": { request: request as never } } }).get("POST /x") as FieldsEndpoint;

/** A contract's fields, and a payload that keeps to them; a copy, since tests change it. */
const conforming = fields.chain((request) =>
  payloadOf(request).map((payload) => ({
    request,
    endpoint: endpointOf(request),
    payload: structuredClone(payload),
  })),
);

describe("a payload made after the contract", () => {
  test("is valid", () => {
    fc.assert(
      fc.property(conforming, ({ endpoint, payload }) => {
        expect(checkFields(endpoint, "request", payload)).toEqual([]);
      }),
    );
  });

  test("with one field of another type has exactly that violation", () => {
    fc.assert(
      fc.property(conforming, fc.nat(), ({ request, endpoint, payload }, choice) => {
        const places = placesOf(request, payload, "request");
        fc.pre(places.length > 0);
        const place = places[choice % places.length]!;
        const wrong = place.field.type === "boolean" ? "true" : true;
        if (Array.isArray(place.holder)) place.holder[place.key as number] = wrong;
        else setMember(place.holder, place.key as string, wrong);
        const got = typeof wrong;
        expect(checkFields(endpoint, "request", payload)).toEqual([
          { path: place.path, message: `expected ${place.field.type}, got ${got}` },
        ]);
      }),
    );
  });

  test("with null where none may be has exactly that violation", () => {
    fc.assert(
      fc.property(conforming, fc.nat(), ({ request, endpoint, payload }, choice) => {
        const places = placesOf(request, payload, "request").filter(({ field }) => !field.nullable);
        fc.pre(places.length > 0);
        const place = places[choice % places.length]!;
        if (Array.isArray(place.holder)) place.holder[place.key as number] = null;
        else setMember(place.holder, place.key as string, null);
        expect(checkFields(endpoint, "request", payload)).toEqual([
          { path: place.path, message: `expected ${place.field.type}, null is not allowed` },
        ]);
      }),
    );
  });

  test("without a required field has exactly that violation", () => {
    fc.assert(
      fc.property(conforming, fc.nat(), ({ request, endpoint, payload }, choice) => {
        const places = placesOf(request, payload, "request").filter(
          ({ field, holder }) => field.required && !Array.isArray(holder),
        );
        fc.pre(places.length > 0);
        const place = places[choice % places.length]!;
        delete (place.holder as JsonObject)[place.key as string];
        expect(checkFields(endpoint, "request", payload)).toEqual([
          { path: place.path, message: "missing required field" },
        ]);
      }),
    );
  });

  test("with one more field, or one value beyond an enum, has exactly that violation", () => {
    fc.assert(
      fc.property(conforming, fc.nat(), ({ request, endpoint, payload }, choice) => {
        const places = placesOf(request, payload, "request").filter(({ field }) => field.enum);
        const place = places[choice % (places.length + 1)];
        if (place) {
          if (Array.isArray(place.holder)) place.holder[place.key as number] = "beyond";
          else setMember(place.holder, place.key as string, "beyond");
        } else payload.beyond = 1;
        expect(checkFields(endpoint, "request", payload)).toEqual([
          place
            ? { path: place.path, message: expect.stringContaining("not in allowed enum") }
            : { path: "request.beyond", message: "unexpected field" },
        ]);
      }),
    );
  });

  test("and any other JSON, is judged as ajv judges it by the contract's schema", () => {
    fc.assert(
      fc.property(fields, fc.nat(), fc.jsonValue(), (request, choice, other) => {
        // ajv does not look at a field of this name.
        fc.pre(!JSON.stringify(request).includes('"__proto__"'));
        const endpoint = endpointOf(request);
        const origins = new WeakMap<object, string>();
        const schema = schemaFor(surfaceOfFields(endpoint, "", origins), "request");
        const validate = compileSchema(schema as never, new Map());
        const [made] = fc.sample(payloadOf(request), { numRuns: 1, seed: choice });
        for (const payload of [made, other, { ...made, ...(other as object) }]) {
          // What is allowed instead is told in more words by the one than by the other.
          const told = ({ path, message }: Violation) => `${path} ${message.split(":")[0]}`;
          const own = checkFields(endpoint, "request", payload).map(told);
          const ajv = checkSchema(validate, payload, "request").map(told);
          // Of a value of the wrong type ajv also tells that it is in no enum.
          for (const violation of own) expect(ajv).toContain(violation);
          expect(own.length === 0).toBe(ajv.length === 0);
        }
      }),
    );
  });
});

test("a check that would take minutes is refused", () => {
  const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`f${at}`, { type: "string" }]));
  const endpoint = endpointOf({ list: { type: "array", items: { type: "object", fields: many } } });
  expect(() =>
    checkFields(endpoint, "request", { list: Array.from({ length: 100_000 }, () => ({})) }),
  ).toThrow("took too long");
});
