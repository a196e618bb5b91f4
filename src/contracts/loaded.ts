import { KoorError } from "../contract/errors.ts";
import { type StoredRecord, entityTag } from "../core/commit.ts";
import { joinKey } from "../core/composite-key.ts";
import type { Store } from "../store/store.ts";
import { fieldsBytes, mayBeContract, readContract } from "./document.ts";
import type { ContractEngine } from "./engine.ts";
import { type Direction, type Violation, checkFields } from "./field-check.ts";
import type { FieldsEndpoint } from "./fields.ts";

/** Contracts that were read once, and are checked against many times. */

/** A version of a contract, ready to be checked against. */
export interface Loaded {
  tag: string;
  version: number;
  bytes: Uint8Array;
  kind: "contract" | "openapi" | "schema";
  /** Of its endpoints, in the order of the document. */
  names: string[];
  /** Only of Koor's own contracts: those are checked here, the others by the engine's workers. */
  fields: ReadonlyMap<string, FieldsEndpoint> | undefined;
}

/** Contracts that are kept read, the oldest goes first; with `fieldsBytes` and documents of a few MiB some tens of MiB. */
const loadedMost = 32;
/** Of which all together hold at most this many bytes. */
const loadedBytes = 32 * 1024 * 1024;

export interface Name {
  project: string;
  name: string;
}

/** What one check is about. */
export interface Checked {
  endpoint: string;
  direction: Direction;
  /** Of the answer, where it is known. */
  status?: number;
  payload: unknown;
}

export interface Contracts {
  /** The newest version. @throws KoorError `not_found`; `bad_request` for a spec that is no contract, or a malformed one */
  load(name: Name): Promise<Loaded>;
  /** @throws KoorError `over_budget`; `bad_request` for a schema that cannot be used */
  check(name: Name, contract: Loaded, what: Checked): Promise<Violation[]>;
}

export function openContracts(store: Store, engine: ContractEngine): Contracts {
  const kept = new Map<string, Loaded>();

  async function load({ project, name }: Name): Promise<Loaded> {
    const key = joinKey(project, name);
    const head = await store.head("specs", key);
    const known = kept.get(key);
    if (known && head && !head.deleted && known.tag === entityTag(head.version, head.hash)) return known;
    kept.delete(key);
    const record = await store.get("specs", key);
    if (!record) throw absent({ project, name });
    const loaded = await read(record, { project, name });
    kept.set(key, loaded);
    for (const [oldest] of kept) {
      const bytes = [...kept.values()].reduce((sum, one) => sum + one.bytes.length, 0);
      if (kept.size <= 1 || (kept.size <= loadedMost && bytes <= loadedBytes)) break;
      kept.delete(oldest);
    }
    return loaded;
  }

  async function read(record: StoredRecord, name: Name): Promise<Loaded> {
    const { value: bytes, version, hash } = record;
    const found = mayBeContract(bytes) ? await engine.run({ kind: "inspect", bytes, until: "names" }) : null;
    if (!found) throw noContract(name);
    const own = found.kind === "contract" && bytes.length <= fieldsBytes ? readContract(bytes) : undefined;
    return {
      tag: entityTag(version, hash),
      version,
      bytes,
      kind: found.kind,
      names: found.endpoints,
      fields: own?.kind === "contract" ? own.endpoints : undefined,
    };
  }

  async function check({ project, name }: Name, contract: Loaded, what: Checked): Promise<Violation[]> {
    const { endpoint, direction, payload } = what;
    if (contract.fields) return checkFields(contract.fields.get(endpoint) ?? {}, direction, payload);
    const key = JSON.stringify([project, name, contract.tag]);
    const first = await engine.run({ kind: "check", key, ...what });
    if (first !== "missing") return first;
    const found = await engine.run({ kind: "check", key, bytes: contract.bytes, ...what });
    return found === "missing" ? [] : found;
  }

  return { load, check };
}

function absent({ project, name }: Name): KoorError {
  return new KoorError("not_found", `contract not found: ${project}/${name}`, {
    hint: "List the project's specs: koor-cli specs list PROJECT",
  });
}

function noContract({ project, name }: Name): KoorError {
  return new KoorError("bad_request", `${project}/${name} is a spec, but no contract`, {
    path: "name",
    hint: 'A contract has "kind": "contract", or is an OpenAPI 3 document, or a JSON Schema with "$schema".',
  });
}
