import { KoorError } from "../contract/errors.ts";
import type { RecordHead } from "../core/commit.ts";
import type { ContractJudge, Fault } from "../core/contract-judge.ts";
import type { Store } from "../store/store.ts";
import { mayBeContract } from "./document.ts";
import type { ContractEngine } from "./engine.ts";

/** Verdicts that are kept by the hash of what was judged, the oldest goes first: some 2 MB with specs that are no contracts. */
const verdictsMost = 20_000;

/** Judges specs as contracts, what it has judged before without reading it again. */
export function contractJudge(store: Store, engine: ContractEngine): ContractJudge {
  const verdicts = new Map<string, readonly Fault[] | null>();

  async function judge(bytes: Uint8Array): Promise<{ faults: readonly Fault[] | null; lasts: boolean }> {
    if (!mayBeContract(bytes)) return { faults: null, lasts: true };
    try {
      return { faults: await engine.run({ kind: "judge", bytes }), lasts: true };
    } catch (error) {
      if (!(error instanceof KoorError) || !["bad_request", "over_budget"].includes(error.reason))
        throw error;
      const fault = { path: error.details.path ?? "", message: error.message };
      // How long something takes says nothing for good.
      return { faults: [fault], lasts: error.reason === "bad_request" };
    }
  }

  return async ({ key, version, hash }: RecordHead) => {
    const known = verdicts.get(hash);
    if (known !== undefined) return known;
    const record = await store.version("specs", key, version);
    // Written anew meanwhile, and the old one trimmed: the next look is at the new one.
    if (!record) return null;
    const { faults, lasts } = await judge(record.value);
    if (lasts) {
      if (verdicts.size >= verdictsMost) verdicts.delete(verdicts.keys().next().value as string);
      verdicts.set(hash, faults);
    }
    return faults;
  };
}
