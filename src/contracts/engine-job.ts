import type { ErrorDetails, Reason } from "../contract/errors.ts";
import type { CallPlan } from "./call-plan.ts";
import type { Change } from "./compare.ts";
import type { ContractKind } from "./document.ts";
import type { Direction, Violation } from "./field-check.ts";

/** What passes between the contract engine and its worker. */

/** What a spec is; `null` for one that is no contract. */
export type Inspection = { kind: ContractKind; endpoints: string[] } | null;

export type Job =
  | {
      kind: "inspect";
      bytes: Uint8Array;
      /** How much of it is to be sound: that it is read at all, the names of its endpoints, or every schema in it. */
      until: "kind" | "names" | "whole";
    }
  | {
      kind: "check";
      /** Names the contract's version; the worker keeps what it compiled under it. */
      key: string;
      /** Left out at first: most times the worker has it. */
      bytes?: Uint8Array;
      endpoint: string;
      direction: Direction;
      /** Of the answer, where it is known. */
      status?: number;
      payload: unknown;
    }
  | { kind: "plan"; bytes: Uint8Array; endpoint: string }
  | { kind: "judge"; bytes: Uint8Array }
  | { kind: "compare"; before: readonly Uint8Array[]; after: Uint8Array };

/** What each kind of job comes to. `missing`: send it again with the contract. */
export interface Results {
  inspect: Inspection;
  check: Violation[] | "missing";
  plan: CallPlan | null;
  /** What is wrong with it as a contract; `null` for a spec that is none. */
  judge: Violation[] | null;
  /** One list for each version before; of one that is no contract none, since nothing was agreed. */
  compare: Change[][];
}

/** What a job came to, or a refusal that the caller is meant to see. */
export type Answer =
  | { ok: true; result: Results[Job["kind"]] }
  | { ok: false; reason: Reason; message: string; details: ErrorDetails };
