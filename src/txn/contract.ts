import { z } from "zod";
import { fitsPath, hash, key, requiredText, topic, version } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import { json, operation } from "../contract/operation.ts";

function projectOf(spec: string): string {
  return spec.split("/", 1)[0]!;
}

/** A state key, or a spec as `project/name`; its name may hold slashes, its project not. */
const target = {
  key: key.optional(),
  spec: requiredText(2 * limits.keyBytes + 1)
    .regex(/^[^/]+\/./s, "must be PROJECT/NAME")
    .refine((spec) => projectOf(spec).length <= limits.keyBytes, "has too long a project")
    .refine(
      (spec) => fitsPath(projectOf(spec)) && fitsPath(spec.slice(projectOf(spec).length + 1)),
      'must not have "." or ".." as its project or name, or hold U+FFFD: no URL could name it',
    )
    .optional()
    .meta({ description: "PROJECT/NAME, instead of a key." }),
};

const oneTarget = "must have one of key and spec";
function hasOneTarget(place: { key?: unknown; spec?: unknown }): boolean {
  return (place.key === undefined) !== (place.spec === undefined);
}

const condition = z
  .strictObject({
    ...target,
    version: z
      .int()
      .min(0, "must be 0 or more")
      .optional()
      .meta({ description: "It has this version; 0: it does not exist." }),
    absent: z.literal(true).optional().meta({ description: "It does not exist." }),
  })
  .refine(hasOneTarget, oneTarget)
  .refine(
    ({ version, absent }) => (version === undefined) !== (absent === undefined),
    "must have one of version and absent",
  );

const put = z
  .strictObject({
    ...target,
    value: z.unknown().optional().meta({
      description:
        "JSON, kept as it is written. A text whose content_type is not JSON is kept as the text that it means.",
    }),
    base64: z
      .string()
      .regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, "must be base64")
      .optional()
      .meta({ description: "Any bytes, instead of a value." }),
    content_type: z
      .string()
      .max(255, "is longer than 255 bytes")
      .regex(/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+[\x20-\x7e]*$/, "must be a content type, such as text/plain")
      .optional()
      .meta({
        description:
          "Of a value application/json unless said, of base64 application/octet-stream. Specs are always application/json.",
      }),
  })
  .refine(hasOneTarget, oneTarget)
  .refine((put) => "value" in put !== (put.base64 !== undefined), "must have one of value and base64");

const step = z
  .strictObject({
    put: put.optional(),
    delete: z.strictObject(target).refine(hasOneTarget, oneTarget).optional(),
    publish: z
      .strictObject({
        topic,
        data: z.unknown().optional().meta({ description: "Any JSON; it is kept as it is written." }),
      })
      .optional(),
  })
  .refine(
    (step) => [step.put, step.delete, step.publish].filter((one) => one !== undefined).length === 1,
    "must have one of put, delete and publish",
  );

const result = z.union([
  z.object({ key: z.string(), version, hash }),
  z.object({ spec: z.string(), version, hash }),
  z.object({ deleted: z.string() }),
  z.object({ id: z.int(), topic: z.string() }),
]);

const tooMany = `has more than ${limits.transactionOps} entries`;

/** Strict: a condition that is misspelt would be none. */
export const transaction = z.strictObject({
  if: z
    .array(condition)
    .max(limits.transactionOps, tooMany)
    .default([])
    .meta({ description: "Conditions on what is there before, of which all must hold." }),
  do: z
    .array(step)
    .min(1, "must have at least one entry")
    .max(limits.transactionOps, tooMany)
    .meta({
      description: "What to do, in order.",
      examples: [[{ put: { key: "plan", value: { done: true } } }, { publish: { topic: "plan.done" } }]],
    }),
});

export const txnOperations = {
  commit: operation({
    method: "POST",
    path: "/api/txn",
    summary: "Write, delete and publish together, under conditions, all or nothing",
    body: json(transaction, { raw: ["do.*.put.value", "do.*.publish.data"] }),
    response: z.object({
      revision: z.int().meta({ description: "The store's revision that it became." }),
      results: z.array(result).meta({ description: "One for each entry of `do`, in order." }),
    }),
    errors: ["not_found", "version_mismatch", "precondition_required", "too_large", "out_of_space"],
    audit: "txn.commit",
    cli: "txn @body",
  }),
};
