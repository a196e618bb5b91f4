import { api } from "../../src/contract/api.ts";
import type { Operation } from "../../src/contract/operation.ts";
import { type TestServer, startServer } from "../harness.ts";
import { meetBadInput } from "./bad-input.ts";
import { isLinearizable } from "./linearizability.ts";
import { seeded } from "./random.ts";
import { type Ask, recordHistories } from "./register-history.ts";
import { type Operation as Recorded, register } from "./register.ts";

/** Each operation that the contract has, also those that come: nobody needs to think of it. */
export const operations = Object.entries(api).flatMap(([noun, group]) =>
  Object.entries(group as Record<string, Operation>).map(([verb, operation]) => ({
    name: `${noun}.${verb}`,
    operation,
  })),
);

/** A server that holds something of the names that bad input likes to name. */
export async function startPeopled(): Promise<TestServer> {
  const server = await startServer();
  await server.ask("/api/state/x", { method: "PUT", body: '{"a":1}' });
  await server.ask("/api/specs/x/x", { method: "PUT", body: "{}" });
  await server.ask("/api/events/publish", { method: "POST", body: '{"topic":"x"}' });
  await server.ask("/api/validate/x/rules", { method: "PUT", body: '[{"rule_id":"x","pattern":"x"}]' });
  return server;
}

/** All operations, each with so many requests. */
export async function allBadInput(seed: number, runs: number): Promise<void> {
  const server = await startPeopled();
  try {
    for (const { operation } of operations) await meetBadInput(operation, server, seed, runs);
  } finally {
    await server.dispose();
  }
}

/** What 24 clients saw of eight keys under a prefix. */
export async function historiesOf(
  ask: Ask,
  prefix: string,
  seed: number | string,
  each: number,
): Promise<Recorded[][]> {
  const histories = await recordHistories({
    ask,
    random: seeded(seed),
    clients: 24,
    operations: each,
    keys: Array.from({ length: 8 }, (_, index) => `${prefix}/${index}`),
    hangUp: 0.01,
  });
  return [...histories.values()];
}

export const linearizable = (history: readonly Recorded[]) => isLinearizable(register, history);
