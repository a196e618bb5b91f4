import type { ValidateFunction } from "ajv/dist/2020.js";
import { KoorError } from "../contract/errors.ts";
import { serve } from "../workers/serve.ts";
import { planCall } from "./call-plan.ts";
import { type Change, compareContracts } from "./compare.ts";
import { type Contract, endpointNamed, endpointNames, readContract, surfaceOf } from "./document.ts";
import type { Answer, Job, Results } from "./engine-job.ts";
import type { Violation } from "./field-check.ts";
import { checkSchema, compileSchema } from "./schema-check.ts";
import { faultsOf } from "./soundness.ts";
import { schemaFor } from "./surface.ts";

/**
 * The worker in which contracts are read, compared and, where they are JSON Schema, checked. It may be killed at any moment;
 * what it compiled is worked out anew then.
 */

/** Compiled schemas that are kept, the oldest goes first: a schema of 2 KB is some 20 KB of code. */
const compiledMost = 256;

const compiled = new Map<string, ValidateFunction | null>();

function check({
  key,
  bytes,
  endpoint,
  direction,
  status,
  payload,
}: Job & { kind: "check" }): Results["check"] {
  const name = JSON.stringify([key, endpoint, direction, status]);
  let validate = compiled.get(name);
  if (validate === undefined) {
    if (!bytes) return "missing";
    validate = compile(bytes, endpoint, direction, status);
    if (compiled.size >= compiledMost) compiled.delete(compiled.keys().next().value as string);
    compiled.set(name, validate);
  }
  const none: Violation[] = [{ path: direction, message: `no ${direction} definition in the contract` }];
  return validate === null ? none : checkSchema(validate, payload, direction);
}

function compile(
  bytes: Uint8Array,
  endpoint: string,
  direction: (Job & { kind: "check" })["direction"],
  status: number | undefined,
): ValidateFunction | null {
  const contract = mustRead(bytes);
  const promised = endpointNamed(contract, endpoint);
  // A JSON Schema is of one thing, whichever way it goes.
  const schema = promised && schemaFor(promised, contract.kind === "schema" ? "request" : direction, status);
  return schema === undefined ? null : compileSchema(schema, contract.library.defs);
}

function mustRead(bytes: Uint8Array): Contract {
  const contract = readContract(bytes);
  if (!contract) throw new KoorError("bad_request", "the spec is no contract", { path: "kind" });
  return contract;
}

function compare({ before, after }: Job & { kind: "compare" }): Change[][] {
  const fresh = mustRead(after);
  return before.map((bytes) => {
    const old = readOld(bytes);
    return old ? compareContracts(old, fresh) : [];
  });
}

/** What is malformed by today's measure cannot be compared with anything. */
function readOld(bytes: Uint8Array): Contract | undefined {
  try {
    const contract = readContract(bytes);
    if (contract) surfaceOf(contract);
    return contract;
  } catch (error) {
    if (error instanceof KoorError) return undefined;
    throw error;
  }
}

function work(job: Job): Results[Job["kind"]] {
  switch (job.kind) {
    case "inspect": {
      const contract = readContract(job.bytes);
      if (!contract) return null;
      const endpoints = job.until === "kind" ? [] : endpointNames(contract);
      if (job.until === "whole") surfaceOf(contract);
      return { kind: contract.kind, endpoints: contract.kind === "schema" ? [] : endpoints };
    }
    case "check":
      return check(job);
    case "plan":
      return planCall(mustRead(job.bytes), job.endpoint) ?? null;
    case "judge":
      return faultsOf(job.bytes);
    case "compare":
      return compare(job);
  }
}

serve((job: Job): Answer => {
  try {
    return { ok: true, result: work(job) };
  } catch (error) {
    if (error instanceof KoorError)
      return { ok: false, reason: error.reason, message: error.message, details: error.details };
    // A recursion that has no end, or a bound that JavaScript itself has.
    if (error instanceof RangeError)
      return {
        ok: false,
        reason: "bad_request",
        message: "the contract is too deep or too large",
        details: { path: "body" },
      };
    throw error;
  }
});
