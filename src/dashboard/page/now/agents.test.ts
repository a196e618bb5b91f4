import { expect, test } from "bun:test";
import type { LeaseInLine } from "../live/leases.ts";
import type { AuditEntry, Change, Instance } from "../server.ts";
import { type Agent, type Sources, agentsOf, isSilent } from "./agents.ts";

/** A minute past midnight, and so on. */
const at = (minute: number) => new Date(Date.UTC(2026, 10, 1, 0, minute)).toISOString();
const ms = (minute: number) => Date.parse(at(minute));

const bob = { id: "b", name: "bob", status: "active", last_seen: at(30) } as Instance;
const waiting = {
  id: "w",
  holder: "bob",
  holder_id: "b",
  resource: "",
  paths: ["src/**", "db/**"],
  state: "waiting",
  waiting_since: at(30),
  expires_at: at(31),
} as LeaseInLine;
const refusal = (minute: number, resource = "src/**, db/**"): AuditEntry => ({
  id: minute,
  timestamp: at(minute),
  actor: "bob",
  action: "lease.acquire",
  resource,
  detail: "{}",
  outcome: "conflict",
});
const granted = (minute: number, id: string) =>
  ({
    actor: "bob",
    action: "lease.acquire",
    resource: id,
    created_at: at(minute),
    topic: `leases.${id}`,
  }) as Change;

const nothing: Sources = {
  instances: [],
  leases: [],
  compliance: [],
  events: [],
  changes: [],
  refused: [],
  paths: new Map(),
  seenAt: ({ last_seen }) => Date.parse(last_seen),
  now: ms(30),
  silentAfter: 120_000,
};

function agentWith(sources: Partial<Sources>, instance = bob): Agent {
  return agentsOf({ ...nothing, instances: [instance], ...sources })[0] as Agent;
}
const troublesOf = (sources: Partial<Sources>) => agentWith(sources).troubles;

test("who gave up and asks again has waited since the first attempt", () => {
  const refused = [refusal(29), refusal(28, "elsewhere"), refusal(20), refusal(1)];
  expect(troublesOf({ leases: [waiting], refused })).toMatchObject([
    { kind: "waiting", attempts: { since: ms(20), refused: 2 } },
  ]);
});

test("what was granted between two attempts ends the first wait; another lease does not", () => {
  const refused = [refusal(28), refusal(24)];
  const paths = new Map([["other", "docs/**"]]);
  const changes = [granted(26, "same"), granted(29, "other")];
  expect(troublesOf({ leases: [waiting], refused, changes, paths })).toMatchObject([
    { kind: "waiting", attempts: { since: ms(28), refused: 1 } },
  ]);
});

test("who was refused and has done nothing since is stuck; who did something, or got it, is not", () => {
  const refused = [refusal(29)];
  const holder = { ...waiting, id: "h", holder: "ada", holder_id: "a", state: "held" } as LeaseInLine;
  expect(troublesOf({ refused, leases: [holder] })).toMatchObject([
    { kind: "refused", what: "src/**, db/**", attempts: { refused: 1 }, holder: { holder: "ada" } },
  ]);
  expect(troublesOf({ refused, changes: [granted(30, "got")] })).toEqual([]);
  const wrote = { ...granted(30, "x"), action: "state.put", topic: "state.x", version: 1 };
  expect(troublesOf({ refused, changes: [wrote] })).toEqual([]);
  expect(troublesOf({ refused: [refusal(20)] })).toEqual([]);
});

test("those who are stuck come first, the worst in front; then those at work, by name", () => {
  const named = (name: string, more: Partial<Instance> = {}) => ({ ...bob, id: name, name, ...more });
  const agents = agentsOf({
    ...nothing,
    instances: [
      named("ada"),
      named("zed", { last_seen: at(27), status: "stale" }),
      named("cy", { status: "pending" }),
      bob,
    ],
    leases: [waiting],
  });
  expect(agents.map(({ instance }) => instance.name)).toEqual(["bob", "zed", "ada", "cy"]);
});

test("who waits is not silent; who says nothing and waits for nothing is", () => {
  const quiet = { ...bob, last_seen: at(27) };
  expect(agentWith({}, quiet).troubles).toEqual([{ kind: "silent", since: ms(27), holds: 0 }]);
  const cases = [
    agentWith({}, quiet),
    agentWith({}),
    agentWith({ leases: [waiting] }, quiet),
    agentWith({}, { ...quiet, status: "pending" }),
  ];
  expect(cases.map(isSilent)).toEqual([true, false, false, false]);
});
