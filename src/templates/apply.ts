import { createHash } from "node:crypto";
import type { z } from "zod";
import { check } from "../contract/check.ts";
import { KoorError } from "../contract/errors.ts";
import { key as specName } from "../contract/fields.ts";
import { RawJson, keepRaw } from "../contract/raw-json.ts";
import type { AuditLabel, Op } from "../core/commit.ts";
import { joinKey } from "../core/composite-key.ts";
import type { SpecGate } from "../core/spec-gate.ts";
import type { Store } from "../store/store.ts";
import { type ImportedRules, type kind, bundleContracts, dataOf } from "./contract.ts";

/** What a template makes of a project. */

/** Whether a document is a contract. @throws KoorError `bad_request` for one that is malformed, `over_budget` */
export type IsContract = (document: Uint8Array) => Promise<boolean>;

/** What importing rules into a project comes to. @throws KoorError `bad_request` whose `path` begins with `at` */
export type ImportRules = (
  project: string,
  rules: ImportedRules,
  about: { at: string; detail: AuditLabel["detail"] },
) => Promise<Op>;

export interface Applying {
  store: Store;
  strictWrites: boolean;
  gate: SpecGate;
  isContract: IsContract;
  importRules: ImportRules;
}

export interface Template {
  id: string;
  name: string;
  kind: z.output<typeof kind>;
  /** JSON. */
  data: string;
}

/** A document that is to become a spec. */
interface Document {
  name: string;
  text: string;
  /** Where it stands in the template. */
  at: string;
  mustBeContract: boolean;
}

/**
 * The operations that apply a template, and what must hold for them. What is there already is not written again.
 *
 * @throws KoorError `bad_request` whose `path` is in the template's data; `incompatible`, `over_budget`
 */
export async function planApplication(house: Applying, template: Template, project: string): Promise<Op[]> {
  const { id, name, kind, data } = template;
  const parsed: unknown = { data: JSON.parse(data) };
  const detail = { template: id };
  if (kind === "rules") {
    const { rules, at } = check(dataOf.rules, parsed, "data").data;
    return [await house.importRules(project, rules, { at: `data.${at}`, detail })];
  }
  if (kind === "contracts") {
    check(dataOf.contracts, parsed, "data");
    return specs(house, project, [{ name, text: data, at: "data", mustBeContract: true }], detail);
  }
  const { rules, contracts } = check(dataOf.bundle, parsed, "data").data;
  const documents = [{ name, text: data, at: "data", mustBeContract: false }];
  if (contracts !== undefined) documents.push(...contractsOf(parsed, data, name));
  const ops = await specs(house, project, documents, detail);
  if (rules) ops.push(await house.importRules(project, rules, { at: "data.rules.", detail }));
  return ops;
}

/** The contracts of a bundle by their names, each as the text that came in. */
function contractsOf(parsed: unknown, text: string, own: string): Document[] {
  const holder = parsed as { data: { contracts: Record<string, unknown> } };
  keepRaw(holder.data, text, ["contracts.*"]);
  const entries = Object.entries(holder.data.contracts);
  if (entries.length > bundleContracts)
    throw fault("data.contracts", `has more than ${bundleContracts} entries`);
  return entries.map(([name, value]) => {
    const at = `data.contracts.${name}`;
    if (name === own) throw fault(at, "has the template's own name, which the bundle itself gets");
    const { success, error } = specName.safeParse(name);
    if (!success) throw fault(at, `is named by a text that ${error.issues[0]?.message}`);
    return { name, text: (value as RawJson).text, at, mustBeContract: true };
  });
}

/** Writes of the documents that differ from what is there. */
async function specs(
  { store, strictWrites, gate, isContract }: Applying,
  project: string,
  documents: readonly Document[],
  detail: AuditLabel["detail"],
): Promise<Op[]> {
  const ops: Op[] = [];
  for (const { name, text, at, mustBeContract } of documents) {
    const value = new TextEncoder().encode(text);
    if (mustBeContract && !(await placed(at, () => isContract(value)))) throw fault(at, "is no contract");
    const key = joinKey(project, name);
    const head = await store.head("specs", key);
    const there = head && !head.deleted ? head : undefined;
    if (there?.hash === createHash("sha256").update(value).digest("hex")) {
      ops.push({ kind: "guard", collection: "specs", key, guard: { version: there.version } });
      continue;
    }
    const admitted = await placed(at, () => gate([{ key, value }]));
    const audit = { action: "spec.put", resource: `${project}/${name}`, ...(detail && { detail }) };
    const guard = strictWrites ? { fresh: true } : {};
    ops.push({ kind: "put", collection: "specs", key, value, contentType: "application/json", guard, audit });
    ops.push(...admitted);
  }
  return ops;
}

/** Says of a fault in a document where in the template it is. */
async function placed<T>(at: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof KoorError) || error.reason !== "bad_request") throw error;
    const { path = "", ...details } = error.details;
    const inside =
      path === "" || path === "body" ? at : path.startsWith("/") ? `${at}${path}` : `${at}.${path}`;
    throw new KoorError("bad_request", `${at}: ${error.message}`, { ...details, path: inside });
  }
}

function fault(path: string, predicate: string): KoorError {
  return new KoorError("bad_request", `${path} ${predicate}`, { path });
}
