import type { Op } from "../core/commit.ts";
import { ownNames } from "../core/own-names.ts";
import type { Attempt } from "./attempt.ts";
import type { LaneStart } from "./lane.ts";
import { type Ended, type Place, putWebhook, remember } from "./webhook.ts";

/** Events in a row whose first attempt fails until a webhook is disabled. */
export const failuresMost = 10;

/** Where a webhook stands once something got through. */
export function succeeded(place: Place, about: Omit<Ended, "status" | "error">): Place {
  const through = { ...place, fail_count: 0, last_fired: about.at };
  return remember(through, { ...about, status: "delivered", error: "" });
}

/**
 * The end of a webhook that takes nothing, if it is: with it, in one transaction, the event that says so. Once, whatever
 * else is under way.
 *
 * @param place with the failure counted
 */
export function disabling(
  { id, version, webhook }: LaneStart,
  { fail_count }: Place,
  { code }: Attempt,
): readonly Op[] {
  const gone = code === 410;
  if (!gone && fail_count < failuresMost) return [];
  const reason = gone ? "the receiver answered 410 Gone" : `${failuresMost} events in a row failed`;
  const data = JSON.stringify({ webhook_id: id, reason, fail_count });
  return [
    {
      ...putWebhook(id, { ...webhook, active: false }, "webhook.disable", { fail_count }),
      guard: { version },
    },
    { kind: "append", topic: "webhook.disabled", data, source: ownNames.webhooks },
  ];
}
