import { KoorError } from "../contract/errors.ts";
import type { StoredRecord } from "../core/commit.ts";
import type { SpecGate } from "../core/spec-gate.ts";
import type { WaitForVersion } from "../core/version-wait.ts";
import type { Store } from "../store/store.ts";
import type { Documents } from "./documents.ts";

/** What nouns of stored values (state, specs) have in common: everything but how they name them. */

export interface ValueOptions {
  store: Store;
  documents: Documents;
  waitForVersion: WaitForVersion;
  /** Refuse to overwrite what exists unless the request says which version it replaces. */
  strictWrites: boolean;
  /** Of specs: judges what is about to be written. */
  gate?: SpecGate;
}

/** What tells one noun of values from another. */
export interface ValueNoun {
  collection: "state" | "specs";
  /** The first word of its actions in the audit. */
  action: "state" | "spec";
  /** How one is called when it is missing: `key not found: plan`. */
  what: "key" | "spec";
  /** What to do then. A name from a request never stands in a command: agents run those. */
  listHint: string;
  historyHint: string;
}

/** One value: its key in the collection, and how a person names it. */
export interface Place {
  key: string;
  label: string;
}

export function absent({ what }: ValueNoun, { label }: Place): string {
  return `${what} not found: ${label}`;
}

/** @throws KoorError `not_found` */
export async function currentOf(store: Store, noun: ValueNoun, place: Place): Promise<StoredRecord> {
  const record = await store.get(noun.collection, place.key);
  if (!record) throw new KoorError("not_found", absent(noun, place), { hint: noun.listHint });
  return record;
}

/** @throws KoorError `not_found` for a number that names no version, a deletion, or one that is no longer kept */
export async function versionOf(
  store: Store,
  noun: ValueNoun,
  place: Place,
  version: number,
): Promise<StoredRecord> {
  const record = await store.version(noun.collection, place.key, version);
  if (record) return record;
  throw new KoorError("not_found", `version ${version} not found: ${place.label}`, {
    hint: noun.historyHint,
  });
}
