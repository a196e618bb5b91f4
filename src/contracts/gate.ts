import { KoorError } from "../contract/errors.ts";
import type { Op, RecordHead } from "../core/commit.ts";
import { splitKey } from "../core/composite-key.ts";
import type { SpecChange, SpecGate } from "../core/spec-gate.ts";
import type { Store } from "../store/store.ts";
import type { Breaks } from "./compare.ts";
import type { Mode } from "./contract.ts";
import { mayBeContract } from "./document.ts";
import type { ContractEngine } from "./engine.ts";
import { decodeJson } from "../core/json-bytes.ts";

/** Keeps specs to the compatibility that was promised of them. */

/** The most versions that a transitive mode looks back at, newest first. */
export const transitiveVersions = 100;

/** Which changes a mode forbids. */
export function forbidden(mode: Mode): readonly Breaks[] {
  if (mode === "none") return [];
  const [direction] = mode.split("_") as [Breaks | "full"];
  return direction === "full" ? ["backward", "forward"] : [direction];
}

/** The mode of a spec, and the version of the record that says so. */
export async function modeOf(store: Store, key: string): Promise<{ mode: Mode; version: number }> {
  const record = await store.get("contracts", key);
  if (!record) return { mode: "none", version: (await store.head("contracts", key))?.version ?? 0 };
  const { mode } = decodeJson<{ mode: Mode }>(record.value);
  return { mode, version: record.version };
}

/** Whether a document is a contract. @throws KoorError `bad_request` for a malformed one, `over_budget` */
export function contractTest(engine: ContractEngine): (bytes: Uint8Array) => Promise<boolean> {
  return async (bytes) =>
    mayBeContract(bytes) && (await engine.run({ kind: "inspect", bytes, until: "kind" })) !== null;
}

/** The gate of every writer of specs. */
export function specGate(store: Store, engine: ContractEngine): SpecGate {
  const isContract = contractTest(engine);

  async function admit({ key, value }: SpecChange): Promise<Op[]> {
    const { mode, version } = await modeOf(store, key);
    const guards: Op[] = [{ kind: "guard", collection: "contracts", key, guard: { version } }];
    if (value && mayBeContract(value)) await engine.run({ kind: "inspect", bytes: value, until: "kind" });
    if (mode === "none") return guards;
    const current = await store.head("specs", key);
    const before = await versionsToKeep(store, key, current, mode);
    const promise = `${splitKey(key).join("/")}: its compatibility is ${mode}`;
    if (before.length > 0) await judge(before, value, mode, promise);
    const compared = current && !current.deleted ? current.version : 0;
    return [...guards, { kind: "guard", collection: "specs", key, guard: { version: compared } }];
  }

  async function judge(
    before: readonly Kept[],
    value: Uint8Array | null,
    mode: Mode,
    promise: string,
  ): Promise<void> {
    if (value === null) {
      const message = `${promise}, and a contract that others keep to is not deleted`;
      throw new KoorError("incompatible", message, { path: "", hint: hints.mode });
    }
    const were = await Promise.all(before.map(({ bytes }) => isContract(bytes)));
    const contracts = before.filter((_, index) => were[index]);
    if (contracts.length === 0) return;
    if (!(await isContract(value))) {
      const message = `${promise}, and this is no contract any more (kind)`;
      throw new KoorError("incompatible", message, { path: "", hint: hints.mode });
    }
    const bytes = contracts.map((one) => one.bytes);
    const found = await engine.run({ kind: "compare", before: bytes, after: value });
    for (const [index, changes] of found.entries()) {
      const breaking = changes.filter(({ breaks }) => breaks.some((one) => forbidden(mode).includes(one)));
      const [first] = breaking;
      if (!first) continue;
      const what = `${first.rule} at ${first.path || "/"}: ${first.message}`;
      const more = breaking.length > 1 ? `; ${breaking.length - 1} more` : "";
      const message = `${promise}, and this breaks version ${contracts[index]?.version}: ${what}${more}`;
      throw new KoorError("incompatible", message, { path: first.path, hint: hints.all });
    }
  }

  return async (changes) => (await Promise.all(changes.map(admit))).flat();
}

interface Kept {
  version: number;
  bytes: Uint8Array;
}

/** The versions that the next one is measured by: the current one, or all since the spec was made. */
async function versionsToKeep(
  store: Store,
  key: string,
  current: RecordHead | undefined,
  mode: Mode,
): Promise<Kept[]> {
  if (!current || current.deleted) return [];
  const heads = mode.endsWith("_transitive")
    ? await store.history("specs", key, transitiveVersions)
    : [current];
  const end = heads.findIndex(({ deleted }) => deleted);
  const sameLife = end === -1 ? heads : heads.slice(0, end);
  const records = await Promise.all(sameLife.map((head) => store.version("specs", key, head.version)));
  const seen = new Set<string>();
  return records.flatMap((record) => {
    if (!record || seen.has(record.hash)) return [];
    seen.add(record.hash);
    return [{ version: record.version, bytes: record.value }];
  });
}

const hints = {
  all: "See every change: koor-cli contract check PROJECT/NAME --file PATH. Keep the old form beside the new one.",
  // Not the command that takes the promise back: agents run what stands here.
  mode: "See what was promised: koor-cli contract show PROJECT/NAME. Those who rely on it must agree before it is taken back.",
};
