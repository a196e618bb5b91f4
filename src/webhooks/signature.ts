import { createHmac } from "node:crypto";

/** What a secret of Standard Webhooks begins with; the rest is base64. */
const prefix = "whsec_";

/**
 * The bytes that sign.
 *
 * @throws Error when it begins as a secret of Standard Webhooks, and is none
 */
export function keyOf(secret: string): Buffer {
  if (!secret.startsWith(prefix)) return Buffer.from(secret);
  const text = secret.slice(prefix.length);
  const key = Buffer.from(text, "base64");
  const canonical = (base64: string) => base64.replaceAll("=", "");
  if (key.length === 0 || canonical(key.toString("base64")) !== canonical(text))
    throw new Error("no base64 behind whsec_");
  return key;
}

/**
 * The headers of one attempt: those of Standard Webhooks 1.0, and the ones that older receivers of Koor know. Without a
 * secret nothing is signed.
 *
 * @param at the attempt, in milliseconds since 1970
 */
export function signedHeaders(
  id: string,
  body: Uint8Array,
  secret: string,
  at: number,
): Record<string, string> {
  const timestamp = String(Math.floor(at / 1000));
  const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "X-Koor-Event": "true" };
  if (secret === "") return headers;
  const key = keyOf(secret);
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
  const plain = createHmac("sha256", key).update(body).digest("hex");
  return { ...headers, "webhook-signature": `v1,${signature}`, "X-Koor-Signature": plain };
}
