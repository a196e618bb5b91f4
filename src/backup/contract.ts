import { z } from "zod";
import { limits } from "../contract/limits.ts";
import { operation } from "../contract/operation.ts";

const count = z.int();

/** What is in a backup: live records of the nouns that people count, and rows of each kind. */
export const backupCounts = z.object({
  state: count.meta({ description: "State keys that are not deleted." }),
  specs: count,
  rules: count,
  instances: count,
  versions: count.meta({ description: "Versions of everything, current ones and tombstones too." }),
  records: count.meta({ description: "Records of everything, tombstones too." }),
  events: count,
  usage: count.default(0).meta({ description: "Calls of models; since schema 3." }),
  metrics: count.default(0).meta({ description: "What agents did, by hour; since schema 3." }),
  audit: count,
});

export const backupOperations = {
  create: operation({
    method: "GET",
    path: "/api/backup",
    summary: "Everything that is stored, of one moment, as a file",
    response: "ndjson",
    unmetered: true,
  }),
  restore: operation({
    method: "POST",
    path: "/api/restore",
    summary: "Replace everything that is stored by a backup",
    body: { kind: "ndjson", maxBytes: limits.backupBytes },
    response: z.object({
      restored: z.literal(true),
      epoch: z.string().meta({ description: "The new one: positions of the one before are 410." }),
      revision: z.int(),
      counts: backupCounts,
    }),
    errors: ["out_of_space"],
    unmetered: true,
    audit: "store.restore",
  }),
};
