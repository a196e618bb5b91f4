import { z } from "zod";
import { filter, key, optionalText, pathName, requiredText, text, timestamp } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import { json, operation } from "../contract/operation.ts";

export const severity = z.enum(["error", "warning"], 'must be "error" or "warning"');
export const matchType = z.enum(["regex", "missing", "custom"], 'must be "regex", "missing" or "custom"');
export const source = z.enum(["local", "learned", "external"]);
export const ruleStatus = z.enum(["accepted", "proposed", "rejected"]);

/** A rule as it is stored and shown. */
export const rule = z.object({
  rule_id: z.string(),
  severity,
  match_type: matchType,
  pattern: z.string().meta({ description: "RE2 syntax; for `custom` the name of a built-in check." }),
  message: z.string(),
  applies_to: z
    .array(z.string())
    .meta({ description: "Globs, tried on the whole path and on the base name." }),
  stack: z.string().meta({ description: "Empty: every stack." }),
  source,
  status: ruleStatus,
  proposed_by: z.string(),
  context: z.string(),
  project: z.string(),
  created_at: timestamp,
});

export type Rule = z.output<typeof rule>;

/** Rules of one project, the most that anyone keeps; how many a content of 1 MB can pass in 2 s is in bench/rules.ts. */
export const projectRules = 1000;

/** Rules of one import, over all its projects: as many as 1 MiB holds with their messages. */
export const importedRules = 5000;

/** A rule as it comes in: what is not said has a default. */
export const newRule = z.object({
  rule_id: pathName(requiredText(limits.keyBytes)),
  severity: severity.default("error"),
  match_type: matchType.default("regex"),
  pattern: requiredText(limits.noteBytes),
  message: optionalText(limits.noteBytes),
  applies_to: z
    .array(requiredText(limits.topicBytes))
    .max(64, "has more than 64 entries")
    .nullish()
    .transform((globs) => (globs?.length ? globs : ["*"])),
  stack: optionalText(limits.nameBytes),
});

export type NewRule = z.output<typeof newRule>;

const imported = newRule.extend({
  project: pathName(optionalText(limits.keyBytes)).meta({ description: "`_global` unless said." }),
  source: source.optional().meta({ description: "`external` unless said." }),
  context: optionalText(limits.noteBytes),
  proposed_by: optionalText(limits.nameBytes),
});

/** Rules as they are imported. */
export const importedSet = z
  .array(imported, "must be an array of rules")
  .max(importedRules, `has more than ${importedRules} rules`);

/** An array of rules or `{"rules": [...]}`: the rules, and where they stand. */
export const importedBody = z
  .union([importedSet, z.object({ rules: importedSet })])
  .transform((body) => (Array.isArray(body) ? { rules: body, at: "" } : { rules: body.rules, at: "rules." }));

export type ImportedRule = z.output<typeof imported>;

export const violation = z.object({
  rule_id: z.string(),
  severity,
  message: z.string(),
  line: z.int().optional().meta({ description: "From 1; absent for what is missing." }),
  match: z.string().optional(),
  proposed: z.literal(true).optional().meta({ description: "The rule is only proposed: it does not count." }),
});

const params = z.object({ project: key });
const ruleParams = z.object({ project: key, rule_id: requiredText(limits.keyBytes) });
const verdict = z.object({ project: z.string(), rule_id: z.string(), status: ruleStatus });

const stackFilter = filter.meta({ description: "Rules of this stack, and those of every stack." });
const sourceFilter = "local, learned or external; several with commas.";

export const ruleOperations = {
  list: operation({
    method: "GET",
    path: "/api/validate/{project}/rules",
    summary: "List a project's own rules, of every status",
    params,
    query: z.object({ stack: stackFilter }),
    response: z.object({ project: z.string(), rules: z.array(rule) }),
  }),
  find: operation({
    method: "GET",
    path: "/api/rules",
    summary: "List rules, of every project, source and status unless said",
    query: z.object({
      project: filter.meta({ description: "Only this project's; `_global` are those of all projects." }),
      source: filter.meta({ description: sourceFilter }),
      status: filter.meta({ description: "accepted, proposed or rejected; several with commas." }),
      stack: stackFilter,
    }),
    response: z.array(rule),
    cli: "rules list [PROJECT] --source A,B --status A,B --stack S",
  }),
  replace: operation({
    method: "PUT",
    path: "/api/validate/{project}/rules",
    summary: "Replace a project's local rules, all or nothing",
    params,
    body: json(
      z.array(newRule, "must be an array of rules").max(projectRules, `has more than ${projectRules} rules`),
    ),
    conditional: true,
    response: z.object({ project: z.string(), count: z.int() }),
    errors: ["already_exists", "version_mismatch", "precondition_required", "over_budget"],
    audit: "rules.put {project}",
    cli: "rules set PROJECT @body",
  }),
  validate: operation({
    method: "POST",
    path: "/api/validate/{project}",
    summary: "Check a file's content against the project's accepted rules and those of `_global`",
    params,
    body: json(
      z.object({
        filename: optionalText(limits.topicBytes),
        content: text(limits.valueBytes),
        stack: optionalText(limits.nameBytes),
        include_proposed: z
          .boolean("must be true or false")
          .nullish()
          .meta({ description: "Try proposed rules too, after those that count." }),
      }),
      // JSON may write a character as six: `\u001b`.
      { maxBytes: limits.valueBytes + limits.bodyBytes },
    ),
    response: z.object({
      project: z.string(),
      violations: z.array(violation),
      count: z.int(),
      truncated: z.literal(true).optional().meta({ description: "There are more than were counted." }),
    }),
    errors: ["over_budget", "rate_limited", "too_large"],
    violations: ({ violations }: { violations: { proposed?: true }[] }) =>
      violations.filter(({ proposed }) => !proposed).length,
  }),
  propose: operation({
    method: "POST",
    path: "/api/rules/propose",
    summary: "Propose a rule that was learned; it counts once it is accepted",
    body: json(
      newRule.extend({
        project: key,
        proposed_by: optionalText(limits.nameBytes),
        context: optionalText(limits.noteBytes),
      }),
    ),
    response: verdict,
    errors: ["already_exists", "over_budget"],
    audit: "rule.propose {project}/{rule_id}",
    cli: "rules propose @body",
  }),
  accept: operation({
    method: "POST",
    path: "/api/rules/{project}/{rule_id}/accept",
    summary: "Accept a proposed rule; the version is that of the project's rules",
    params: ruleParams,
    conditional: true,
    response: verdict,
    errors: ["not_found", "version_mismatch"],
    audit: "rule.accept {project}/{rule_id}",
    cli: "rules accept PROJECT/RULE_ID",
  }),
  reject: operation({
    method: "POST",
    path: "/api/rules/{project}/{rule_id}/reject",
    summary: "Reject a proposed rule; the version is that of the project's rules",
    params: ruleParams,
    conditional: true,
    response: verdict,
    errors: ["not_found", "version_mismatch"],
    audit: "rule.reject {project}/{rule_id}",
    cli: "rules reject PROJECT/RULE_ID",
  }),
  delete: operation({
    method: "DELETE",
    path: "/api/rules/{project}/{rule_id}",
    summary: "Delete a rule, of any source and status; the version is that of the project's rules",
    params: ruleParams,
    conditional: true,
    response: z.object({ deleted: z.string() }),
    errors: ["not_found", "version_mismatch"],
    audit: "rule.delete {project}/{rule_id}",
    cli: "rules delete PROJECT/RULE_ID",
  }),
  export: operation({
    method: "GET",
    path: "/api/rules/export",
    summary: "Read the accepted rules of all projects, as import takes them",
    query: z.object({
      source: filter.meta({
        description: `${sourceFilter} Unless said local and learned: the rules of your own.`,
      }),
    }),
    response: z.array(rule),
    cli: "rules export --source A,B",
  }),
  import: operation({
    method: "POST",
    path: "/api/rules/import",
    summary: "Add or replace rules by project and id, as accepted; all or nothing",
    body: json(importedBody),
    response: z.object({ imported: z.int() }),
    errors: ["over_budget"],
    audit: "rules.import",
    cli: "rules import @body",
  }),
};
