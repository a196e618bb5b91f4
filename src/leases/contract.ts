import { z } from "zod";
import {
  duration,
  filter,
  optionalText,
  requiredText,
  text,
  timestamp,
  waitingTime,
} from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import { json, operation } from "../contract/operation.ts";

const leaseMode = z.enum(["exclusive", "shared"]).meta({
  description: "Shared leases of a path stand beside each other; an exclusive one stands alone.",
});

const lease = z.object({
  id: z.string(),
  resource: z.string().meta({ description: "The name that is leased; empty where it is paths." }),
  paths: z.array(z.string()),
  mode: leaseMode,
  holder: z.string().meta({ description: "The instance's name." }),
  holder_id: z.string(),
  note: z.string(),
  fence: z.int().meta({
    description:
      "Rises from lease to lease, in order of arrival; stays over renewals. `Koor-Fence: ID:FENCE`. Of one that waits 0.",
  }),
  ttl_ms: z.int().meta({ description: "How long it lasts from its last renewal, in milliseconds." }),
  expires_at: timestamp.meta({ description: "When it ends by itself; of one that waits: when it gives up." }),
});

const listed = lease.extend({
  state: z.enum(["held", "waiting"]),
  waiting_since: timestamp.optional().meta({ description: "Of one that waits: when it came." }),
  position: z.int().optional().meta({
    description:
      "Of one that waits: its place among those in this answer that wait, 1 for the first to come.",
  }),
});

const ttl = duration
  .refine(
    (ms) => ms >= limits.leaseLeastMs && ms <= limits.leaseMostMs,
    `must be between ${limits.leaseLeastMs / 1000}s and ${limits.leaseMostMs / 3_600_000}h`,
  )
  .meta({ description: "How long it lasts unless renewed: 1s to 24h." });

const path = requiredText(limits.leasePathBytes);
const params = z.object({ id: requiredText(limits.nameBytes) });

/** What a lease lasts unless said: long enough for a change by hand, short enough to wait for after a crash. */
const standardTtl = "10m";

export const leaseOperations = {
  acquire: operation({
    method: "POST",
    path: "/api/leases",
    summary: "Lease paths, or a name; waits in line where others hold them, if asked to",
    body: json(
      z
        .object({
          resource: optionalText(limits.leasePathBytes).meta({
            description: "A name without wildcards; the same as a path of these characters.",
          }),
          paths: z
            .array(path, "must be an array of texts")
            .max(limits.leasePaths, `has more than ${limits.leasePaths} entries`)
            .nullish()
            .transform((list) => list ?? [])
            .meta({
              description:
                "Relative to the project's root. `*` any run within a name, `?` one character, `**` any directories.",
            }),
          mode: leaseMode.default("exclusive"),
          ttl: ttl
            .default(ttl.parse(standardTtl))
            .meta({ description: "How long it lasts: 1s to 24h; 10m unless said." }),
          wait: waitingTime
            .transform((ms) => ms ?? 0)
            .meta({
              description: "How long to wait in line; over a minute is cut. Unless said, not at all.",
            }),
          note: optionalText(limits.nameBytes).meta({ description: "Why: others in front of it are told." }),
        })
        .refine(({ resource, paths }) => resource !== "" || paths.length > 0, {
          path: ["paths"],
          message: "is required, or resource",
        })
        .refine(({ resource, paths }) => resource === "" || paths.length === 0, {
          path: ["resource"],
          message: "must not stand beside paths",
        }),
      { maxBytes: limits.leaseBodyBytes },
    ),
    response: lease,
    errors: ["conflict", "rate_limited", "over_budget"],
    waits: true,
    audit: "lease.acquire {resource}{paths}",
  }),
  renew: operation({
    method: "POST",
    path: "/api/leases/{id}/renew",
    summary: "Let a lease last its TTL from now on; only its holder can",
    params,
    body: json(z.object({ ttl: ttl.optional() })),
    response: lease,
    errors: ["conflict", "lease_lost"],
    audit: "lease.renew {id}",
    cli: "lease renew ID --ttl TTL",
  }),
  release: operation({
    method: "DELETE",
    path: "/api/leases/{id}",
    summary: "End a lease, or a wait for one: its holder, or a person who is no instance",
    params,
    response: z.object({ deleted: z.string() }),
    errors: ["not_found"],
    audit: "lease.release {id}",
    cli: "lease release ID",
  }),
  list: operation({
    method: "GET",
    path: "/api/leases",
    summary: "Who holds what, and who waits, in order of arrival",
    query: z.object({
      holder: filter.meta({ description: "An instance's name or id." }),
      path: text(limits.leasePathBytes)
        .optional()
        .meta({ description: "A path or glob; only leases that have a path in common with it." }),
    }),
    response: z.array(listed),
    errors: ["over_budget"],
    cli: "lease list --holder NAME --path PATH",
  }),
};
