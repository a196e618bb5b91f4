import type { RecordHead } from "./commit.ts";

/** What is wrong, and where: an endpoint, a field, or a JSON pointer. */
export interface Fault {
  path: string;
  message: string;
}

/**
 * Whether a spec's version is sound as a contract.
 *
 * @param head a record of the collection `specs`
 * @returns what is wrong with it, nothing when it is sound; `null` for a spec that is no contract
 * @throws KoorError `rate_limited`, `unavailable`
 */
export type ContractJudge = (head: RecordHead) => Promise<readonly Fault[] | null>;
