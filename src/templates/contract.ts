import { z } from "zod";
import {
  filter,
  key,
  pathName,
  optionalText,
  requiredText,
  timestamp,
  version,
  versionNumber,
} from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import { json, operation } from "../contract/operation.ts";
import { importedBody, importedSet } from "../rules/contract.ts";
import { historyQuery, versions } from "../values/contract.ts";

export const kind = z.enum(["rules", "contracts", "bundle"], 'must be "rules", "contracts" or "bundle"');

/** What is stored of a template, beside its data. */
const described = {
  id: z.string(),
  name: z.string().meta({ description: "Of the spec that a contract or a bundle becomes." }),
  description: z.string(),
  kind,
  tags: z.array(z.string()),
};

const summary = z.object({ ...described, version, created_at: timestamp, updated_at: timestamp });

export type Summary = z.output<typeof summary>;

/** Contracts of one bundle, each a spec in the one transaction that applies it. */
export const bundleContracts = 64;

/** What the data of each kind is, when it is applied. */
export const dataOf = {
  rules: z.object({ data: importedBody }),
  contracts: z.object({ data: z.looseObject({}, "must be a contract") }),
  bundle: z.object({
    data: z.looseObject(
      {
        rules: importedSet.optional(),
        contracts: z.looseObject({}, "must be an object of contracts by name").optional(),
      },
      "must be an object",
    ),
  }),
};

export type ImportedRules = z.output<typeof importedSet>;

const id = pathName(requiredText(limits.keyBytes));
const params = z.object({ id });

export const templateOperations = {
  create: operation({
    method: "POST",
    path: "/api/templates",
    summary:
      "Keep rules or contracts as a template for projects; under the version of the one that is there, in its place",
    body: json(
      z.object({
        id,
        name: key,
        description: optionalText(limits.noteBytes),
        kind: kind
          .or(z.literal(""))
          .nullish()
          .transform((value) => value || "rules")
          .meta({ description: "`rules` unless said." }),
        tags: z
          .array(requiredText(limits.nameBytes), "must be an array of texts")
          .max(64, "has more than 64 entries")
          .nullish()
          .transform((list) => list ?? []),
        data: z.unknown().optional().meta({
          description:
            "Any JSON; it is kept as it is written, and checked when it is applied. Of rules as they are imported; of contracts the contract; of a bundle an object with `rules`, `contracts` by name, and whatever else.",
        }),
      }),
      { raw: ["data"] },
    ),
    conditional: true,
    response: summary,
    errors: ["already_exists", "version_mismatch", "rate_limited", "too_large", "out_of_space"],
    audit: "template.create {id}",
  }),
  list: operation({
    method: "GET",
    path: "/api/templates",
    summary: "List templates without their data",
    query: z.object({ kind: kind.optional(), tag: filter }),
    response: z.array(summary),
    cli: "templates list --kind KIND --tag TAG",
  }),
  get: operation({
    method: "GET",
    path: "/api/templates/{id}",
    summary: "Read a template with its data, as creating one takes it",
    params,
    query: z.object({
      version: versionNumber.optional().meta({ description: "This version instead of the current one." }),
    }),
    response: summary.extend({ data: z.unknown() }),
    errors: ["not_found"],
    cli: "templates get ID --version N",
  }),
  history: operation({
    method: "GET",
    path: "/api/templates/{id}",
    when: "history",
    summary: "List the versions of a template that are kept",
    params,
    query: historyQuery,
    response: z.object({ id: z.string(), versions }),
    cli: "templates history ID --limit N",
  }),
  delete: operation({
    method: "DELETE",
    path: "/api/templates/{id}",
    summary: "Delete a template; what was made of it stays",
    params,
    conditional: true,
    response: z.object({ deleted: z.string() }),
    errors: ["not_found", "version_mismatch"],
    audit: "template.delete {id}",
    cli: "templates delete ID",
  }),
  apply: operation({
    method: "POST",
    path: "/api/templates/{id}/apply",
    summary: "Import a template's rules into a project, and make its contracts specs there; all or nothing",
    params,
    body: json(z.object({ project: key })),
    response: z.object({
      applied: z.string().meta({ description: "The template's id." }),
      project: z.string(),
      kind,
    }),
    errors: [
      "not_found",
      "incompatible",
      "precondition_required",
      "over_budget",
      "rate_limited",
      "out_of_space",
    ],
    audit: "template.apply {id}",
    cli: "templates apply ID --project P",
  }),
};
