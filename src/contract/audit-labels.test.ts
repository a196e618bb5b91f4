import { expect, test } from "bun:test";
import { api } from "./api.ts";
import type { Operation } from "./operation.ts";

/** They change nothing that a person would name, or nothing at all. */
const unnamed = new Set([
  "metrics.reset",
  "rules.validate",
  "contracts.validate",
  "contracts.test",
  "contracts.check",
  "instances.heartbeat",
  "instances.checkLiveness",
  "compliance.run",
  "webhooks.test",
]);

const writing = Object.entries(api).flatMap(([noun, operations]) =>
  Object.entries(operations as Record<string, Operation>)
    .filter(([, { method }]) => method !== "GET")
    .map(([verb, operation]) => ({ name: `${noun}.${verb}`, operation })),
);

test("every operation that changes something says what the audit calls it when it is refused", () => {
  const nameless = writing.filter(({ name, operation }) => !operation.audit && !unnamed.has(name));
  expect(nameless.map(({ name }) => name)).toEqual([]);
});

test("what an audit label has in braces is a parameter or a member of the body", () => {
  for (const { operation } of writing) {
    const { audit = "", params, body } = operation;
    expect(audit).toMatch(/^([a-z]+\.[a-z]+( \S+)?)?$/);
    const members = body?.kind === "json" && "shape" in body.schema ? (body.schema.shape as object) : {};
    for (const [, name = ""] of audit.matchAll(/\{(\w+)\}/g))
      expect([operation.path, audit, name in { ...params?.shape, ...members }]).toEqual([
        operation.path,
        audit,
        true,
      ]);
  }
});
