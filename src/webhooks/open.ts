import type { Handlers } from "../contract/operation.ts";
import type { Feed } from "../feed/feed.ts";
import type { Resolve } from "../outbound/call.ts";
import type { TargetPolicy } from "../outbound/target.ts";
import type { Store } from "../store/store.ts";
import { openSender } from "./attempt.ts";
import type { webhookOperations } from "./contract.ts";
import { type Dispatcher, openDispatcher } from "./dispatcher.ts";
import { webhookService } from "./service.ts";
import { isMessageOf } from "./webhook.ts";

export interface OpenOptions {
  store: Store;
  /** Over the events, as `payloadOf` and `afterAnswers` have them. */
  feed: Feed;
  /** What webhooks may call. */
  policy: TargetPolicy;
  resolve: Resolve;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Ids: random UUIDs. */
  newId: () => string;
  /** From 0 to 1. */
  random: () => number;
  /** No other server can be on the store. */
  alone: boolean;
  /** As `retryDelays`, and `callMs`: shorter in tests. */
  delays?: readonly number[];
  timeoutMs?: number;
}

export interface Webhooks {
  service: Handlers<typeof webhookOperations>;
  dispatcher: Dispatcher;
  /** Whether a `webhook-id` is of what is sent from here, or from another server on the store. */
  isOwnDelivery: (webhookId: string) => Promise<boolean>;
}

/** What is said of webhooks, and what is done for them, over one way of sending. */
export function openWebhooks(options: OpenOptions): Webhooks {
  const send = openSender(options);
  return {
    service: webhookService({ ...options, send }),
    dispatcher: openDispatcher({ ...options, send, server: options.newId() }),
    isOwnDelivery: async (webhookId) => isMessageOf((await options.store.heads()).epoch, webhookId),
  };
}
