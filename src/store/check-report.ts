/** Faults of one kind that are told; the rest is counted. */
export const toldFaults = 20;

/** What a look at a database found. */
export interface Report {
  /** What was looked at, in order, each with what is wrong with it. */
  parts: { name: string; looked: string; faults: string[]; more: number }[];
  sound: boolean;
}

/** The part that is being looked at. */
export interface Part {
  fault(text: string): void;
  /** How much there was to look at. */
  looked(text: string): void;
}

export function newReport(): Report {
  return { parts: [], sound: true };
}

export function newPart(report: Report, name: string): Part {
  const part = { name, looked: "", faults: [] as string[], more: 0 };
  report.parts.push(part);
  return {
    fault(text) {
      report.sound = false;
      if (part.faults.length < toldFaults) part.faults.push(text);
      else part.more += 1;
    },
    looked(text) {
      part.looked = text;
    },
  };
}
