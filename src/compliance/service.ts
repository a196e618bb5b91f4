import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import type { Handlers, Terms } from "../contract/operation.ts";
import type { Op } from "../core/commit.ts";
import { joinKey, splitKey } from "../core/composite-key.ts";
import type { ContractJudge, Fault } from "../core/contract-judge.ts";
import { decodeJson, encodeJson } from "../core/json-bytes.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import { ownNames } from "../core/own-names.ts";
import type { Store } from "../store/store.ts";
import { perform } from "../store/write.ts";
import type { Run, complianceOperations } from "./contract.ts";

/** Checks whose runs are kept: a day of them, at one every five minutes. */
export const keptChecks = 288;
/** Contracts that one check looks at, over all projects. */
export const checkedContracts = 1000;
/** Events of one check: a tenth of what the event log keeps, so that they do not push out what agents say to each other. */
export const checkEvents = 100;
/** Runs of one check: contracts times the instances of their projects. */
export const checkRuns = 1000;
/** After this time no further contract is begun, in milliseconds: one is stopped after 2 s, and most take less than one. */
export const checkMs = 60_000;
/** Requests for a check that wait for each other. */
const waitingMost = 16;
/** Checks that a read of the history looks at together. */
const pageChecks = 16;

/** The one record of the collection `compliance`. */
const headKey = "head";

export interface ComplianceOptions {
  store: Store;
  judge: ContractJudge;
  /** In order of registration. */
  activeInstances: () => Promise<readonly { id: string; workspace: string }[]>;
}

export interface ComplianceService extends Handlers<typeof complianceOperations> {
  /** The check that comes round by itself. */
  check(): Promise<void>;
}

/** A contract, and what came of looking at it. */
interface Verdict {
  project: string;
  contract: string;
  faults: readonly Fault[];
}

/** What a check found, before it is given a number. */
interface Found {
  verdicts: Verdict[];
  /** Of each project that was looked at, by its name. */
  instances: Map<string, string[]>;
  at: number;
  truncated: boolean;
}

/** Whether the contracts of those who are at work are sound, looked at again and again. */
export function complianceService(options: ComplianceOptions): ComplianceService {
  const { store } = options;
  const inTurn = oneAtATime();
  let waiting = 0;

  async function checkNow(terms: Terms, audit: boolean) {
    let found: Found | undefined;
    const plan = async () => {
      found ??= await lookAround(options);
      const head = await store.get("compliance", headKey);
      const failed = new Set(head ? decodeJson<string[]>(head.value) : []);
      const number = (head?.version ?? 0) + 1;
      const runs = runsOf(found, number);
      const note = { runs, truncated: found.truncated || runs.length < sizeOf(found) };
      if (runs.length === 0) return { ops: [], note };
      const record: Op = {
        kind: "put",
        collection: "compliance",
        key: headKey,
        value: encodeJson(failing(failed, found)),
        contentType: "application/json",
        guard: { version: head?.version ?? 0 },
        audit: audit && {
          action: "compliance.run",
          resource: String(number),
          detail: { runs: runs.length, failed: runs.filter(({ pass }) => !pass).length },
        },
      };
      return {
        ops: [record, ...keepRuns(number, runs), ...tell(failed, found, runs)],
        note,
        optimistic: true,
      };
    };
    return perform(store, terms, plan, (_, { runs, truncated }) => ({
      checked: true as const,
      runs,
      count: runs.length,
      ...(truncated && { truncated: true as const }),
    }));
  }

  /** One after the other: each wants to be told what it found, and none is to judge the same things beside another. */
  async function check(terms: Terms, audit: boolean) {
    if (waiting >= waitingMost)
      throw new KoorError("rate_limited", "too many compliance checks are waiting", { retryAfter: 1 });
    waiting += 1;
    try {
      return await inTurn("check", () => checkNow(terms, audit));
    } finally {
      waiting -= 1;
    }
  }

  return {
    run: (asked) => check(asked, true),

    async check() {
      // What it finds is in the history; the audit is for what people do.
      await check({ caller: { name: ownNames.compliance } }, false);
    },

    async history({ query: { instance_id, limit = limits.historyRows } }) {
      const runs: Run[] = [];
      let newest = (await store.head("compliance", headKey))?.version ?? 0;
      for (; newest > 0 && runs.length < limit; newest -= pageChecks) {
        const after = checkKey(Math.max(0, newest - pageChecks));
        const records = await store.listValues("compliance_checks", { after, limit: pageChecks });
        const page = records
          .filter(({ key }) => key <= checkKey(newest))
          .reverse()
          .flatMap(({ value }) => decodeJson<Run[]>(value));
        if (page.length === 0) break;
        runs.push(...page.filter((run) => !instance_id || run.instance_id === instance_id));
      }
      return runs.slice(0, limit);
    },
  };
}

/** Judges the contracts of every project that an active instance works on. */
async function lookAround({ store, judge, activeInstances }: ComplianceOptions): Promise<Found> {
  const at = store.now();
  const instances = new Map<string, string[]>();
  for (const { id, workspace } of await activeInstances()) {
    if (workspace === "") continue;
    const ids = instances.get(workspace);
    if (ids) ids.push(id);
    else instances.set(workspace, [id]);
  }
  const verdicts: Verdict[] = [];
  for (const project of [...instances.keys()].sort()) {
    for (const head of await store.list("specs", { prefix: joinKey(project) })) {
      if (verdicts.length >= checkedContracts || store.now() - at >= checkMs)
        return { verdicts, instances, at, truncated: true };
      const faults = await judge(head);
      const [, contract = ""] = splitKey(head.key);
      if (faults) verdicts.push({ project, contract, faults });
    }
  }
  return { verdicts, instances, at, truncated: false };
}

/** Instance by instance, so that when there are too many every contract is among those that are kept. */
function runsOf({ verdicts, instances, at }: Found, number: number): Run[] {
  const runs: Run[] = [];
  const most = Math.max(0, ...[...instances.values()].map(({ length }) => length));
  for (let index = 0; index < most && runs.length < checkRuns; index++) {
    for (const { project, contract, faults } of verdicts) {
      const instance_id = instances.get(project)?.[index];
      if (instance_id === undefined || runs.length >= checkRuns) continue;
      runs.push({
        id: `${number}.${runs.length + 1}`,
        instance_id,
        project,
        contract,
        pass: faults.length === 0,
        violations: [...faults],
        run_at: showTime(at),
      });
    }
  }
  return runs;
}

/** How many runs there would be without a bound. */
function sizeOf({ verdicts, instances }: Found): number {
  return verdicts.reduce((sum, { project }) => sum + (instances.get(project)?.length ?? 0), 0);
}

/** Which contracts fail now: of projects that were not looked at those that did before. */
function failing(before: ReadonlySet<string>, { verdicts, instances, truncated }: Found): string[] {
  const judged = new Set(verdicts.map(nameOf));
  const still = [...before].filter(
    (name) => !judged.has(name) && (truncated || !instances.has(splitKey(name)[0] as string)),
  );
  return [...still, ...verdicts.filter(({ faults }) => faults.length > 0).map(nameOf)].slice(
    -checkedContracts,
  );
}

/** An event for each contract that fails, and for each that fails no more; first those that did not before. */
function tell(before: ReadonlySet<string>, { verdicts, instances }: Found, runs: readonly Run[]): Op[] {
  const first = new Map<string, Run>();
  for (const run of runs) if (!first.has(nameOf(run))) first.set(nameOf(run), run);
  const fails = ({ faults }: Verdict) => faults.length > 0;
  const changed = verdicts.filter((verdict) => fails(verdict) !== before.has(nameOf(verdict)));
  const still = verdicts.filter((verdict) => fails(verdict) && before.has(nameOf(verdict)));
  return [...changed, ...still].slice(0, checkEvents).map((verdict): Op => {
    const run = first.get(nameOf(verdict));
    const data = JSON.stringify({ ...run, instances: instances.get(verdict.project)?.length });
    return { kind: "append", topic: "compliance.violation", data, source: ownNames.compliance };
  });
}

function keepRuns(number: number, runs: readonly Run[]): Op[] {
  const collection = "compliance_checks" as const;
  return [
    {
      kind: "put",
      collection,
      key: checkKey(number),
      value: encodeJson(runs),
      contentType: "application/json",
    },
    ...(number > keptChecks
      ? [{ kind: "delete" as const, collection, key: checkKey(number - keptChecks) }]
      : []),
  ];
}

function nameOf({ project, contract }: Pick<Run, "project" | "contract">): string {
  return joinKey(project, contract);
}

/** Keys are in the order of the numbers. */
function checkKey(number: number): string {
  return String(number).padStart(12, "0");
}
