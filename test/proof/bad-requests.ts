import fc from "fast-check";
import { z } from "zod";
import type { Operation } from "../../src/contract/operation.ts";
import type { RawRequest } from "./raw-request.ts";

/**
 * Requests of an operation as nobody should send them, made from its own declaration: so a new operation is met
 * by them without a word. Some are good by chance, and that is fine.
 */

/** What goes wrong in texts. `x` and `a/b` are things that may exist. */
const texts = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("x", "a/b", "0", "1") },
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      "",
      " ",
      "\0",
      "\u0001\u001f",
      "\r\nX-Injected: 1",
      "..",
      ".",
      "../..",
      "//",
      "/",
      "-1",
      "1e999",
      "NaN",
      "99999999999999999999",
      "null",
      "undefined",
      "true",
      "__proto__",
      "constructor",
      "toString",
      "*",
      "[",
      "{a,",
      "%",
      "%00",
      "%zz",
      "\u{1F600}",
      "e\u0301",
      "\u202e\u200f",
      "\ufeff",
      "\ufffd",
      "'; drop table records; --",
      "<script>",
      "${x}",
      "{{x}}",
      "\\",
      '"',
      "a\nb\tc",
      "2026-13-45T99:99:99Z",
      "[ab]{0,1000}[bc]",
      "(((((",
      "**",
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom("\ud800", "x\udfff") },
  { weight: 2, arbitrary: fc.integer({ min: 100, max: 9000 }).map((length) => "x".repeat(length)) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 40 }) },
);

/** Waiting is not hanging: what would wait for a minute when it is good must be bad, or short. */
const waits = fc.constantFrom("", "x", "-1s", "0s", "1ms", "20ms", "5 s", "\0", "1e3s", "s", "0x10");
const isWait = (name: string) => /^(wait|timeout)/.test(name);

/** Any JSON but that of the right shape. */
const junk: fc.Arbitrary<unknown> = fc.oneof(
  texts,
  fc.constantFrom<unknown>(null, true, -1, 0, 0.5, 1e308, Number.MAX_SAFE_INTEGER, [], {}, [[]], [null], {
    "": {},
  }),
  fc.jsonValue({ maxDepth: 3 }),
  fc.integer({ min: 1, max: 3000 }).map((length) => Array.from({ length }, () => "x")),
);

/** The part of JSON Schema that zod makes of the contract's schemas. */
interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
}

function schemaOf(type: z.ZodType): Schema {
  return z.toJSONSchema(type, { io: "input", unrepresentable: "any", reused: "inline" }) as Schema;
}

/** Values that are nearly of a schema: a part of it, or all, is now and then something else. */
function nearly(schema: Schema, name = ""): fc.Arbitrary<unknown> {
  if (isWait(name)) return waits;
  return fc.oneof({ weight: 4, arbitrary: ofShape(schema) }, { weight: 1, arbitrary: junk });
}

function ofShape(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const either = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (either) return fc.oneof(...either.map((one) => nearly(one)));
  switch (schema.type) {
    case "string":
      return texts;
    case "integer":
      return fc.oneof(fc.integer({ min: -2, max: 10 }), fc.maxSafeInteger());
    case "number":
      return fc.double();
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array":
      return fc.array(nearly(schema.items ?? {}), { maxLength: 4 });
    case "object":
      return fc.record(
        Object.fromEntries(
          Object.entries(schema.properties ?? {}).map(([name, one]) => [name, nearly(one, name)]),
        ),
        { requiredKeys: [] },
      );
    default:
      return junk;
  }
}

/** As it goes into a path or a query: encoded as it should be, or not quite. */
function encoded(text: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  const broken = fc.constantFrom(
    "%",
    "%2",
    "%zz",
    "%ff",
    "%c3%28",
    "%00",
    "%2e%2e",
    "..",
    "a//b",
    "/",
    "%2F",
    "%ed%a0%80",
    "+",
  );
  // Not `String`: an object of any JSON may have a `toString` that is none.
  const asText = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
  const proper = text.map((value) => encodeURIComponent(asText(value).toWellFormed()));
  return fc.oneof({ weight: 5, arbitrary: proper }, { weight: 1, arbitrary: broken });
}

function targets(operation: Operation): fc.Arbitrary<string> {
  const parts = operation.path
    .split(/(\{\w+(?:\.\.\.)?\})/)
    .map((part) => (part.startsWith("{") ? encoded(texts) : fc.constant(part)));
  const fields = Object.entries(operation.query ? (schemaOf(operation.query).properties ?? {}) : {});
  const pairs = fields.map(([name, schema]) =>
    encoded(nearly(schema, name)).map(
      (value) => `${name}=${isWait(name) ? value.replace(/^\d+$/, "x") : value}`,
    ),
  );
  const stray = fc.tuple(encoded(texts), encoded(texts)).map(([name, value]) => `${name}=${value}`);
  const query = fc.oneof(
    { weight: 1, arbitrary: fc.constant<[string, string][]>([]) },
    { weight: 3, arbitrary: fc.array(fc.oneof(stray, ...pairs), { maxLength: fields.length + 1 }) },
  );
  return fc
    .tuple(fc.tuple(...parts), query)
    .map(([path, fields]) => path.join("") + (fields.length > 0 ? `?${fields.join("&")}` : ""));
}

/** Headers that mean something here, with values that do not; no line ends, which would be other headers. */
const meant = [
  "Idempotency-Key",
  "Koor-Fence",
  "If-Match",
  "If-None-Match",
  "X-Koor-If-Version",
  "Content-Type",
  "Accept",
  "Range",
  "Last-Event-ID",
  "Koor-Epoch",
  "Expect",
  "Authorization",
  "Accept-Encoding",
  "X-Http-Method-Override",
  "X-Forwarded-Host",
];
/** For these a request is refused whatever else it says. */
const final = ["Origin", "Host", "Koor-Instance-Token", "Sec-Fetch-Site"];

const headerValues = fc.oneof(
  fc.constantFrom(
    "",
    "*",
    '"x"',
    'W/"x"',
    '"1-x", *',
    "0",
    "1",
    "x:1",
    "x:99999999999999999999",
    "key",
    "text/html; charset=x",
  ),
  fc.constantFrom(
    "application/merge-patch+json",
    "application/json-patch+json",
    "100-continue",
    "bytes=0-1",
    "null",
  ),
  texts.map((text) =>
    Buffer.from(text)
      .toString("latin1")
      // oxlint-disable-next-line no-control-regex
      .replaceAll(/[\0-\x1f\x7f]/g, "?"),
  ),
);

const withValues = (names: readonly string[]) =>
  fc.tuple(...names.map((name) => headerValues.map((value): [string, string] => [name, value])));
const headers: fc.Arbitrary<[string, string][]> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<[string, string][]>([]) },
  { weight: 5, arbitrary: fc.subarray(meant, { minLength: 1, maxLength: 3 }).chain(withValues) },
  {
    weight: 1,
    arbitrary: fc.subarray([...final, ...meant], { minLength: 1, maxLength: 3 }).chain(withValues),
  },
);

const encoder = new TextEncoder();

/** Bodies that are no JSON, or none at all. */
const notJson = [
  "{",
  '{"',
  "[1,",
  "nul",
  "{}x",
  "{}{}",
  '{"a":1,}',
  "\ufeff\ufeff{}",
  "'x'",
  "[".repeat(100_000),
];
const brokenBodies = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...notJson).map((text) => encoder.encode(text)) },
  { weight: 1, arbitrary: fc.constantFrom("", " ", "\n").map((text) => encoder.encode(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
);

function bodies(operation: Operation): fc.Arbitrary<Uint8Array | undefined> {
  const { body } = operation;
  if (!body) return fc.option(brokenBodies, { nil: undefined, freq: 2 });
  const tooLarge = fc.constant(body.maxBytes).map((size) => new Uint8Array(size + 1).fill(0x20));
  const good =
    body.kind === "json"
      ? nearly(schemaOf(body.schema)).map((value) => encoder.encode(JSON.stringify(value) ?? ""))
      : brokenBodies;
  return fc.oneof(
    { weight: 12, arbitrary: good },
    { weight: 4, arbitrary: brokenBodies },
    { weight: body.maxBytes > 2 ** 20 ? 0 : 1, arbitrary: tooLarge },
  );
}

/** What opens a socket, so that a bad query is met by the handshake and not by the lack of one. */
const handshake: [string, string][] = [
  ["Connection", "Upgrade"],
  ["Upgrade", "websocket"],
  ["Sec-WebSocket-Version", "13"],
  ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
];

export function badRequests(operation: Operation): fc.Arbitrary<RawRequest> {
  const { method, response } = operation;
  const upgrade =
    response === "socket"
      ? fc.constantFrom(handshake, handshake, handshake.slice(1))
      : fc.constant<[string, string][]>([]);
  return fc.record({
    method: method === "GET" ? fc.constantFrom("GET", "GET", "GET", "HEAD") : fc.constant(method),
    target: targets(operation),
    headers: fc.tuple(upgrade, headers).map(([first, more]) => [...first, ...more]),
    body: bodies(operation),
  });
}
