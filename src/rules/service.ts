import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import { type Condition, type Handlers, type Terms, ofRecord } from "../contract/operation.ts";
import type { AuditLabel, Guard, Op, OpResult, StoredRecord } from "../core/commit.ts";
import { expectCondition, isConditional } from "../core/guard.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import type { Store } from "../store/store.ts";
import { perform } from "../store/write.ts";
import { type NewRule, type Rule, projectRules, type ruleOperations } from "./contract.ts";
import { BudgetExceeded, type RuleEngine, RuleEngineBusy, RuleEngineClosed, withMessage } from "./engine.ts";
import {
  type RuleSet,
  addProposal,
  isForStack,
  isListed,
  judge,
  refuseTwins,
  remove,
  replaceLocal,
  upsert,
} from "./rule-set.ts";

/** Rules of this project apply to every project. */
export const globalProject = "_global";

export interface RuleOptions {
  store: Store;
  engine: RuleEngine;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Refuse to replace a project's rules unless the request says which version it replaces. */
  strictWrites: boolean;
}

/** A change of the sets of some projects. */
interface Change<Answer extends object> {
  /** What a project's set comes to, by project. One that comes out as it went in is not written. */
  edits: ReadonlyMap<string, (rules: RuleSet) => RuleSet>;
  action: string;
  detail?: AuditLabel["detail"];
  terms: Terms & { condition?: Condition };
  answer: Answer;
  /** What must hold besides. */
  guard?: Guard;
}

/**
 * Rules and validation. The rules of a project are one record, so that replacing them is one write with one
 * version, and a reader never sees half of an old set and half of a new one.
 */
export function ruleService({
  store,
  engine,
  now,
  strictWrites,
}: RuleOptions): Handlers<typeof ruleOperations> {
  /** Reads the sets, changes them and writes them together, under the versions that were read. */
  function changeNow<Answer extends object>(change: Change<Answer>): Promise<Answer> {
    const { edits, action, detail, terms, answer, guard } = change;
    const { condition = {}, ...others } = terms;
    const plan = async () => {
      const projects = [...edits];
      const records = await Promise.all(projects.map(([project]) => store.get("rules", project)));
      for (const record of records) expectCondition(condition, record);
      const ops = projects.map(([project, edit], index): Op => {
        const before = decode(records[index]);
        const rules = edit(before);
        if (rules.length > projectRules) {
          throw new KoorError("bad_request", `project ${project} would have more than ${projectRules} rules`);
        }
        const version = records[index]?.version ?? 0;
        const record = { collection: "rules", key: project, guard: { ...guard, version } } as const;
        if (rules === before) return { ...record, kind: "guard" };
        const value = new TextEncoder().encode(JSON.stringify(rules));
        const audit: AuditLabel = { action, resource: project, ...(detail && { detail }) };
        return { ...record, kind: "put", value, contentType: "application/json", audit };
      });
      const changes = ops.some(({ kind }) => kind === "put");
      return { ops: changes ? ops : [], note: answer, optimistic: true };
    };
    return perform(store, others, plan, withVersion);
  }

  /** A change can span projects, so all of them go in one line. */
  const inTurn = oneAtATime();
  const change: typeof changeNow = (all) => inTurn("rules", () => changeNow(all));

  async function rulesOf(project: string): Promise<RuleSet> {
    return decode(await store.get("rules", project));
  }

  /** Of every project, by its name. */
  async function allRules(): Promise<Rule[]> {
    return (await store.listValues("rules")).flatMap(decode);
  }

  /**
   * Refuses what the engine cannot run, before it is stored.
   * @param place where in the request a rule stands, by its index
   */
  async function checkPatterns(
    rules: readonly NewRule[],
    place = (index: number) => `${index}.`,
  ): Promise<void> {
    const fault = await inBudget(engine.check(rules.map(withMessage)));
    if (!fault) return;
    throw new KoorError("bad_request", `rule ${fault.rule_id}: ${fault.fault}`, {
      path: `${place(fault.index)}${fault.fault.startsWith("applies_to") ? "applies_to" : "pattern"}`,
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

  function decideOn(
    params: { project: string; rule_id: string },
    status: "accepted" | "rejected",
    terms: Terms,
  ) {
    return change({
      edits: new Map([[params.project, (rules: RuleSet) => judge(rules, params, status)]]),
      action: status === "accepted" ? "rule.accept" : "rule.reject",
      detail: { rule_id: params.rule_id },
      terms,
      answer: { ...params, status },
    });
  }

  return {
    async list({ params: { project }, query }) {
      const record = await store.get("rules", project);
      const rules = decode(record).filter((rule) => isForStack(rule, query.stack));
      return ofRecord({ project, rules }, record);
    },

    async find({ query }) {
      const rules = query.project ? await rulesOf(query.project) : await allRules();
      return rules.filter(
        (rule) =>
          isListed(rule.source, query.source) &&
          isListed(rule.status, query.status) &&
          isForStack(rule, query.stack),
      );
    },

    async replace({ params: { project }, body, ...terms }) {
      refuseTwins(body);
      await checkPatterns(body);
      const fresh = body.map((rule) => complete(rule, project, {}));
      return change({
        edits: new Map([[project, (rules: RuleSet) => replaceLocal(rules, fresh)]]),
        action: "rules.put",
        detail: { count: fresh.length },
        terms,
        answer: { project, count: fresh.length },
        guard: strictWrites && !isConditional(terms.condition) ? { fresh: true } : {},
      });
    },

    async validate({ params: { project }, body }) {
      const own = await rulesOf(project);
      const shared = project === globalProject ? [] : await rulesOf(globalProject);
      const rules = [...own, ...shared].filter(
        (rule) => rule.status === "accepted" && isForStack(rule, body.stack),
      );
      const { content, filename } = body;
      const result = await inBudget(engine.validate({ rules, content, ...(filename && { filename }) }));
      const { violations, truncated } = result;
      return { project, violations, count: violations.length, ...(truncated && { truncated }) };
    },

    async propose({ body, ...terms }) {
      const { project, proposed_by, context, ...rule } = body;
      await checkPatterns([rule], () => "");
      const proposal = complete(rule, project, {
        source: "learned",
        status: "proposed",
        proposed_by: terms.caller.name || proposed_by,
        context,
      });
      const { rule_id } = rule;
      return change({
        edits: new Map([[project, (rules: RuleSet) => addProposal(rules, proposal)]]),
        action: "rule.propose",
        detail: { rule_id },
        terms,
        answer: { project, rule_id, status: "proposed" as const },
      });
    },

    accept: ({ params, ...terms }) => decideOn(params, "accepted", terms),
    reject: ({ params, ...terms }) => decideOn(params, "rejected", terms),

    async delete({ params, ...terms }) {
      return change({
        edits: new Map([[params.project, (rules: RuleSet) => remove(rules, params)]]),
        action: "rule.delete",
        detail: { rule_id: params.rule_id },
        terms,
        answer: { deleted: `${params.project}/${params.rule_id}` },
      });
    },

    async export({ query }) {
      const rules = await allRules();
      return rules.filter(
        (rule) => rule.status === "accepted" && isListed(rule.source, query.source || "local,learned"),
      );
    },

    async import({ body, ...terms }) {
      const rules = body.map((rule) => ({ ...rule, project: rule.project || globalProject }));
      refuseTwins(rules);
      await checkPatterns(rules);
      const edits = new Map(
        [...Map.groupBy(rules, ({ project }) => project)].map(([project, group]) => {
          const fresh = group.map(({ source = "external", context, proposed_by, project: _, ...rule }) =>
            complete(rule, project, { source, context, proposed_by }),
          );
          return [project, (before: RuleSet) => upsert(before, fresh)] as const;
        }),
      );
      const count = rules.length;
      return change({ edits, action: "rules.import", detail: { count }, terms, answer: { imported: count } });
    },
  };
}

/** An answer about one project, with the version that it wrote. */
function withVersion<Answer extends object>(results: readonly OpResult[], answer: Answer): Answer {
  const [result] = results;
  return results.length === 1 && result && "record" in result ? ofRecord(answer, result.record) : answer;
}

function decode(record: StoredRecord | undefined): RuleSet {
  return record ? (JSON.parse(new TextDecoder().decode(record.value)) as Rule[]) : [];
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
