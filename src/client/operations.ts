import type { Api } from "../contract/api.ts";
import { operations as table } from "./operations.generated.ts";

/** Every operation by noun and verb: `state.get`. */
export type OperationName = {
  [Noun in keyof Api & string]: `${Noun}.${keyof Api[Noun] & string}`;
}[keyof Api & string];

/** What the client knows of an operation at run time. */
export type OperationEntry = readonly [
  method: string,
  path: string,
  body: "none" | "json" | "bytes",
  answer: "json" | "bytes" | "socket",
];

/** Made from the contract; that none is missing is checked here, by type. */
export const operations: Readonly<Record<OperationName, OperationEntry>> = table;
