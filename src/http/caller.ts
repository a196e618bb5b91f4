import { KoorError } from "../contract/errors.ts";
import type { Caller } from "../contract/operation.ts";

export interface CallerOptions {
  /** Whose token this is. @param doing the operation it is used for. @throws KoorError `unknown_instance` */
  identify: (instanceToken: string, doing: string) => Promise<Caller>;
  /** Who asks without such a token; nobody in particular unless said. */
  visitor?: (request: Request) => Caller;
  /** Whether a `webhook-id` is one of this log's own deliveries. */
  isOwnDelivery: (webhookId: string) => Promise<boolean>;
}

export const nobody: Caller = Object.freeze({ name: "" });

/**
 * Who asks: the instance whose own token the request carries, else whoever visits here.
 *
 * What a webhook of ours sends is not taken: one that leads to `POST /api/events/publish` would be sent the event that it made, and
 * so on. One alone made 500 events in three seconds, two would double with each.
 *
 * @param doing the operation
 */
export async function callerOf(
  request: Request,
  doing: string,
  { identify, visitor, isOwnDelivery }: CallerOptions,
): Promise<Caller> {
  const delivery = request.headers.get("webhook-id");
  if (delivery !== null && (await isOwnDelivery(delivery)))
    throw new KoorError(
      "bad_request",
      "this is sent by a webhook of this server, which must not lead back to it",
      {
        hint: "Delete that webhook: koor-cli webhooks list",
      },
    );
  const token = request.headers.get("koor-instance-token");
  if (token !== null) return identify(token, doing);
  return visitor?.(request) ?? nobody;
}
