import { readFileSync } from "node:fs";
import { type Prices, parsePrices } from "./prices.ts";

/**
 * The table of prices in a file; of no file, no prices.
 * @throws Error that names the file and what is wrong with it: the server does not start
 */
export function readPrices(file: string): Prices {
  if (file === "") return {};
  try {
    return parsePrices(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(`--llm-prices ${file}: ${(error as Error).message}`, { cause: error });
  }
}
