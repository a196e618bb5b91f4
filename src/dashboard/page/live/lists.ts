import { type Change, client } from "../server.ts";
import { resource } from "./resource.ts";

/** What the page shows of the server's small lists. Each is asked for when a change says that it is another one. */

const of = (noun: string) => {
  const topic = `${noun}.`;
  return (change: Change) => change.topic.startsWith(topic);
};

export const instances = resource((signal) => client.call("instances.list", { signal }), of("instances"));

export const rules = resource((signal) => client.call("rules.find", { signal }), of("rules"));

/** Those that wait for a person. */
export const proposed = resource(
  (signal) => client.call("rules.find", { query: { status: "proposed" }, signal }),
  of("rules"),
);

export const metrics = resource(
  (signal) => client.call("metrics.read", { signal }),
  // Its numbers change with every request; those that change something stand for the others.
  () => true,
);

/** What of the server does not change while it runs: where it is. */
export const about = resource(
  (signal) => client.call("metrics.read", { signal }),
  () => false,
);

export const health = resource(
  (signal) => client.call("metrics.health", { signal }),
  () => false,
);

/** Checks of contracts that are looked at. */
const complianceRuns = "200";

export const compliance = resource(
  (signal) => client.call("compliance.history", { query: { limit: complianceRuns }, signal }),
  of("compliance"),
);
