import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import type { Condition, Handlers, Terms } from "../contract/operation.ts";
import type { Op, StoredRecord } from "../core/commit.ts";
import { isConditional } from "../core/guard.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import type { Store } from "../store/store.ts";
import { perform } from "../store/write.ts";
import { type NewRule, type Rule, projectRules, type ruleOperations, source as sources } from "./contract.ts";
import { BudgetExceeded, type RuleEngine, RuleEngineBusy, RuleEngineClosed, withMessage } from "./engine.ts";

/** Rules of this project apply to every project. */
export const globalProject = "_global";

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
  /** Reads the sets, changes them and writes them together. */
  function changeNow<Answer>(
    projects: readonly string[],
    action: string,
    edit: (rules: Map<string, readonly Rule[]>) => Map<string, readonly Rule[]>,
    { condition = {}, ...terms }: Terms & { condition?: Condition },
    answer: Answer,
  ): Promise<Answer> {
    const plan = async () => {
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
      return { ops, note: answer, optimistic: !isConditional(condition) };
    };
    return perform(store, terms, plan, (_, note) => note);
  }

  /** A change can span projects, so all of them go in one line. */
  const inTurn = oneAtATime();
  const change: typeof changeNow = (...all) => inTurn("rules", () => changeNow(...all));

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

  async function judge(
    { project, rule_id }: { project: string; rule_id: string },
    status: "accepted" | "rejected",
    terms: Terms,
  ) {
    const action = status === "accepted" ? "rule.accept" : "rule.reject";
    const edit = (sets: Map<string, readonly Rule[]>) => {
      const rules = sets.get(project) ?? [];
      if (!rules.some((rule) => rule.rule_id === rule_id && rule.status === "proposed")) {
        throw new KoorError("not_found", `no proposed rule ${rule_id} in project ${project}`, {
          hint: "List the rules: koor-cli rules list PROJECT",
        });
      }
      return new Map([
        [project, rules.map((rule) => (rule.rule_id === rule_id ? { ...rule, status } : rule))],
      ]);
    };
    return change([project], action, edit, terms, { project, rule_id, status });
  }

  return {
    async list({ params: { project }, query }) {
      const rules = await rulesOf(project);
      return { project, rules: rules.filter((rule) => forStack(rule, query.stack)) };
    },

    async replace({ params: { project }, body, ...terms }) {
      refuseTwins(body.map((rule) => rule.rule_id));
      await checkPatterns(body);
      const fresh = body.map((rule) => complete(rule, project, {}));
      return change(
        [project],
        "rules.put",
        (sets) => new Map([[project, [...others(sets.get(project) ?? [], fresh), ...fresh]]]),
        terms,
        { project, count: fresh.length },
      );
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

    async propose({ body, ...terms }) {
      const { project, proposed_by, context, ...rule } = body;
      await checkPatterns([rule]);
      const proposal = complete(rule, project, {
        source: "learned",
        status: "proposed",
        proposed_by: terms.caller.name || proposed_by,
        context,
      });
      const edit = (sets: Map<string, readonly Rule[]>) => {
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
      };
      const answer = { project, rule_id: rule.rule_id, status: "proposed" as const };
      return change([project], "rule.propose", edit, terms, answer);
    },

    accept: ({ params, ...terms }) => judge(params, "accepted", terms),
    reject: ({ params, ...terms }) => judge(params, "rejected", terms),

    async export({ query }) {
      const wanted: readonly string[] = query.source
        ? query.source.split(",").map((name) => name.trim())
        : sources.options;
      const records = await store.listValues("rules");
      return records
        .flatMap(decode)
        .filter((rule) => rule.status === "accepted" && wanted.includes(rule.source));
    },

    async import({ body, ...terms }) {
      refuseTwins(body.map((rule) => JSON.stringify([rule.project, rule.rule_id])));
      await checkPatterns(body);
      const incoming = Map.groupBy(body, (rule) => rule.project || globalProject);
      if (incoming.size === 0) return { imported: 0 };
      const edit = (sets: Map<string, readonly Rule[]>) => {
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
      };
      return change([...incoming.keys()], "rules.import", edit, terms, { imported: body.length });
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
