import { z } from "zod";
import { hash, key, timestamp, version, versionWait } from "../contract/fields.ts";
import { operation, valueBody } from "../contract/operation.ts";

const params = z.object({ project: key, name: key });

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
    summary: "Read a spec",
    params,
    query: z.object(versionWait),
    response: "bytes",
    errors: ["not_found", "rate_limited"],
    cli: "specs get PROJECT/NAME",
  }),
  put: operation({
    method: "PUT",
    path: "/api/specs/{project}/{name}",
    summary: "Write a spec",
    params,
    body: valueBody,
    conditional: true,
    response: z.object({ project: z.string(), name: z.string(), version, hash, updated_at: timestamp }),
    errors: ["version_mismatch", "too_large", "out_of_space"],
    cli: "specs set PROJECT/NAME @body",
  }),
  delete: operation({
    method: "DELETE",
    path: "/api/specs/{project}/{name}",
    summary: "Delete a spec; its versions are never used again",
    params,
    conditional: true,
    response: z.object({ deleted: z.string() }),
    errors: ["not_found", "version_mismatch"],
    cli: "specs delete PROJECT/NAME",
  }),
};
