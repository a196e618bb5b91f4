import { expect, test } from "bun:test";
import { levelOf } from "./level.ts";

test("topics whose last part says that something failed are told apart, and others are not", () => {
  for (const topic of [
    "build.web.failed",
    "test/ios/FAILURE",
    "compliance.violation",
    "budget.exceeded",
    "pay.card-refused",
  ])
    expect([topic, levelOf(topic)]).toEqual([topic, "failure"]);
  for (const topic of ["agent.stale", "budget.warning"]) expect(levelOf(topic)).toBe("warning");
  for (const topic of [
    "",
    "failed.",
    "errors.fixed",
    "build.web.passed",
    "terrors",
    "failover.done",
    "plan.changed",
  ])
    expect([topic, levelOf(topic)]).toEqual([topic, undefined]);
});
