import { z } from "zod";
import { hash, key, timestamp, version } from "../contract/fields.ts";
import { operation, patchBody, valueBody } from "../contract/operation.ts";
import {
  diffQuery,
  difference,
  getQuery,
  historyQuery,
  rollbackQuery,
  rolledBack,
  versions,
} from "../values/contract.ts";

const params = z.object({ project: key, name: key });
const written = z.object({
  project: z.string(),
  name: z.string(),
  version,
  hash,
  updated_at: timestamp,
});

export const specOperations = {
  projects: operation({
    method: "GET",
    path: "/api/specs",
    summary: "List projects that have specs",
    response: z.array(z.object({ project: z.string(), specs: z.int() })),
    cli: "specs projects",
  }),
  list: operation({
    method: "GET",
    path: "/api/specs/{project}",
    summary: "List a project's specs; an unknown project has none",
    params: z.object({ project: key }),
    response: z.object({
      project: z.string(),
      specs: z.array(z.object({ name: z.string(), version, updated_at: timestamp })),
    }),
    cli: "specs list PROJECT",
  }),
  get: operation({
    method: "GET",
    path: "/api/specs/{project}/{name}",
    summary: "Read a spec, an old version of it, or a part",
    params,
    query: getQuery,
    response: "bytes",
    errors: ["not_found", "over_budget", "rate_limited"],
    cli: ["specs get PROJECT/NAME --version N --pick POINTER", "contract get PROJECT/NAME --version N"],
  }),
  history: operation({
    method: "GET",
    path: "/api/specs/{project}/{name}",
    when: "history",
    summary: "List the versions of a spec that are kept",
    params,
    query: historyQuery,
    response: z.object({ project: z.string(), name: z.string(), versions }),
    cli: "specs history PROJECT/NAME --limit N",
  }),
  diff: operation({
    method: "GET",
    path: "/api/specs/{project}/{name}",
    when: "diff",
    summary: "Compare two versions of a spec",
    params,
    query: diffQuery,
    response: difference.extend({ project: z.string(), name: z.string() }),
    errors: ["not_found", "over_budget", "rate_limited"],
    cli: "specs diff PROJECT/NAME --v1 diff=A --v2 diff=B",
  }),
  put: operation({
    method: "PUT",
    path: "/api/specs/{project}/{name}",
    summary: "Write a spec",
    params,
    query: z.object({
      dry_run: z.enum(["0", "1"], 'must be "0" or "1"').optional().meta({
        description: "`1`: answers, or refuses, as the write would, and writes nothing.",
      }),
    }),
    body: valueBody,
    conditional: true,
    response: written.extend({
      dry_run: z
        .literal(true)
        .optional()
        .meta({ description: "Nothing was written; the version is the next one." }),
    }),
    errors: [
      "version_mismatch",
      "precondition_required",
      "incompatible",
      "over_budget",
      "rate_limited",
      "too_large",
      "out_of_space",
    ],
    audit: "spec.put {project}/{name}",
    cli: ["specs set PROJECT/NAME @body", "contract set PROJECT/NAME @body"],
  }),
  patch: operation({
    method: "PATCH",
    path: "/api/specs/{project}/{name}",
    summary: "Change parts of a spec, all or nothing",
    params,
    body: patchBody,
    conditional: true,
    response: written,
    errors: [
      "not_found",
      "conflict",
      "incompatible",
      "version_mismatch",
      "too_large",
      "over_budget",
      "rate_limited",
      "out_of_space",
    ],
    audit: "spec.patch {project}/{name}",
    cli: "specs patch PROJECT/NAME @body",
  }),
  rollback: operation({
    method: "POST",
    path: "/api/specs/{project}/{name}",
    when: "rollback",
    summary: "Make an old spec the current one again, as a new version",
    params,
    query: rollbackQuery,
    conditional: true,
    response: written.extend({ rolled_back: rolledBack }),
    errors: ["not_found", "incompatible", "version_mismatch", "precondition_required", "out_of_space"],
    audit: "spec.rollback {project}/{name}",
    cli: "specs rollback PROJECT/NAME --version rollback=N",
  }),
  delete: operation({
    method: "DELETE",
    path: "/api/specs/{project}/{name}",
    summary: "Delete a spec; its versions are never used again",
    params,
    conditional: true,
    response: z.object({ deleted: z.string() }),
    errors: ["not_found", "incompatible", "version_mismatch"],
    audit: "spec.delete {project}/{name}",
    cli: "specs delete PROJECT/NAME",
  }),
};
