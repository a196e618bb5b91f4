import { type AuditEntry, client } from "../server.ts";
import { hour } from "./changes.ts";
import { serverTime } from "./clock.ts";
import { resource } from "./resource.ts";

/**
 * What was refused in the last hour. No stream tells it, but it has its place in the log that changes come from: where their
 * numbers have a hole, something was refused.
 */
export interface Refusals {
  /** The newest row of the audit that was looked at. */
  newest: Pick<AuditEntry, "id" | "timestamp"> | undefined;
  /** Newest first. */
  refused: readonly AuditEntry[];
}

/** Rows in one answer. */
const pageRows = 1000;
/** Answers that are looked through at once. */
const maxPages = 4;
/** Refused things that are kept. */
const maxRefused = 1000;
/** How often the audit is asked at most, in milliseconds: agents that try again are refused often. */
const askEvery = 2000;

let last = 0;

export const refusals = resource<Refusals>(
  read,
  ({ id }) => {
    const isHole = id !== last + 1;
    last = id;
    return isHole;
  },
  askEvery,
);

async function read(signal: AbortSignal): Promise<Refusals> {
  const { newest, refused } = refusals.value.peek() ?? { newest: undefined, refused: [] };
  const since = new Date(serverTime() - hour).toISOString();
  const rows: AuditEntry[] = [];
  for (let page = 0; page < maxPages; page++) {
    const query = {
      from: newest?.timestamp ?? since,
      to: rows.at(-1)?.timestamp,
      limit: String(pageRows),
    };
    const answer = await client.call("audit.list", { query, signal });
    const oldest = rows.at(-1)?.id ?? Infinity;
    rows.push(...answer.filter(({ id }) => id < oldest && id > (newest?.id ?? 0)));
    if (answer.length < pageRows) break;
  }
  const fresh = rows.filter(({ outcome }) => outcome !== "ok");
  const kept = [...fresh, ...refused].filter(({ timestamp }) => timestamp >= since);
  return { newest: rows[0] ?? newest, refused: kept.slice(0, maxRefused) };
}
