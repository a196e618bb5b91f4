import type { Event, Model } from "./linearizability.ts";

/** One key of Koor as a sequential object: a value with its version, which counts on over deletes. */

export interface Register {
  version: number;
  /** Undefined while the key does not exist. */
  value: string | undefined;
}

export type Call =
  | { kind: "read" }
  /** `expected`: the version it must be at, 0: it does not exist. */
  | { kind: "write"; value: string; expected?: number }
  | { kind: "delete" };

export type Answer =
  | { kind: "read"; version: number; value: string }
  | { kind: "absent" }
  | { kind: "written"; version: number }
  | { kind: "deleted" }
  /** The version in its way; 0 when there was none. */
  | { kind: "mismatch"; current: number };

export type Operation = Event<Call, Answer>;

const liveVersion = ({ version, value }: Register) => (value === undefined ? 0 : version);

export const register: Model<Register, Call, Answer> = {
  initial: { version: 0, value: undefined },
  name: ({ version, value }) => `${version} ${value ?? ""}`,
  step(state, call, answer) {
    const { state: after, answer: expected } = take(state, call);
    return answer === undefined || JSON.stringify(answer) === JSON.stringify(expected) ? after : undefined;
  },
};

/** What a call does, and is answered. */
function take(state: Register, call: Call): { state: Register; answer: Answer } {
  const { version, value } = state;
  switch (call.kind) {
    case "read":
      return { state, answer: value === undefined ? { kind: "absent" } : { kind: "read", version, value } };
    case "delete":
      if (value === undefined) return { state, answer: { kind: "absent" } };
      return { state: { version: version + 1, value: undefined }, answer: { kind: "deleted" } };
    case "write":
      if (call.expected !== undefined && call.expected !== liveVersion(state)) {
        return { state, answer: { kind: "mismatch", current: liveVersion(state) } };
      }
      return {
        state: { version: version + 1, value: call.value },
        answer: { kind: "written", version: version + 1 },
      };
  }
}
