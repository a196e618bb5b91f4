import { type LoadResult, runLoad } from "./load.ts";
import { startKoor } from "./processes.ts";
import { type Section, median } from "./report.ts";

const connections = 32;
const rounds = 5;
const seconds = 2;
const goal = 10_000;

/** Twenty fields of five kinds, among them arrays of objects and an enum. */
const fields = {
  id: { type: "string", required: true },
  status: { type: "string", required: true, enum: ["open", "paid", "sent", "back"] },
  total: { type: "number", required: true },
  note: { type: "string", nullable: true },
  address: {
    type: "object",
    required: true,
    fields: Object.fromEntries(
      ["street", "city", "zip", "country"].map((name) => [name, { type: "string", required: true }]),
    ),
  },
  lines: {
    type: "array",
    required: true,
    items: {
      type: "object",
      fields: {
        sku: { type: "string", required: true },
        count: { type: "integer", required: true },
        price: { type: "number", required: true },
        tags: { type: "array", items: { type: "string" } },
      },
    },
  },
};

/** The same, as an OpenAPI document says it. */
const text = { type: "string" };
const object = (properties: Record<string, object>, required = Object.keys(properties)) => ({
  type: "object",
  additionalProperties: false,
  required,
  properties,
});
const schema = object(
  {
    id: text,
    status: { enum: ["open", "paid", "sent", "back"] },
    total: { type: "number" },
    note: { type: ["string", "null"] },
    address: object({ street: text, city: text, zip: text, country: text }),
    lines: {
      type: "array",
      items: object({
        sku: text,
        count: { type: "integer" },
        price: { type: "number" },
        tags: { type: "array", items: text },
      }),
    },
  },
  ["id", "status", "total", "address", "lines"],
);

const line = (at: number) => ({
  sku: `sku-${at}-0123456789`,
  count: at,
  price: at + 0.5,
  tags: ["red", "large"],
});
const payload = {
  id: "order-0123456789",
  status: "open",
  total: 12.5,
  note: null,
  address: { street: "1 Long Street", city: "Town", zip: "12345", country: "XX" },
  lines: Array.from({ length: 25 }, (_, at) => line(at)),
};

/** How many payloads a second are checked, where the server itself checks them and where its workers do. */
export async function measureContracts(): Promise<Section> {
  const koor = await startKoor();
  const operation = { requestBody: { content: { "application/json": { schema } } }, responses: {} };
  const specs = {
    fields: { kind: "contract", version: 1, endpoints: { "POST /api/orders": { request: fields } } },
    openapi: { openapi: "3.1.0", paths: { "/api/orders": { post: operation } } },
  };
  const post = JSON.stringify({ endpoint: "POST /api/orders", payload });
  const results: Record<keyof typeof specs, LoadResult[]> = { fields: [], openapi: [] };
  const kinds = ["fields", "openapi"] as const;
  const urlOf = (kind: keyof typeof specs) => `${koor.url}/api/contracts/bench/${kind}/validate`;
  for (const kind of kinds) {
    await fetch(`${koor.url}/api/specs/bench/${kind}`, { method: "PUT", body: JSON.stringify(specs[kind]) });
    const answer = await fetch(urlOf(kind), { method: "POST", body: post });
    const { valid } = (await answer.json()) as { valid: boolean };
    if (!valid) throw new Error(`the payload is not valid against the contract of ${kind}`);
    await runLoad({ url: urlOf(kind), connections, seconds, post });
  }
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds)
      results[kind].push(await runLoad({ url: urlOf(kind), connections, seconds, post }));
  }
  await koor.stop();

  const errors = kinds.flatMap((kind) => results[kind]).reduce((sum, result) => sum + result.errors, 0);
  const rate = (kind: keyof typeof specs) => median(results[kind].map((result) => result.perSecond));
  return {
    title: "Contracts",
    how:
      `\`POST /api/contracts/P/N/validate\` of a payload of ${JSON.stringify(payload).length} bytes at ${connections} connections: against a ` +
      `contract of fields, which the server checks itself, and against an OpenAPI document of the same fields, which ajv checks in ` +
      `workers. ${rounds} rounds of ${seconds} s each.`,
    tables: [
      {
        columns: ["Contract", "payloads a second", "p99 ms", "errors"],
        rows: kinds.map((kind) => [
          kind === "fields" ? "fields" : "OpenAPI",
          rate(kind),
          median(results[kind].map((result) => result.p99)),
          results[kind].reduce((sum, result) => sum + result.errors, 0),
        ]),
      },
    ],
    goals: [
      {
        text: `at least ${goal.toLocaleString("en")} a second against fields`,
        measured: Math.round(rate("fields")).toLocaleString("en"),
        met: rate("fields") >= goal,
      },
      { text: "no errors", measured: String(errors), met: errors === 0 },
    ],
  };
}
