import { z } from "zod";
import { hash, key, limit, text, timestamp, version } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
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

const params = z.object({ key });
const written = z.object({
  key: z.string(),
  version,
  hash,
  content_type: z.string(),
  updated_at: timestamp,
});

export const stateOperations = {
  list: operation({
    method: "GET",
    path: "/api/state",
    summary: "List keys, sorted; without a limit all there are, as of one moment",
    query: z.object({
      prefix: text(limits.keyBytes).optional().meta({ description: "Only keys that begin with it." }),
      after: text(limits.keyBytes)
        .optional()
        .meta({ description: "Only keys after this one: the next page." }),
      limit,
    }),
    response: z.array(
      z.object({
        key: z.string(),
        version,
        content_type: z.string(),
        updated_at: timestamp,
        updated_by: z
          .string()
          .meta({ description: "The writing instance's name; empty without an identity." }),
      }),
    ),
    paged: true,
    cli: "state list --prefix P --after KEY --limit N",
  }),
  get: operation({
    method: "GET",
    path: "/api/state/{key...}",
    summary: "Read a value, an old version of it, or a part",
    params,
    query: getQuery,
    response: "bytes",
    errors: ["not_found", "over_budget", "rate_limited"],
    cli: "state get KEY --version N --pick POINTER",
  }),
  history: operation({
    method: "GET",
    path: "/api/state/{key...}",
    when: "history",
    summary: "List the versions of a key that are kept",
    params,
    query: historyQuery,
    response: z.object({ key: z.string(), versions }),
    cli: "state history KEY --limit N",
  }),
  diff: operation({
    method: "GET",
    path: "/api/state/{key...}",
    when: "diff",
    summary: "Compare two versions of a JSON object",
    params,
    query: diffQuery,
    response: difference.extend({ key: z.string() }),
    errors: ["not_found", "over_budget", "rate_limited"],
    cli: "state diff KEY --v1 diff=A --v2 diff=B",
  }),
  put: operation({
    method: "PUT",
    path: "/api/state/{key...}",
    summary: "Write a value, of any content type",
    params,
    body: valueBody,
    conditional: true,
    response: written,
    errors: ["version_mismatch", "precondition_required", "too_large", "out_of_space"],
    audit: "state.put {key}",
    cli: "state set KEY @body",
  }),
  patch: operation({
    method: "PATCH",
    path: "/api/state/{key...}",
    summary: "Change parts of a JSON value, all or nothing",
    params,
    body: patchBody,
    conditional: true,
    response: written,
    errors: [
      "not_found",
      "conflict",
      "version_mismatch",
      "too_large",
      "over_budget",
      "rate_limited",
      "out_of_space",
    ],
    audit: "state.patch {key}",
    cli: "state patch KEY @body",
  }),
  rollback: operation({
    method: "POST",
    path: "/api/state/{key...}",
    when: "rollback",
    summary: "Make an old value the current one again, as a new version",
    params,
    query: rollbackQuery,
    conditional: true,
    response: z.object({ key: z.string(), version, hash, rolled_back: rolledBack, updated_at: timestamp }),
    errors: ["not_found", "version_mismatch", "precondition_required", "out_of_space"],
    audit: "state.rollback {key}",
    cli: "state rollback KEY --version rollback=N",
  }),
  delete: operation({
    method: "DELETE",
    path: "/api/state/{key...}",
    summary: "Delete a key; its versions are never used again",
    params,
    conditional: true,
    response: z.object({ deleted: z.string() }),
    errors: ["not_found", "version_mismatch"],
    audit: "state.delete {key}",
    cli: "state delete KEY",
  }),
};
