import { z } from "zod";
import type { UsageRecord } from "../core/usage.ts";

/** The highest price: ten times those of the most expensive models and more, while sums of micro-dollars stay exact. */
const mostPrice = 10_000;
const usd = z.number().min(0, "must not be negative").max(mostPrice, `is more than ${mostPrice}`);

/** A model's prices, in US dollars for a million tokens: which is micro-dollars for one. */
const price = z.strictObject({
  input: usd,
  output: usd,
  /** Input that was read from, or written to, the provider's cache; unless said, as other input. */
  cache_read: usd.optional(),
  cache_write: usd.optional(),
  /** What was written to be kept for an hour; unless said, as `cache_write`. */
  cache_write_1h: usd.optional(),
});

/** By model; a name also stands for the models whose names begin with it, unless there is a longer one. */
const table = z.record(z.string().min(1), price);

export type Prices = z.output<typeof table>;

/**
 * Reads a table of prices.
 * @throws Error whose message says what is wrong with it
 */
export function parsePrices(text: string): Prices {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error("it is not JSON");
  }
  const result = table.safeParse(parsed);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue?.path.map(String).join(".") || "the whole";
  throw new Error(
    `${place}: ${issue?.message}. It must be {"MODEL": {"input": USD, "output": USD, "cache_read": USD, "cache_write": USD, "cache_write_1h": USD}}, each for a million tokens`,
  );
}

type Call = Pick<UsageRecord, "model" | "tokensIn" | "tokensOut" | "cacheRead" | "cacheWrite"> & {
  /** Of cacheWrite: kept for an hour. */
  cacheWriteHour: number;
};

/** What a call cost, in whole micro-dollars; undefined when the table has no price for its model. */
export function costOf(prices: Prices, call: Call): number | undefined {
  const names = Object.keys(prices).filter((name) => call.model.startsWith(name));
  const best = names.toSorted((a, b) => b.length - a.length)[0];
  if (best === undefined) return undefined;
  const price = prices[best] as Prices[string];
  const { input, cache_read = input, cache_write = input, cache_write_1h = cache_write } = price;
  const { tokensIn, tokensOut, cacheRead, cacheWrite, cacheWriteHour } = call;
  return Math.round(
    (tokensIn - cacheRead - cacheWrite) * input +
      cacheRead * cache_read +
      (cacheWrite - cacheWriteHour) * cache_write +
      cacheWriteHour * cache_write_1h +
      tokensOut * price.output,
  );
}
