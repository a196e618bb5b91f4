import { type UsageGrouping, dayMs } from "../core/usage.ts";
import type { UsageQuery } from "./store.ts";

/** What the engines that speak SQL say alike of usage. */

/** Later than any row, and an id above any; of what JavaScript counts exactly. */
export const end = Number.MAX_SAFE_INTEGER;

/** What a row's name in a grouping is made of; of a day the days since 1970. */
export const columnOf: Readonly<Record<UsageGrouping, string>> = {
  instance: "instance_id",
  project: "project",
  model: "model",
  session_tag: "session_tag",
  day: `at / ${dayMs}`,
};

/** The filters that are given, as columns and values: first the one that leaves the fewest rows, by whose index they are found. */
export function filtersOf({ sessionTag, instanceId, project }: UsageQuery): [string, string][] {
  const filters = Object.entries({ session_tag: sessionTag, instance_id: instanceId, project });
  return filters.filter((filter): filter is [string, string] => filter[1] !== undefined);
}
