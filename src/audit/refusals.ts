import { type KoorError, reasons } from "../contract/errors.ts";
import type { Caller } from "../contract/operation.ts";
import type { AuditOutcome } from "../core/commit.ts";
import type { Store } from "../store/store.ts";

/** What of a request is known when it is refused. */
export interface Refused {
  /** As the operation declares it: `rule.propose {project}/{rule_id}`. */
  audit: string;
  caller: Caller;
  params: unknown;
  /** Undefined when it was refused before its body was read. */
  body: unknown;
}

/** Writes down what was refused to those who are known here, and counts those who are not. */
export interface Refusals {
  /** Resolves when it is on disk, so that whoever has the answer finds it in the audit. Never throws. */
  note(refused: Refused, error: KoorError): Promise<void>;
  /** A request came without a valid token. It is counted only: anybody at all can make as many as they like. */
  countStranger(): void;
  /** Such requests since the server started. */
  readonly strangers: number;
}

export interface RefusalOptions {
  store: Pick<Store, "commit">;
  /** It could not be written. */
  onError: (error: unknown) => void;
}

/** A resource's name in the audit at its longest, in characters: a project and a name, or the paths of a lease. */
const resourceCharacters = 2048;

export function createRefusals({ store, onError }: RefusalOptions): Refusals {
  let strangers = 0;
  return {
    async note({ audit, caller, params, body }, error) {
      const outcome = outcomeOf(error);
      if (outcome === undefined) return;
      const [action = "", template = ""] = audit.split(" ");
      const resource = fill(template, { ...asObject(body), ...asObject(params) });
      const { reason, details } = error;
      const { current } = details;
      const detail = { reason, ...(current !== undefined && { current }) };
      const op = { kind: "note", outcome, audit: { action, resource, detail } } as const;
      await store.commit({ by: caller.name, ops: [op] }).catch(onError);
    },
    countStranger() {
      strangers += 1;
    },
    get strangers() {
      return strangers;
    },
  };
}

/** What is malformed, missing, too large or a fault of the server is no refusal. */
export function outcomeOf({ reason }: KoorError): Exclude<AuditOutcome, "ok"> | undefined {
  const { exit } = reasons[reason];
  if (exit === 5) return "denied";
  return exit === 4 ? "conflict" : undefined;
}

/** What the braces name; of what is no text nothing is said. */
function fill(template: string, fields: Record<string, unknown>): string {
  const filled = template.replaceAll(/\{(\w+)(\.\.\.)?\}/g, (_, name: string) => {
    const value = fields[name];
    const texts = Array.isArray(value) ? value : [value];
    return texts.filter((text) => typeof text === "string").join(",");
  });
  return filled.slice(0, resourceCharacters).toWellFormed();
}

function asObject(value: unknown): Record<string, unknown> {
  const isObject = typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
  return isObject ? (value as Record<string, unknown>) : {};
}
