import { type Change, client } from "../server.ts";
import { midnight } from "./clock.ts";
import { resource } from "./resource.ts";
import { useAnswer } from "./use-answer.ts";

/** What models cost, as it comes in. */

export const isUsage = ({ action }: Change) => action === "llm.usage" || action === "llm.import";

/** How often at most sums are asked for anew, in milliseconds: agents record every call. */
export const sumsEvery = 2000;

/** What each instance used since midnight, by its id; undefined until it is there. */
export function useToday() {
  const from = new Date(midnight.value).toISOString();
  const query = { group_by: "instance", from } as const;
  const { answer } = useAnswer(
    (signal) => client.call("llm.summary", { query, signal }),
    isUsage,
    [from],
    sumsEvery,
  );
  return answer;
}

export const budgets = resource(
  (signal) => client.call("llm.budgets", { signal }),
  (change) => isUsage(change) || change.action.startsWith("budget."),
);

/** A budget of which this share is spent is worth a word: the server publishes `budget.warning`. */
export const warnsAt = 0.8;
