import type { Op } from "./commit.ts";

/** What is about to become a spec's next version; `null`: it is about to be deleted. */
export interface SpecChange {
  /** The key in the collection `specs`. */
  key: string;
  value: Uint8Array | null;
}

/**
 * What every writer of specs asks before it commits, whichever way the change came in: whether the contracts among
 * them are well-formed, and keep to the compatibility that was promised of them.
 *
 * @returns guards that go into the same commit, behind its own operations; when one of them fails (`Plan.optimistic`),
 * something changed meanwhile, and it is asked again
 * @throws KoorError `bad_request` for a malformed contract, `incompatible`, `over_budget`
 */
export type SpecGate = (changes: readonly SpecChange[]) => Promise<Op[]>;
