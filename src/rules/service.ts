import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import type { Caller, Condition, Handlers } from "../contract/operation.ts";
import type { Op, StoredRecord } from "../core/commit.ts";
import { expectCommitted, isConditional } from "../core/guard.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import type { Store } from "../store/store.ts";
import { type NewRule, type Rule, projectRules, type ruleOperations, source as sources } from "./contract.ts";
import { BudgetExceeded, type RuleEngine, RuleEngineBusy, RuleEngineClosed, withMessage } from "./engine.ts";

/** Rules of this project apply to every project. */
export const globalProject = "_global";

/** How often a write is tried again when another came between its read and its commit. */
const attempts = 10;

export interface RuleOptions {
  store: Store;
  engine: RuleEngine;
  /** Milliseconds since 1970. */
  now: () => number;
}

/**
 * Rules and validation. The rules of a project are one record, so that replacing them is one write with one
 * version, and a reader never sees half of an old set and half of a new one.
 */
export function ruleService({ store, engine, now }: RuleOptions): Handlers<typeof ruleOperations> {
  /** Reads the sets, changes them and writes them together, again when another server was quicker. */
  async function changeNow(
    projects: readonly string[],
    action: string,
    caller: Caller,
    edit: (rules: Map<string, readonly Rule[]>) => Map<string, readonly Rule[]>,
    condition: Condition = {},
  ): Promise<void> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const records = await Promise.all(projects.map((project) => store.get("rules", project)));
      const before = new Map(projects.map((project, index) => [project, decode(records[index])]));
      const edited = edit(before);
      const ops = projects.map((project, index): Op => {
        const rules = edited.get(project) ?? [];
        if (rules.length > projectRules) {
          throw new KoorError("bad_request", `project ${project} would have more than ${projectRules} rules`);
        }
        return {
          kind: "put",
          collection: "rules",
          key: project,
          value: new TextEncoder().encode(JSON.stringify(rules)),
          contentType: "application/json",
          guard: {
            ...condition,
            ...(!isConditional(condition) && { version: records[index]?.version ?? 0 }),
          },
          audit: { action, resource: project },
        };
      });
      const outcome = await store.commit({ by: caller.name, ops });
      if (outcome.ok || isConditional(condition)) {
        expectCommitted(outcome);
        return;
      }
    }
    throw new KoorError("conflict", "the rules are being changed by others all the time", {
      hint: "Try the same request again.",
    });
  }

  /** A change can span projects, so all of them go in one line. */
  const inTurn = oneAtATime();
  const change = (...all: Parameters<typeof changeNow>) => inTurn("rules", () => changeNow(...all));

  async function rulesOf(project: string): Promise<readonly Rule[]> {
    return decode(await store.get("rules", project));
  }

  /** Refuses what the engine cannot run, before it is stored. */
  async function checkPatterns(rules: readonly NewRule[]): Promise<void> {
    const fault = await inBudget(engine.check(rules.map(withMessage)));
    if (!fault) return;
    throw new KoorError("bad_request", `rule ${fault.rule_id}: ${fault.fault}`, {
      path: `${fault.index}.${fault.fault.startsWith("applies_to") ? "applies_to" : "pattern"}`,
      hint: "Patterns are RE2 syntax: no lookaround, no backreferences. The old rules are unchanged.",
    });
  }

  const complete = (rule: NewRule, project: string, more: Partial<Rule>): Rule => ({
    ...withMessage(rule),
    source: "local",
    status: "accepted",
    proposed_by: "",
    context: "",
    project,
    created_at: showTime(now()),
    ...more,
  });

  async function judge(project: string, rule_id: string, status: "accepted" | "rejected", caller: Caller) {
    const action = status === "accepted" ? "rule.accept" : "rule.reject";
    await change([project], action, caller, (sets) => {
      const rules = sets.get(project) ?? [];
      if (!rules.some((rule) => rule.rule_id === rule_id && rule.status === "proposed")) {
        throw new KoorError("not_found", `no proposed rule ${rule_id} in project ${project}`, {
          hint: "List the rules: koor-cli rules list PROJECT",
        });
      }
      return new Map([
        [project, rules.map((rule) => (rule.rule_id === rule_id ? { ...rule, status } : rule))],
      ]);
    });
    return { project, rule_id, status };
  }

  return {
    async list({ params: { project }, query }) {
      const rules = await rulesOf(project);
      return { project, rules: rules.filter((rule) => forStack(rule, query.stack)) };
    },

    async replace({ params: { project }, body, condition, caller }) {
      refuseTwins(body.map((rule) => rule.rule_id));
      await checkPatterns(body);
      const fresh = body.map((rule) => complete(rule, project, {}));
      await change(
        [project],
        "rules.put",
        caller,
        (sets) => new Map([[project, [...others(sets.get(project) ?? [], fresh), ...fresh]]]),
        condition,
      );
      return { project, count: fresh.length };
    },

    async validate({ params: { project }, body }) {
      const own = await rulesOf(project);
      const shared = project === globalProject ? [] : await rulesOf(globalProject);
      const rules = [...own, ...shared].filter(
        (rule) => rule.status === "accepted" && forStack(rule, body.stack),
      );
      const { content, filename } = body;
      const result = await inBudget(engine.validate({ rules, content, ...(filename && { filename }) }));
      const { violations, truncated } = result;
      return { project, violations, count: violations.length, ...(truncated && { truncated }) };
    },

    async propose({ body, caller }) {
      const { project, proposed_by, context, ...rule } = body;
      await checkPatterns([rule]);
      const proposal = complete(rule, project, {
        source: "learned",
        status: "proposed",
        proposed_by: caller.name || proposed_by,
        context,
      });
      await change([project], "rule.propose", caller, (sets) => {
        const rules = sets.get(project) ?? [];
        const twin = rules.find(({ rule_id }) => rule_id === rule.rule_id);
        if (twin && twin.status !== "rejected") {
          throw new KoorError(
            "already_exists",
            `rule ${rule.rule_id} exists in project ${project} (${twin.status})`,
            {
              path: "rule_id",
            },
          );
        }
        return new Map([[project, [...rules.filter((other) => other !== twin), proposal]]]);
      });
      return { project, rule_id: rule.rule_id, status: "proposed" as const };
    },

    accept: ({ params, caller }) => judge(params.project, params.rule_id, "accepted", caller),
    reject: ({ params, caller }) => judge(params.project, params.rule_id, "rejected", caller),

    async export({ query }) {
      const wanted: readonly string[] = query.source
        ? query.source.split(",").map((name) => name.trim())
        : sources.options;
      const records = await store.listValues("rules");
      return records
        .flatMap(decode)
        .filter((rule) => rule.status === "accepted" && wanted.includes(rule.source));
    },

    async import({ body, caller }) {
      refuseTwins(body.map((rule) => JSON.stringify([rule.project, rule.rule_id])));
      await checkPatterns(body);
      const incoming = Map.groupBy(body, (rule) => rule.project || globalProject);
      if (incoming.size === 0) return { imported: 0 };
      await change([...incoming.keys()], "rules.import", caller, (sets) => {
        const merged = new Map<string, readonly Rule[]>();
        for (const [project, rules] of incoming) {
          const fresh = rules.map(({ project: _, source, context, proposed_by, ...rule }) =>
            complete(rule, project, { source: source ?? "external", context, proposed_by }),
          );
          const ids = new Set(fresh.map((rule) => rule.rule_id));
          const kept = (sets.get(project) ?? []).filter((rule) => !ids.has(rule.rule_id));
          merged.set(project, [...kept, ...fresh]);
        }
        return merged;
      });
      return { imported: body.length };
    },
  };
}

function decode(record: StoredRecord | undefined): readonly Rule[] {
  return record ? (JSON.parse(new TextDecoder().decode(record.value)) as Rule[]) : [];
}

/** What a new set of local rules leaves in place: rules that were learned or imported, unless it takes their id. */
function others(rules: readonly Rule[], fresh: readonly Rule[]): Rule[] {
  const ids = new Set(fresh.map((rule) => rule.rule_id));
  return rules.filter((rule) => rule.source !== "local" && !ids.has(rule.rule_id));
}

/** A stack selects its own rules and the universal ones; no stack selects all. */
function forStack(rule: Rule, stack: string | undefined): boolean {
  return !stack || rule.stack === "" || rule.stack === stack;
}

function refuseTwins(ids: readonly string[]): void {
  const twin = ids.findIndex((id, index) => ids.indexOf(id) !== index);
  if (twin === -1) return;
  throw new KoorError("bad_request", `${twin}.rule_id is there twice: ${ids[twin]}`, {
    path: `${twin}.rule_id`,
  });
}

/** The engine's own refusals in Koor's words. */
async function inBudget<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof BudgetExceeded) {
      throw new KoorError("over_budget", `rule ${error.rule_id} took too long and was stopped`, {
        hint: "Nothing was changed. Simplify its pattern, or validate a smaller content.",
      });
    }
    if (error instanceof RuleEngineClosed)
      throw new KoorError("unavailable", "the server is stopping", { retryAfter: 1 });
    if (error instanceof RuleEngineBusy) {
      throw new KoorError("rate_limited", "too many validations are waiting", { retryAfter: 1 });
    }
    throw error;
  }
}
