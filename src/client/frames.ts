/** What comes over the wire of a subscription, each with its text as it came, so that long numbers survive. */
export type Frame = EventFrame | GapFrame;

/** An event, as `GET /api/events/history` has it too. */
export interface EventFrame {
  kind: "event";
  event: { id: number; topic: string; data: unknown; source: string; created_at: string };
  raw: string;
}

/** Events that retention removed before they could be sent; among them may have been some that match. */
export interface GapFrame {
  kind: "gap";
  from: number;
  to: number;
  raw: string;
}

/** Where the log stands. Not for whoever subscribes, but for the position. */
export interface HelloFrame {
  kind: "hello";
  epoch: string;
  lastId: number;
}

/** @returns undefined for a frame that a later Koor may send and this client does not know */
export function readFrame(raw: string): Frame | HelloFrame | undefined {
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  if ("hello" in value) {
    const { epoch, last_id: lastId } = value.hello as { epoch: string; last_id: number };
    return { kind: "hello", epoch, lastId };
  }
  if ("gap" in value) {
    const { from, to } = value.gap as { from: number; to: number };
    return gap(from, to, raw);
  }
  if (!("id" in value)) return undefined;
  return { kind: "event", event: value as EventFrame["event"], raw };
}

export function gap(from: number, to: number, raw = JSON.stringify({ gap: { from, to } })): GapFrame {
  return { kind: "gap", from, to, raw };
}

/**
 * The items of a JSON array, each as the text that it is.
 *
 * @param text a JSON array, valid: the caller trusts the server
 */
export function splitArray(text: string): string[] {
  const items: string[] = [];
  let depth = 0;
  let start = 0;
  const take = (end: number) => {
    const item = text.slice(start, end).trim();
    if (item !== "") items.push(item);
    start = end + 1;
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') at = endOfString(text, at);
    else if (char === "," && depth === 1) take(at);
    else if (char === "[" || char === "{") {
      depth += 1;
      if (depth === 1) start = at + 1;
    } else if (char === "]" || char === "}") {
      if (depth === 1) take(at);
      depth -= 1;
    }
  }
  return items;
}

/** Where the string that begins here has its closing quote. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '"') return at;
    if (text[at] === "\\") at += 1;
  }
  return text.length;
}
