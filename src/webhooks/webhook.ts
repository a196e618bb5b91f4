import { createHash } from "node:crypto";
import { showTime } from "../contract/fields.ts";
import { type Op, type StoredRecord, isLive } from "../core/commit.ts";
import { decodeJson, encodeJson } from "../core/json-bytes.ts";
import type { Store } from "../store/store.ts";

/** What is stored of webhooks, and where. */

/** `webhooks`, by the id that a person gave it. */
export interface Webhook {
  /** Names what belongs to it; another one of the same id later has another. */
  uid: string;
  url: string;
  patterns: string[];
  /** As it was given; empty: nothing is signed. */
  secret: string;
  active: boolean;
  /** Milliseconds since 1970. */
  created_at: number;
}

/** `webhook_positions`, by uid: how far it got. Written with every delivery, so it is small. */
export interface Place {
  /** The event up to which all had their first attempt. */
  position: number;
  fail_count: number;
  /** Milliseconds since 1970; 0: never. */
  last_fired: number;
  missed: number;
  /** What came to an end last, newest first. */
  recent: Ended[];
}

export interface Ended {
  event: number;
  topic: string;
  status: "delivered" | "dropped";
  attempts: number;
  code: number;
  error: string;
  at: number;
}

/** `webhook_retries`, by `retryKey`; what is sent is beside it in `webhook_payloads`, and lives as long. */
export interface Retry {
  event: number;
  topic: string;
  /** `failed`: all attempts were made. */
  status: "waiting" | "failed";
  attempts: number;
  code: number;
  error: string;
  /** The last attempt, and the next, in milliseconds since 1970. */
  at: number;
  due: number;
  /** When it is lost, where nothing gets it through. */
  until: number;
  /** Of what is sent. */
  bytes: number;
}

/** Deliveries that are remembered of each webhook once they are over: each write of a position writes them. */
const remembered = 20;
/** Characters of a topic that are shown of a delivery: they are stored with it. */
const shownTopic = 128;
/** How long what could not be delivered is kept after its last attempt, or the next one that is due, in milliseconds: three days. */
export const keepFailedMs = 3 * 24 * 60 * 60 * 1000;
/** How much longer it is in the store, so that a server that stood still finds it, and counts it as lost, in milliseconds. */
const keepLostMs = 30 * 24 * 60 * 60 * 1000;

export function readWebhook(record: StoredRecord): Webhook {
  return decodeJson<Webhook>(record.value);
}

export function readPlace(record: StoredRecord): Place {
  return decodeJson<Place>(record.value);
}

/** In the order of the events. */
export function retryKey(uid: string, event: number): string {
  return `${uid}/${String(event).padStart(16, "0")}`;
}

/** @param action as the audit names it; the URL may hold a secret, and is not in there */
export function putWebhook(
  id: string,
  webhook: Webhook,
  action: string,
  detail?: Readonly<Record<string, string | number>>,
): Extract<Op, { kind: "put" }> {
  return {
    kind: "put",
    collection: "webhooks",
    key: id,
    value: encodeJson(webhook),
    contentType: "application/json",
    audit: { action, resource: id, ...(detail && { detail }) },
  };
}

export function putPlace(uid: string, place: Place): Extract<Op, { kind: "put" }> {
  const contentType = "application/json";
  return { kind: "put", collection: "webhook_positions", key: uid, value: encodeJson(place), contentType };
}

export function putRetry(uid: string, retry: Retry, now: number): Extract<Op, { kind: "put" }> {
  return { ...keptWith(uid, retry, now), collection: "webhook_retries", value: encodeJson(retry) };
}

/** After an attempt: it moves on when both end. */
export function putWithPayload(uid: string, retry: Retry, body: Uint8Array, now: number): Op[] {
  const payload: Op = { ...keptWith(uid, retry, now), collection: "webhook_payloads", value: body };
  return [putRetry(uid, retry, now), payload];
}

/** What is stored of a retry ends at one time. */
function keptWith(uid: string, { event, until }: Retry, now: number) {
  const ttlMs = Math.max(1, until + keepLostMs - now);
  return { kind: "put", key: retryKey(uid, event), contentType: "application/json", ttlMs } as const;
}

/** What is kept of a webhook for another attempt, in the order of the events. */
export async function readRetries(store: Store, uid: string): Promise<Retry[]> {
  const records = await store.listValues("webhook_retries", { prefix: `${uid}/` });
  return records.filter((record) => isLive(record, store.now())).map(readRetry);
}

/** Until when it is kept older servers did not say in it. */
function readRetry({ value, expiresAt }: StoredRecord): Retry {
  return { until: expiresAt, ...decodeJson<Omit<Retry, "until">>(value) };
}

export function forgetRetry(key: string): Op[] {
  return [
    { kind: "delete", collection: "webhook_retries", key },
    { kind: "delete", collection: "webhook_payloads", key },
  ];
}

export function remember(place: Place, ended: Ended): Place {
  const short = { ...ended, topic: cutTopic(ended.topic) };
  return { ...place, recent: [short, ...place.recent].slice(0, remembered) };
}

export function cutTopic(topic: string): string {
  return topic.length <= shownTopic ? topic : topic.slice(0, shownTopic).toWellFormed();
}

/**
 * The header `webhook-id`. Ids of events are taken again after a backup is restored, so the name of the log is part of
 * it; without dots, since they divide what is signed.
 */
export function messageId(epoch: string, event: number | string): string {
  return `msg_${createHash("sha256").update(epoch).digest("hex").slice(0, 12)}_${event}`;
}

/** Whether it is the `webhook-id` of something that is sent of this log. */
export function isMessageOf(epoch: string, id: string): boolean {
  return id.startsWith(messageId(epoch, ""));
}

export function showWebhook(
  id: string,
  { url, patterns, active, created_at }: Webhook,
  place: Place | undefined,
) {
  const { fail_count = 0, last_fired = 0 } = place ?? {};
  return {
    id,
    url,
    patterns,
    active,
    fail_count,
    created_at: showTime(created_at),
    last_fired: last_fired === 0 ? null : showTime(last_fired),
  };
}

/** Retries and what is over, as one list, newest event first. @param active what waits is tried again */
export function showDeliveries(
  epoch: string,
  active: boolean,
  retries: readonly Retry[],
  recent: readonly Ended[],
) {
  const waiting = retries.map((retry) => ({
    ...retry,
    next_at: active && retry.status === "waiting" ? showTime(retry.due) : null,
  }));
  const ended = recent.map((one) => ({ ...one, next_at: null }));
  return [...waiting, ...ended]
    .sort((a, b) => b.event - a.event || b.at - a.at)
    .map(({ event, topic, status, attempts, code, error, at, next_at }) => ({
      id: messageId(epoch, event),
      event_id: event,
      topic,
      status,
      attempts,
      code,
      error,
      at: showTime(at),
      next_at,
    }));
}
