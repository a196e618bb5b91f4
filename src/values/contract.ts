import { z } from "zod";
import {
  hash,
  limit,
  text,
  timestamp,
  version,
  versionNumber,
  versionPair,
  versionWait,
} from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";

/** What the contracts of state and specs have in common: their values have versions, and may be JSON. */

export const getQuery = z.object({
  ...versionWait,
  version: versionNumber.optional().meta({ description: "This version instead of the current one." }),
  pick: text(limits.pointerBytes).optional().meta({
    description:
      "Only the part of a JSON value that this JSON pointer leads to: /a/b. It stays as it was written.",
  }),
});

export const historyQuery = z.object({ history: z.literal("1").optional(), limit });

/** Newest first, the current one included. */
export const versions = z.array(
  z.object({
    version,
    hash: hash.meta({ description: "SHA-256 of the value, in hex; of a deletion empty." }),
    updated_at: timestamp,
    updated_by: z.string().meta({ description: "The writing instance's name; empty without an identity." }),
    deleted: z.literal(true).optional().meta({ description: "This version is a deletion: it has no value." }),
  }),
);

export const diffQuery = z.object({
  diff: versionPair.meta({ description: "Two versions: 3,5." }),
});

export const difference = z.object({
  v1: z.int(),
  v2: z.int(),
  diffs: z
    .array(
      z.object({
        operation: z.enum(["add", "remove", "replace"]),
        path: z.string().meta({ description: "A JSON pointer." }),
        old_value: z.unknown().optional(),
        new_value: z.unknown().optional(),
      }),
    )
    .meta({ description: "Objects are looked into, an array is one value." }),
  truncated: z.literal(true).optional().meta({ description: "There are more than are shown." }),
});

export const rollbackQuery = z.object({
  rollback: versionNumber.meta({ description: "The version whose value is to be the current one again." }),
});

export const rolledBack = z.int().meta({ description: "The version whose value it has." });
