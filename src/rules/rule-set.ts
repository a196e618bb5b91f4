import { isDeepStrictEqual } from "node:util";
import { KoorError } from "../contract/errors.ts";
import type { Rule } from "./contract.ts";

/** What each change makes of a project's rules. Pure: a set goes in, a set comes out. */

export type RuleSet = readonly Rule[];

/**
 * The set with new local rules in place of the old ones. What was learned or imported stays, unless a new rule takes
 * its id.
 *
 * @throws KoorError `already_exists` for the id of a proposal: whoever reads the whole set, changes it and writes it
 * back would accept every proposal unseen
 */
export function replaceLocal(rules: RuleSet, fresh: RuleSet): Rule[] {
  const open = new Set(rules.filter(({ status }) => status === "proposed").map(({ rule_id }) => rule_id));
  const taken = fresh.findIndex(({ rule_id }) => open.has(rule_id));
  if (taken !== -1) {
    throw new KoorError("already_exists", `rule ${fresh[taken]?.rule_id} is a proposal that waits`, {
      path: `${taken}.rule_id`,
      hint: "The old rules are unchanged. Leave it out, or accept or reject it first: koor-cli rules --help",
    });
  }
  const ids = new Set(fresh.map(({ rule_id }) => rule_id));
  const kept = rules.filter((rule) => rule.source !== "local" && !ids.has(rule.rule_id));
  return [...kept, ...fresh.map((rule) => bornAs(rule, rules))];
}

/** The set with rules added, or put in the place of those of their ids; the very same set when nothing differs. */
export function upsert(rules: RuleSet, incoming: RuleSet): RuleSet {
  const fresh = new Map(incoming.map((rule) => [rule.rule_id, bornAs(rule, rules)]));
  const merged = rules.map((old) => {
    const rule = fresh.get(old.rule_id);
    fresh.delete(old.rule_id);
    return rule ?? old;
  });
  merged.push(...fresh.values());
  return isDeepStrictEqual(merged, rules) ? rules : merged;
}

/** @throws KoorError `already_exists` unless the id is free, or that of a rejected rule */
export function addProposal(rules: RuleSet, proposal: Rule): Rule[] {
  const twin = rules.find(({ rule_id }) => rule_id === proposal.rule_id);
  if (twin && twin.status !== "rejected") {
    throw new KoorError(
      "already_exists",
      `rule ${twin.rule_id} exists in project ${twin.project} (${twin.status})`,
      { path: "rule_id", hint: "Choose another rule_id, or see what there is: koor-cli rules list" },
    );
  }
  return [...rules.filter((rule) => rule !== twin), proposal];
}

/** @throws KoorError `not_found` unless the rule is proposed */
export function judge(
  rules: RuleSet,
  { project, rule_id }: Pick<Rule, "project" | "rule_id">,
  status: "accepted" | "rejected",
): Rule[] {
  if (!rules.some((rule) => rule.rule_id === rule_id && rule.status === "proposed")) {
    throw new KoorError("not_found", `no proposed rule ${rule_id} in project ${project}`, {
      hint: "List what waits: koor-cli rules list --status proposed",
    });
  }
  return rules.map((rule) => (rule.rule_id === rule_id ? { ...rule, status } : rule));
}

/** @throws KoorError `not_found` */
export function remove(rules: RuleSet, { project, rule_id }: Pick<Rule, "project" | "rule_id">): Rule[] {
  const left = rules.filter((rule) => rule.rule_id !== rule_id);
  if (left.length === rules.length) {
    throw new KoorError("not_found", `no rule ${rule_id} in project ${project}`, {
      hint: "List the rules: koor-cli rules list",
    });
  }
  return left;
}

/** A stack selects its own rules and the universal ones; no stack selects all. */
export function isForStack(rule: Rule, stack: string | undefined): boolean {
  return !stack || rule.stack === "" || rule.stack === stack;
}

/** Whether a value is among those that a filter lists, with commas between; no filter lets everything through. */
export function isListed(value: string, list: string | undefined): boolean {
  return !list || list.split(",").some((name) => name.trim() === value);
}

/**
 * @param at where in the request the rules stand: `rules.`
 * @throws KoorError `bad_request` when two rules of a request are of one id, and of one project where they name it
 */
export function refuseTwins(rules: readonly { rule_id: string; project?: string }[], at = ""): void {
  const seen = new Set<string>();
  for (const [index, { rule_id, project }] of rules.entries()) {
    const name = JSON.stringify([project, rule_id]);
    if (seen.has(name)) {
      const path = `${at}${index}.rule_id`;
      throw new KoorError("bad_request", `${path} is there twice: ${rule_id}`, { path });
    }
    seen.add(name);
  }
}

/** A rule that takes another's place is as old as that one. */
function bornAs(rule: Rule, before: RuleSet): Rule {
  const old = before.find(({ rule_id }) => rule_id === rule.rule_id);
  return old ? { ...rule, created_at: old.created_at } : rule;
}
