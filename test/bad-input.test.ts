import { afterAll, beforeAll, describe, test } from "bun:test";
import type { TestServer } from "./harness.ts";
import { meetBadInput } from "./proof/bad-input.ts";
import { operations, startPeopled } from "./proof/over-http.ts";

describe("what nobody should send", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startPeopled();
  });
  afterAll(() => server.dispose());

  test.each(operations)(
    "$name answers it with a clear 4xx, and stores nothing of it (LIMIT-1)",
    async ({ operation }) => {
      await meetBadInput(operation, server, 1, 60);
    },
  );
});
