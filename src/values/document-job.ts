import { type ErrorDetails, KoorError, type Reason } from "../contract/errors.ts";
import { JsonFault, checkJson } from "../contract/json-text.ts";
import { limits } from "../contract/limits.ts";
import { diffJson } from "./diff.ts";
import { type Patched, applyJsonPatch } from "./json-patch.ts";
import { mergePatch } from "./merge-patch.ts";
import { locate, parsePointer, wholeOf } from "./pointer.ts";

/** Work on stored JSON: bytes in, bytes or a refusal out, so that it can be done in a worker. */
export type DocumentJob =
  | { kind: "pick"; document: Uint8Array; pointer: string }
  | { kind: "diff"; before: Uint8Array; after: Uint8Array }
  | { kind: "patch"; document: Uint8Array; patch: Uint8Array; form: PatchForm };

/** `either`: an array is a JSON patch, all else a merge patch. */
export type PatchForm = "merge" | "operations" | "either";

export type DocumentResult =
  | { ok: true; text: string; truncated?: boolean; replacesAll?: boolean }
  | { ok: false; reason: Reason; message: string; details: ErrorDetails };

export function performJob(job: DocumentJob): DocumentResult {
  try {
    return { ok: true, ...perform(job) };
  } catch (error) {
    if (!(error instanceof KoorError)) throw error;
    return { ok: false, reason: error.reason, message: error.message, details: error.details };
  }
}

function perform(job: DocumentJob): { text: string; truncated?: boolean; replacesAll?: boolean } {
  switch (job.kind) {
    case "pick": {
      const names = parsePointer(job.pointer, "pick");
      const text = readJson(job.document, "the value");
      const span = locate(text, names);
      if (!span) {
        throw new KoorError("not_found", "pick leads to nothing in this value", {
          path: "pick",
          hint: "Read the value whole, or pick a part nearer to its root.",
        });
      }
      return { text: text.slice(span.start, span.end) };
    }
    case "diff":
      return diffJson(readJson(job.before, "the first version"), readJson(job.after, "the second version"));
    case "patch":
      return patchJson(job);
  }
}

function patchJson({ document, patch, form }: DocumentJob & { kind: "patch" }): Patched {
  const changes = readJson(patch, "the body", "body");
  const text = readJson(document, "the value");
  const isMerge = form === "merge" || (form === "either" && !changes.startsWith("["));
  // Only objects are merged (RFC 7396).
  if (isMerge)
    return {
      text: mergePatch(text, changes),
      replacesAll: !(text.startsWith("{") && changes.startsWith("{")),
    };
  const patched = applyJsonPatch(text, changes);
  // Parts of allowed depths can be put into each other.
  check(patched.text, "the patched value", "body");
  return patched;
}

/** The JSON that bytes hold, without white space around it. @throws KoorError `bad_request` naming it */
function readJson(bytes: Uint8Array, what: string, path?: string): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new KoorError("bad_request", `${what} is not JSON: it is not UTF-8`, { path });
  }
  check(text, what, path);
  const { start, end } = wholeOf(text);
  return text.slice(start, end);
}

function check(text: string, what: string, path?: string): void {
  try {
    checkJson(text, limits.jsonDepth);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    throw new KoorError("bad_request", `${what} is not JSON that can be worked on: ${error.message}`, {
      path,
    });
  }
}
