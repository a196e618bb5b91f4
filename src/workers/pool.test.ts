import { expect, test } from "bun:test";
import { openContractEngine } from "../contracts/engine.ts";

test("jobs that cannot be sent to a worker are refused, and take no worker with them (LIMIT-1)", async () => {
  const engine = openContractEngine();
  const bytes = new TextEncoder().encode('{"$schema":"https://json-schema.org/draft/2020-12/schema"}');
  const check = (payload: unknown) =>
    engine.run({ kind: "check", key: "k", bytes, endpoint: "", direction: "request", payload });
  const deep = JSON.parse("[".repeat(300_000) + "]".repeat(300_000)) as unknown;
  const asked = await Promise.allSettled(Array.from({ length: 12 }, () => check(deep)));
  for (const one of asked)
    expect(one).toMatchObject({ status: "rejected", reason: { message: "payload is nested too deep" } });
  expect(await Promise.all([check(1), check(2), check(3)])).toEqual([[], [], []]);
  await engine.close();
});
