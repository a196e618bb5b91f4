import { afterAll, beforeAll, describe, test } from "bun:test";
import { api } from "../src/contract/api.ts";
import type { Operation } from "../src/contract/operation.ts";
import { type TestServer, startServer } from "./harness.ts";
import { meetBadInput } from "./proof/bad-input.ts";

/** Each operation that the contract has, also those that come: nobody needs to think of it. */
const operations = Object.entries(api).flatMap(([noun, group]) =>
  Object.entries(group as Record<string, Operation>).map(([verb, operation]) => ({
    name: `${noun}.${verb}`,
    operation,
  })),
);

describe("what nobody should send", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
    // Something to meet, besides nothing.
    await server.ask("/api/state/x", { method: "PUT", body: '{"a":1}' });
    await server.ask("/api/specs/x/x", { method: "PUT", body: "{}" });
    await server.ask("/api/events/publish", { method: "POST", body: '{"topic":"x"}' });
    await server.ask("/api/validate/x/rules", { method: "PUT", body: '[{"rule_id":"x","pattern":"x"}]' });
  });
  afterAll(() => server.dispose());

  test.each(operations)(
    "$name answers it with a clear 4xx, and stores nothing of it (LIMIT-1)",
    async ({ operation }) => {
      await meetBadInput(operation, server, 1, 60);
    },
  );
});
