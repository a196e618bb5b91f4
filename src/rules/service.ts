import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import { type Condition, type Handlers, type Terms, ofRecord } from "../contract/operation.ts";
import type { AuditLabel, Guard, Op, OpResult, StoredRecord } from "../core/commit.ts";
import { expectCondition, isConditional } from "../core/guard.ts";
import { decodeJson, encodeJson } from "../core/json-bytes.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import type { Store } from "../store/store.ts";
import { perform } from "../store/write.ts";
import { type ImportedRule, type NewRule, type Rule, projectRules, type ruleOperations } from "./contract.ts";
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

export interface RuleService extends Handlers<typeof ruleOperations> {
  /**
   * What an import of rules into one project comes to, for a commit of somebody else's that is optimistic.
   *
   * @param at where in the request or the document the rules stand: `rules.`
   * @param detail what the audit says beside their number
   * @throws KoorError `bad_request` whose `path` names rule and field, `over_budget`
   */
  importInto(
    project: string,
    rules: readonly ImportedRule[],
    about: { at: string; detail: AuditLabel["detail"] },
  ): Promise<Op>;
}

/** A change of the sets of some projects. */
interface Change<Answer extends object> {
  /** What a project's set comes to, by project. One that comes out as it went in is not written. */
  edits: ReadonlyMap<string, (rules: RuleSet) => RuleSet>;
  /** Unless it has a resource of its own, that is the project. */
  audit: Omit<AuditLabel, "resource"> & { resource?: string };
  /** Instead of the label's detail, where each project has its own. */
  detailOf?: (project: string) => NonNullable<AuditLabel["detail"]>;
  terms: Terms & { condition?: Condition };
  answer: Answer;
  /** What must hold besides. */
  guard?: Guard;
}

/**
 * Rules and validation. The rules of a project are one record, so that replacing them is one write with one
 * version, and a reader never sees half of an old set and half of a new one.
 */
export function ruleService({ store, engine, now, strictWrites }: RuleOptions): RuleService {
  /** Reads the sets, changes them and writes them together, under the versions that were read. */
  function changeNow<Answer extends object>(change: Change<Answer>): Promise<Answer> {
    const { edits, terms, answer, guard, detailOf } = change;
    const { condition = {}, ...others } = terms;
    const plan = async () => {
      const projects = [...edits];
      const records = await Promise.all(projects.map(([project]) => store.get("rules", project)));
      for (const record of records) expectCondition(condition, record);
      const ops = projects.map(([project, edit], index) =>
        edited(project, records[index], edit, {
          ...change.audit,
          ...(detailOf && { detail: detailOf(project) }),
          guard,
        }),
      );
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

  /** Rules that are about to be imported. @param at where in the request they stand */
  async function admit(rules: readonly ImportedRule[], at: string): Promise<void> {
    refuseTwins(rules, at);
    await checkPatterns(rules, (index) => `${at}${index}.`);
  }

  /** Adds imported rules to a project's, or puts them in the place of those of their ids. */
  function adding(project: string, rules: readonly ImportedRule[]): (before: RuleSet) => RuleSet {
    const fresh = rules.map(({ source = "external", context, proposed_by, project: _, ...rule }) =>
      complete(rule, project, { source, context, proposed_by }),
    );
    return (before) => upsert(before, fresh);
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
      audit: ofRule(status === "accepted" ? "rule.accept" : "rule.reject", params),
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
        audit: { action: "rules.put", detail: { count: fresh.length } },
        terms,
        answer: { project, count: fresh.length },
        guard: strictWrites && !isConditional(terms.condition) ? { fresh: true } : {},
      });
    },

    async validate({ params: { project }, body }) {
      const own = await rulesOf(project);
      const shared = project === globalProject ? [] : await rulesOf(globalProject);
      const all = [...own, ...shared].filter((rule) => isForStack(rule, body.stack));
      const accepted = all.filter(({ status }) => status === "accepted");
      const proposed = body.include_proposed ? all.filter(({ status }) => status === "proposed") : [];
      const rules = [...accepted, ...proposed.map((rule) => ({ ...rule, proposed: true as const }))];
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
        audit: { ...ofRule("rule.propose", { project, rule_id }), claimedBy: proposed_by },
        terms,
        answer: { project, rule_id, status: "proposed" as const },
      });
    },

    accept: ({ params, ...terms }) => decideOn(params, "accepted", terms),
    reject: ({ params, ...terms }) => decideOn(params, "rejected", terms),

    async delete({ params, ...terms }) {
      return change({
        edits: new Map([[params.project, (rules: RuleSet) => remove(rules, params)]]),
        audit: ofRule("rule.delete", params),
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

    async import({ body: { rules: given, at }, ...terms }) {
      const rules = given.map((rule) => ({ ...rule, project: rule.project || globalProject }));
      await admit(rules, at);
      const groups = Map.groupBy(rules, ({ project }) => project);
      const edits = new Map([...groups].map(([project, group]) => [project, adding(project, group)]));
      return change({
        edits,
        audit: { action: "rules.import" },
        detailOf: (project) => ({ count: groups.get(project)?.length ?? 0 }),
        terms,
        answer: { imported: rules.length },
      });
    },

    async importInto(project, given, { at, detail }) {
      const rules = given.map((rule) => ({ ...rule, project }));
      await admit(rules, at);
      const label = { action: "rules.import", detail: { count: rules.length, ...detail } };
      return edited(project, await store.get("rules", project), adding(project, rules), label);
    },
  };
}

/** What an edit of a project's set comes to, if it is still what it was. */
function edited(
  project: string,
  record: StoredRecord | undefined,
  edit: (rules: RuleSet) => RuleSet,
  { guard, ...label }: { guard?: Guard | undefined } & Change<object>["audit"],
): Op {
  const before = decode(record);
  const rules = edit(before);
  if (rules.length > projectRules) {
    throw new KoorError("bad_request", `project ${project} would have more than ${projectRules} rules`);
  }
  const op = {
    collection: "rules",
    key: project,
    guard: { ...guard, version: record?.version ?? 0 },
  } as const;
  if (rules === before) return { ...op, kind: "guard" };
  const value = encodeJson(rules);
  const audit: AuditLabel = { resource: project, ...label };
  return { ...op, kind: "put", value, contentType: "application/json", audit };
}

/** What the audit says of a change of one rule. The detail tells a project with a slash from a rule with one. */
function ofRule(action: string, { project, rule_id }: { project: string; rule_id: string }): AuditLabel {
  return { action, resource: `${project}/${rule_id}`, detail: { rule_id } };
}

/** An answer about one project, with the version that it wrote. */
function withVersion<Answer extends object>(results: readonly OpResult[], answer: Answer): Answer {
  const [result] = results;
  return results.length === 1 && result && "record" in result ? ofRecord(answer, result.record) : answer;
}

function decode(record: StoredRecord | undefined): RuleSet {
  return record ? decodeJson<Rule[]>(record.value) : [];
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
