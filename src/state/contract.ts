import { z } from "zod";
import { hash, key, limit, text, timestamp, version, versionWait } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import { operation, valueBody } from "../contract/operation.ts";

const params = z.object({ key });

export const stateOperations = {
  list: operation({
    method: "GET",
    path: "/api/state",
    summary: "List keys, sorted",
    query: z.object({
      prefix: text(limits.keyBytes).optional().meta({ description: "Only keys that begin with it." }),
      after: text(limits.keyBytes)
        .optional()
        .meta({ description: "Only keys after this one: the next page." }),
      limit,
    }),
    response: z.array(
      z.object({ key: z.string(), version, content_type: z.string(), updated_at: timestamp }),
    ),
    cli: "state list --prefix P --after KEY --limit N",
  }),
  get: operation({
    method: "GET",
    path: "/api/state/{key...}",
    summary: "Read a value",
    params,
    query: z.object(versionWait),
    response: "bytes",
    errors: ["not_found", "rate_limited"],
    cli: "state get KEY",
  }),
  put: operation({
    method: "PUT",
    path: "/api/state/{key...}",
    summary: "Write a value, of any content type",
    params,
    body: valueBody,
    conditional: true,
    response: z.object({ key: z.string(), version, hash, content_type: z.string(), updated_at: timestamp }),
    errors: ["version_mismatch", "too_large", "out_of_space"],
    cli: "state set KEY @body",
  }),
  delete: operation({
    method: "DELETE",
    path: "/api/state/{key...}",
    summary: "Delete a key; its versions are never used again",
    params,
    conditional: true,
    response: z.object({ deleted: z.string() }),
    errors: ["not_found", "version_mismatch"],
    cli: "state delete KEY",
  }),
};
