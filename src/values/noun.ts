import { KoorError } from "../contract/errors.ts";
import type { StoredRecord } from "../core/commit.ts";
import type { RefusalWords } from "../core/guard.ts";
import { shellWords } from "../core/shell-words.ts";
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
  /** What to do then. */
  listHint(place: Place): string;
  historyHint(place: Place): string;
  /** The command that shows one together with its version. */
  read(place: Place): string;
}

/** One value: its key in the collection, and how a person names it. */
export interface Place {
  key: string;
  label: string;
}

export const stateNoun: ValueNoun = {
  collection: "state",
  action: "state",
  what: "key",
  listHint: () => "List the keys: koor-cli state list",
  historyHint: ({ label }) => `List its versions: koor-cli state history ${shellWords([label], "KEY")}`,
  read: ({ label }) => `koor-cli state get --output FILE ${shellWords([label], "KEY")}`,
};

export const specNoun: ValueNoun = {
  collection: "specs",
  action: "spec",
  what: "spec",
  listHint: ({ label }) =>
    `List them: koor-cli specs list ${shellWords([label.slice(0, label.indexOf("/"))], "PROJECT")}`,
  historyHint: ({ label }) =>
    `List its versions: koor-cli specs history ${shellWords([label], "PROJECT/NAME")}`,
  read: ({ label }) => `koor-cli specs get --output FILE ${shellWords([label], "PROJECT/NAME")}`,
};

function absent({ what }: ValueNoun, { label }: Place): string {
  return `${what} not found: ${label}`;
}

/** What to say when a write of one is refused. */
export function wordsFor(noun: ValueNoun, place: Place): RefusalWords {
  return { absent: absent(noun, place), hint: noun.listHint(place), read: noun.read(place) };
}

/** @throws KoorError `not_found` */
export async function currentOf(store: Store, noun: ValueNoun, place: Place): Promise<StoredRecord> {
  const record = await store.get(noun.collection, place.key);
  if (!record) throw new KoorError("not_found", absent(noun, place), { hint: noun.listHint(place) });
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
    hint: noun.historyHint(place),
  });
}
