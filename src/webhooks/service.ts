import { KoorError } from "../contract/errors.ts";
import { limits } from "../contract/limits.ts";
import type { Handlers } from "../contract/operation.ts";
import type { Op, StoredRecord } from "../core/commit.ts";
import { GlobError, compileGlobs } from "../core/glob.ts";
import { ownNames } from "../core/own-names.ts";
import { type Resolve, checkedAddresses, within } from "../outbound/call.ts";
import type { TargetPolicy } from "../outbound/target.ts";
import type { Store } from "../store/store.ts";
import { perform } from "../store/write.ts";
import type { Send } from "./attempt.ts";
import type { webhookOperations } from "./contract.ts";
import { payloadOf } from "./log.ts";
import { keyOf } from "./signature.ts";
import {
  type Place,
  type Webhook,
  readPlace,
  readWebhook,
  forgetRetry,
  messageId,
  putPlace,
  putRetry,
  putWebhook,
  readRetries,
  retryKey,
  showDeliveries,
  showWebhook,
} from "./webhook.ts";

/** Tests that are under way at once: each holds a connection for up to 10 s. */
const testsMost = 32;
/** How long the look-up of a new webhook's host may take, in milliseconds. A name that is not found yet may come. */
const lookUpMs = 3_000;

export interface WebhookOptions {
  store: Store;
  send: Send;
  /** What webhooks may call. */
  policy: TargetPolicy;
  resolve: Resolve;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Ids: random UUIDs. */
  newId: () => string;
}

/** The registry of webhooks. What is sent, and when, is the dispatcher's. */
export function webhookService(options: WebhookOptions): Handlers<typeof webhookOperations> {
  const { store, send, policy, resolve, now, newId } = options;
  let tests = 0;

  async function read(id: string): Promise<StoredRecord> {
    const record = await store.get("webhooks", id);
    if (!record) throw absent(id);
    return record;
  }

  async function placeOf({ uid }: Webhook): Promise<{ place: Place; version: number }> {
    const record = await store.get("webhook_positions", uid);
    if (!record) throw new Error("a webhook has no position");
    return { place: readPlace(record), version: record.version };
  }

  async function refusePrivate(url: URL): Promise<void> {
    if ((await checkedAddresses(url, policy, resolve, within(lookUpMs))) !== "refused") return;
    throw new KoorError("bad_request", "url is at an address that webhooks may not call", {
      path: "url",
      hint: "Private addresses must be named by the server's option --webhook-allow.",
    });
  }

  return {
    async create({ body: { id, url: text, patterns, secret }, ...terms }) {
      const url = readUrl(text);
      checkPatterns(patterns);
      checkSecret(secret ?? "");
      await refusePrivate(url);
      const plan = async () => {
        const heads = await store.heads();
        if (await store.get("webhooks", id)) throw inUse(id);
        if (heads.live.webhooks >= limits.webhooks) throw tooMany();
        const created_at = now();
        const webhook = { uid: newId(), url: text, patterns, secret: secret ?? "", active: true, created_at };
        const place = { position: heads.events, fail_count: 0, last_fired: 0, missed: 0, recent: [] };
        const put = { ...putWebhook(id, webhook, "webhook.create"), guard: { version: 0 } };
        const note = showWebhook(id, webhook, place);
        return { ops: [put, putPlace(webhook.uid, place)], note, optimistic: true };
      };
      return perform(store, terms, plan, (_, note) => note);
    },

    async list() {
      const [webhooks, positions] = await Promise.all([
        store.listValues("webhooks"),
        store.listValues("webhook_positions"),
      ]);
      const places = new Map(positions.map((record) => [record.key, readPlace(record)]));
      return webhooks.map((record) => {
        const webhook = readWebhook(record);
        return showWebhook(record.key, webhook, places.get(webhook.uid));
      });
    },

    async delete({ params: { id }, ...terms }) {
      const plan = async () => {
        const record = await read(id);
        const { uid } = readWebhook(record);
        const kept = await store.list("webhook_retries", { prefix: `${uid}/` });
        const remove: Op = {
          kind: "delete",
          collection: "webhooks",
          key: id,
          guard: { version: record.version, exists: true },
          audit: { action: "webhook.delete", resource: id },
        };
        const position: Op = { kind: "delete", collection: "webhook_positions", key: uid };
        const ops = [remove, position, ...kept.flatMap(({ key }) => forgetRetry(key))];
        return { ops, note: { deleted: id }, optimistic: true };
      };
      return perform(store, terms, plan, (_, note) => note);
    },

    async test({ params: { id } }) {
      const webhook = readWebhook(await read(id));
      if (tests >= testsMost)
        throw new KoorError("rate_limited", "too many webhooks are being tested", { retryAfter: 1 });
      tests += 1;
      try {
        const data = JSON.stringify({ webhook_id: id });
        const event = { id: 0, topic: "webhook.test", data, source: ownNames.webhooks, createdAt: now() };
        const attempt = await send(
          webhook,
          messageId((await store.heads()).epoch, newId()),
          Buffer.from(payloadOf(event)),
        );
        if (attempt.ok) return { tested: id, status: "ok" as const };
        throw new KoorError("bad_request", `the test event did not get through: ${attempt.error}`, {
          hint: "The receiver must answer with a status of 200 to 299 within 10 s, at this very URL.",
        });
      } finally {
        tests -= 1;
      }
    },

    async deliveries({ params: { id }, query: { limit = limits.historyRows } }) {
      const webhook = readWebhook(await read(id));
      const [{ place }, retries, { epoch }] = await Promise.all([
        placeOf(webhook),
        readRetries(store, webhook.uid),
        store.heads(),
      ]);
      const { position, missed, recent } = place;
      const shown = showDeliveries(epoch, webhook.active, retries, recent);
      return { id, position, missed, deliveries: shown.slice(0, limit) };
    },

    async replay({ params: { id }, body: { after }, ...terms }) {
      const plan = async () => {
        const record = await read(id);
        const webhook = readWebhook(record);
        const { place, version } = await placeOf(webhook);
        if (after !== undefined) expectKept(after, await store.heads());
        const retries = await readRetries(store, webhook.uid);
        const { uid } = webhook;
        const at = now();
        // Of events that are sent again all the same nothing must be tried again beside it.
        const ops =
          after === undefined
            ? retries.map((retry) => ({
                ...putRetry(uid, { ...retry, status: "waiting", attempts: 1, due: at }, at),
                // It may have got through since it was read.
                guard: { exists: true },
              }))
            : retries.flatMap(({ event }) => (event > after ? forgetRetry(retryKey(uid, event)) : []));
        const position = after ?? place.position;
        const label = after === undefined ? undefined : { after };
        const put = putWebhook(id, { ...webhook, active: true }, "webhook.replay", label);
        const moved: Op = { ...putPlace(uid, { ...place, position, fail_count: 0 }), guard: { version } };
        // What is under way counts as long as the place is the same: it is not sent again.
        const isMoved = after !== undefined || !webhook.active;
        return {
          ops: [{ ...put, guard: { version: record.version } }, ...(isMoved ? [moved] : []), ...ops],
          note: { id, position, retried: after === undefined ? retries.length : 0 },
          optimistic: true,
        };
      };
      return perform(store, terms, plan, (_, note) => note);
    },
  };
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.username + url.password + url.hash === "") return url;
  throw new KoorError("bad_request", "url must be an http or https address, without a user in it", {
    path: "url",
    hint: "Such as https://example.com/hooks/koor. Who is allowed to send is told by the signature: give a secret.",
  });
}

function checkPatterns(patterns: readonly string[]): void {
  for (const [index, pattern] of patterns.entries()) {
    try {
      compileGlobs(pattern);
    } catch (error) {
      if (!(error instanceof GlobError)) throw error;
      const path = `patterns.${index}`;
      throw new KoorError("bad_request", `${path} is malformed: ${error.message}`, { path });
    }
  }
}

function checkSecret(secret: string): void {
  try {
    keyOf(secret);
  } catch {
    throw new KoorError("bad_request", "secret begins with whsec_, and what follows is no base64", {
      path: "secret",
    });
  }
}

/** That every event after a position is still there. @throws KoorError `gone`, `bad_request` */
function expectKept(after: number, { events, firstEvent }: { events: number; firstEvent: number }): void {
  if (after > events)
    throw new KoorError("bad_request", `after is beyond the newest event, ${events}`, { path: "after" });
  if (after + 1 >= firstEvent) return;
  throw new KoorError("gone", `the oldest event that is kept is ${firstEvent}`, {
    oldest: firstEvent,
    hint: `What was before is gone. Replay with after=${firstEvent - 1}, or without it what failed.`,
  });
}

function absent(id: string): KoorError {
  return new KoorError("not_found", `webhook not found: ${id}`, {
    hint: "List them: koor-cli webhooks list",
  });
}

function inUse(id: string): KoorError {
  return new KoorError("already_exists", `a webhook of the id ${id} exists`, {
    path: "id",
    hint: "Delete it first, or take another id. List them: koor-cli webhooks list",
  });
}

function tooMany(): KoorError {
  return new KoorError("rate_limited", `there are ${limits.webhooks} webhooks already`, {
    hint: "One webhook can have many patterns. Delete those that are not needed: koor-cli webhooks list",
  });
}
