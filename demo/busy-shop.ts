/** What ten agents who build a web shop say, write and agree on: the material of `npm run demo -- --busy`. */

export interface Role {
  name: string;
  stack: string;
  capabilities: string[];
  /** What it works on, in turns. */
  intents: string[];
  /** What it leases. */
  paths: string[];
  model: string;
  /** What its calls of models are put down to. */
  project: string;
}

export const roles: readonly Role[] = [
  {
    name: "api-orders",
    stack: "go",
    capabilities: ["rest", "postgres"],
    intents: ["Page GET /orders by cursor", "Return 409 when an order is changed twice", "Log slow queries"],
    paths: ["src/orders/**"],
    model: "claude-sonnet-5",
    project: "shop-api",
  },
  {
    name: "api-payments",
    stack: "go",
    capabilities: ["rest", "stripe"],
    intents: ["Add refunds to the payments table", "Retry webhooks of the card provider"],
    paths: ["src/payments/**", "db/migrations/**"],
    model: "claude-opus-5",
    project: "shop-api",
  },
  {
    name: "web-checkout",
    stack: "typescript",
    capabilities: ["react", "a11y"],
    intents: ["Show the shipping cost before the address is complete", "Keep the cart over a reload"],
    paths: ["web/checkout/**"],
    model: "gpt-6-codex",
    project: "shop-web",
  },
  {
    name: "web-catalog",
    stack: "typescript",
    capabilities: ["react", "search"],
    intents: ["Filter the catalog by size and colour", "Load images when they come into view"],
    paths: ["web/catalog/**", "web/components/Button.tsx"],
    model: "gpt-6-codex",
    project: "shop-web",
  },
  {
    name: "ios-app",
    stack: "swift",
    capabilities: ["swiftui"],
    intents: ["Follow orders/openapi 14: cursor instead of page", "Sign in with a passkey"],
    paths: ["ios/Sources/**"],
    model: "gemini-3-pro",
    project: "shop-ios",
  },
  {
    name: "db-migrations",
    stack: "sql",
    capabilities: ["postgres"],
    intents: ["Split customers.address into a table of its own, in three steps without downtime"],
    paths: ["db/migrations/**"],
    model: "claude-opus-5",
    project: "shop-api",
  },
  {
    name: "search-index",
    stack: "rust",
    capabilities: ["tantivy"],
    intents: ["Rank by what sells, not by name", "Reindex without a pause"],
    paths: ["search/src/**"],
    model: "gemini-3-pro",
    project: "shop-api",
  },
  {
    name: "qa-e2e",
    stack: "typescript",
    capabilities: ["playwright"],
    intents: ["Prove the checkout with an expired card"],
    paths: ["e2e/**"],
    model: "claude-sonnet-5",
    project: "shop-web",
  },
  {
    name: "docs-writer",
    stack: "markdown",
    capabilities: ["writing"],
    intents: ["Write the page about refunds", "Bring the API reference to version 14"],
    paths: ["docs/**"],
    model: "claude-haiku-5",
    project: "shop-docs",
  },
  {
    name: "release",
    stack: "yaml",
    capabilities: ["kubernetes", "ci"],
    intents: ["Canary for the orders service at 10 %", "Cut the build from 9 to 4 minutes"],
    paths: ["deploy/**", ".github/workflows/**"],
    model: "claude-haiku-5",
    project: "shop-infra",
  },
];

/** What models cost here, in US dollars for a million tokens in and out: made up. */
export const prices: Readonly<Record<string, { provider: string; into: number; out: number }>> = {
  "claude-opus-5": { provider: "anthropic", into: 5, out: 25 },
  "claude-sonnet-5": { provider: "anthropic", into: 3, out: 15 },
  "claude-haiku-5": { provider: "anthropic", into: 1, out: 5 },
  "gpt-6-codex": { provider: "openai", into: 1.75, out: 14 },
  "gemini-3-pro": { provider: "google", into: 2, out: 12 },
};

/** What projects may spend; the first of them is nearly there. */
export const budgets = [
  { project: "shop-web", usd: 2, per: "day" },
  { project: "shop-api", usd: 170, per: "month" },
  { project: "shop-docs", usd: 60, per: "month" },
] as const;

/** The API that all of them speak of, as it was at a version: fields come, and one day one goes. */
export function ordersApi(version: number): object {
  const order: Record<string, object> = {
    id: { type: "string" },
    total: { type: "number" },
    currency: { type: "string", enum: ["EUR", "USD", "GBP"].slice(0, 1 + (version % 3)) },
    items: { type: "array", items: { type: "object", properties: { sku: { type: "string" } } } },
  };
  if (version > 2) order["shipping"] = { type: "object", properties: { method: { type: "string" } } };
  if (version > 4) delete order["total"];
  const answer = { type: "object", required: ["id"], properties: order };
  const content = (schema: object) => ({ content: { "application/json": { schema } } });
  return {
    openapi: "3.1.0",
    info: { title: "Orders", version: String(version) },
    paths: {
      "/orders": {
        get: {
          parameters: [{ name: version > 3 ? "cursor" : "page", in: "query", schema: { type: "string" } }],
          responses: { "200": { description: "A page", ...content({ type: "array", items: answer }) } },
        },
        post: {
          requestBody: content(answer),
          responses: { "201": { description: "Made", ...content(answer) } },
        },
      },
      "/orders/{id}": {
        get: {
          parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
          responses: { "200": { description: "An order", ...content(answer) } },
        },
      },
    },
  };
}

export const paymentsContract = {
  kind: "contract",
  version: 1,
  endpoints: {
    "POST /refunds": {
      request: { order_id: { type: "string", required: true }, amount: { type: "number", required: true } },
      response: { id: { type: "string", required: true }, status: { type: "string" } },
    },
  },
};

export const rules = [
  {
    project: "shop",
    rule_id: "no-console-log",
    match_type: "custom",
    pattern: "no-console-log",
    message: "Log through src/log.ts: the browser's console reaches nobody.",
    applies_to: ["*.ts", "*.tsx"],
  },
  {
    project: "shop",
    rule_id: "money-is-cents",
    pattern: String.raw`(?i)(price|total|amount)\s*:\s*float`,
    message: "Money is whole cents (int64).",
    applies_to: ["*.go", "*.sql"],
  },
  {
    project: "_global",
    rule_id: "no-todo",
    severity: "warning",
    pattern: String.raw`(?i)\bTODO\b`,
    message: "Finish it, or file it.",
  },
] as const;

export const proposals = [
  {
    rule_id: "no-select-star",
    pattern: String.raw`(?i)select\s+\*`,
    message: "Name the columns: a new one broke the mobile app.",
    applies_to: ["*.sql", "*.go"],
    context: "db-migrations added customers.address_id, and ios-app failed to decode it.",
  },
  {
    rule_id: "aria-label-on-icons",
    pattern: "<Icon [^>]*/>",
    message: "An icon alone needs a name.",
    applies_to: ["*.tsx"],
    context: "Found by qa-e2e in web/components.",
  },
  {
    rule_id: "context-first",
    pattern: String.raw`func \w+\(\w+ [^)]*, ctx context\.Context`,
    message: "ctx is the first parameter.",
    applies_to: ["*.go"],
    context: "Asked for in two reviews.",
  },
];

export const checkedFile = `import { cart } from "./cart";

export function total(): number {
  console.log("total of", cart.items);
  // TODO shipping
  return cart.items.reduce((sum, item) => sum + item.price, 0);
}
`;

export const decision = `# Money is whole cents

**Decided** by api-orders and api-payments.

Every amount on the wire is an integer in the smallest unit of its currency, next to its \`currency\`:

| Field | Type | Example |
|---|---|---|
| \`amount\` | integer | \`1299\` |
| \`currency\` | ISO 4217 | \`"EUR"\` |

1. Floats go by the end of the sprint.
2. The mobile app reads both until version 14.

> A rule, \`money-is-cents\`, finds what is left.

\`\`\`go
type Money struct {
    Amount   int64  \`json:"amount"\`
    Currency string \`json:"currency"\`
}
\`\`\`
`;

export const diagram = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 120" font-family="sans-serif" font-size="13">
<g fill="#0f766e" stroke="none"><rect x="10" y="40" width="80" height="40" rx="6"/><rect x="120" y="10" width="80" height="40" rx="6"/><rect x="120" y="70" width="80" height="40" rx="6"/><rect x="230" y="40" width="80" height="40" rx="6"/></g>
<g fill="#fff" text-anchor="middle"><text x="50" y="65">web</text><text x="160" y="35">orders</text><text x="160" y="95">payments</text><text x="270" y="65">postgres</text></g>
<g stroke="#64748b" stroke-width="2" fill="none"><path d="M90 55 120 35M90 65 120 85M200 35 230 55M200 85 230 65"/></g></svg>`;
