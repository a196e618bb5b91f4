import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { reasons } from "../../src/contract/errors.ts";
import type { Operation } from "../../src/contract/operation.ts";
import type { Heads } from "../../src/core/commit.ts";
import { type Kept, headsTable, openRows } from "../rows.ts";
import { badRequests } from "./bad-requests.ts";
import { type RawAnswer, type RawRequest, sendExactly } from "./raw-request.ts";

export interface Target extends Kept {
  url: string;
}

/**
 * Sends an operation what nobody should, and holds each answer against what is promised: it comes, it is no fault of the
 * server, a refusal says what is wrong in the closed words, and after a refusal or a read nothing is stored.
 *
 * @throws Error by fast-check that names seed and request
 */
export async function meetBadInput(
  operation: Operation,
  target: Target,
  seed: number,
  runs: number,
): Promise<void> {
  const rows = openRows(target);
  /** That somebody was refused is stored, and nothing else. */
  const stored = async () => {
    const [{ heads, ...rest }] = await rows.ask(
      `select heads, (select max(id) from versions) as version,
         (select count(*) from audit where outcome = 'ok') as changes from ${headsTable(target)}`,
    );
    const { revision: _, audit: __, auditHash: ___, ...others } = JSON.parse(heads) as Heads;
    return { ...rest, ...others };
  };
  try {
    const property = fc.asyncProperty(badRequests(operation), async (request) => {
      const before = await stored();
      const answer = await sendExactly(target.url, request);
      assert.ok(answer.status >= 100 && answer.status < 500, `answered ${answer.status} ${answer.body}`);
      if (answer.status >= 400) assertClear(answer, request);
      if (answer.status >= 400 || operation.method === "GET")
        assert.deepEqual(await stored(), before, "something was stored");
    });
    // Each operation meets others.
    const own = createHash("sha256")
      .update(`${seed} ${operation.method} ${operation.path}`)
      .digest()
      .readInt32BE(0);
    await fc.assert(property, { seed: own, numRuns: runs });
  } finally {
    await rows.close();
  }
}

function assertClear({ status, headers, body }: RawAnswer, { method }: RawRequest): void {
  // Bun's own, for a head over 16 KiB, before any of ours sees it.
  if (status === 431) return;
  assert.equal(headers.get("content-type"), "application/json", `a refusal is JSON: ${body}`);
  if (method === "HEAD") return;
  const refusal = JSON.parse(body ?? "") as { error: string; code: number; reason: string };
  assert.equal(refusal.code, status);
  assert.equal(
    reasons[refusal.reason as keyof typeof reasons]?.status,
    status,
    `${refusal.reason} is ${status}`,
  );
  assert.match(refusal.error, /./);
  assert.doesNotMatch(refusal.error, /\bat \S+:\d+|\[object|zod|SQLITE/i, "the inside of the server");
}
