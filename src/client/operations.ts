import type { Api } from "../contract/api.ts";
import { operations as table } from "./operations.generated.ts";

/** Every operation by noun and verb: `state.get`. */
export type OperationName = Names<keyof Api>;
type Names<Noun extends keyof Api> = { [N in Noun]: `${N}.${Extract<keyof Api[N], string>}` }[Noun];

/** What the client knows of an operation at run time. */
export type OperationEntry = readonly [
  method: string,
  path: string,
  body: "none" | "json" | "bytes" | "ndjson",
  answer: "json" | "bytes" | "ndjson" | "socket" | "stream",
  /** What the query always holds. */
  query?: Readonly<Record<string, string>>,
];

/** Made from the contract; that none is missing is checked here, by type. */
export const operations: Readonly<Record<OperationName, OperationEntry>> = table;
