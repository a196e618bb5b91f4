import type { Client } from "../src/client/client.ts";
import type { Worker } from "./busy.ts";
import { prices } from "./busy-shop.ts";

/** What the busy agents' calls of models use: as they go, and in the weeks before. */

/** Days before today in which they were at work already. */
const pastDays = 45;
/** Records in one request. */
const pageRows = 500;
const dayMs = 86_400_000;

/** One call's numbers: much goes in, little comes out. */
function callOf({ model, project, id, random }: Worker) {
  const { provider, into, out } = prices[model] as (typeof prices)[string];
  const tokens_in = Math.round(8_000 + random() ** 3 * 160_000);
  const tokens_out = Math.round(200 + random() ** 2 * 5_000);
  // Micro-dollars are whole.
  const cost_usd = Math.round(tokens_in * into + tokens_out * out) / 1_000_000;
  return { provider, model, project, instance_id: id, tokens_in, tokens_out, cost_usd };
}

/** A call that was made right now. */
export function record(worker: Worker): Promise<unknown> {
  return worker.client.call("llm.record", { body: { ...callOf(worker), session_tag: "sprint-12" } });
}

/** What session logs of the weeks before would bring: less at the weekend, more from week to week. */
export async function importPast(client: Client, workers: readonly Worker[]): Promise<void> {
  const today = new Date().setHours(0, 0, 0, 0);
  const records = workers.flatMap((worker) =>
    Array.from({ length: pastDays }, (_, before) => {
      const day = new Date(today - (before + 1) * dayMs);
      const calls = worker.random() * ([0, 6].includes(day.getDay()) ? 4 : 16 - before / 5);
      return Array.from({ length: Math.round(calls) }, (_, nth) => ({
        ...callOf(worker),
        timestamp: new Date(day.getTime() + (8 + 11 * worker.random()) * 3_600_000).toISOString(),
        ref: `${worker.id} ${before} ${nth}`,
      }));
    }).flat(),
  );
  for (let at = 0; at < records.length; at += pageRows)
    await client.call("llm.import", { body: { records: records.slice(at, at + pageRows) } });
}
