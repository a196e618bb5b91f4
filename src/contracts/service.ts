import { KoorError } from "../contract/errors.ts";
import type { Handlers } from "../contract/operation.ts";
import { shellWords } from "../core/shell-words.ts";
import { joinKey } from "../core/composite-key.ts";
import { type Called, type Resolve, callMs, checkedAddresses, unanswered, within } from "../outbound/call.ts";
import type { TargetPolicy } from "../outbound/target.ts";
import type { Store } from "../store/store.ts";
import { perform } from "../store/write.ts";
import { callEndpoint, readBase, refusedTarget } from "./call.ts";
import { type CallPlan, type FilledCall, agreedFor, fillCall, isCallable, isExpected } from "./call-plan.ts";
import type { Change } from "./compare.ts";
import type { Mode, contractOperations } from "./contract.ts";
import { endpointName } from "./document.ts";
import type { ContractEngine } from "./engine.ts";
import { type Direction, type Violation, directions } from "./field-check.ts";
import { forbidden, modeOf } from "./gate.ts";
import type { Json } from "./json.ts";
import { type Loaded, type Name, openContracts } from "./loaded.ts";
import { encodeJson } from "../core/json-bytes.ts";

export interface ContractOptions {
  store: Store;
  engine: ContractEngine;
  /** What tests may call. */
  targets: TargetPolicy;
  /** The addresses of a host. @throws Error when it has none */
  resolve: Resolve;
}

/** Calls of services that are under way at once: each holds a connection for up to 10 s. */
const callsMost = 32;

/** What services have agreed on, and whether they keep to it. */
export function contractService({
  store,
  engine,
  targets,
  resolve,
}: ContractOptions): Handlers<typeof contractOperations> {
  const { load, check } = openContracts(store, engine);
  let calls = 0;

  /** What an answer lacks, beside its status. */
  async function checkAnswer(
    name: Name,
    contract: Loaded,
    endpoint: string,
    plan: CallPlan,
    answer: { status: number; body: Uint8Array },
  ): Promise<Violation[]> {
    const known = agreedFor(plan, answer.status);
    // Of a good answer under the wrong number the body still counts.
    const agreed =
      known ??
      (answer.status < 400 ? plan.answers.find(({ status }) => plan.expected.includes(status)) : undefined);
    if (!agreed?.json) return [];
    const direction =
      agreed.status === "error" || (answer.status >= 400 && !isExpected(plan, answer.status))
        ? "error"
        : "response";
    const payload = parseJson(answer.body);
    if (payload === undefined) {
      const got = answer.body.length === 0 ? "an empty answer" : "an answer that is no JSON";
      return [{ path: direction, message: `expected JSON, got ${got}` }];
    }
    return check(name, contract, {
      endpoint,
      direction,
      payload,
      ...(!contract.fields && known && { status: answer.status }),
    });
  }

  async function compare(before: Uint8Array, after: Uint8Array, mode: Mode) {
    const [changes = []] = await engine.run({ kind: "compare", before: [before], after });
    return sorted(changes, mode);
  }

  return {
    async show({ params }) {
      const { version, kind, names } = await load(params);
      const { mode } = await modeOf(store, joinKey(params.project, params.name));
      return { ...params, version, kind, compatibility: mode, endpoints: names };
    },

    async validate({ params, body: { endpoint: given, direction, payload } }) {
      const contract = await load(params);
      const endpoint = contract.kind === "schema" ? "" : endpointOf(contract, given);
      if (contract.kind !== "schema" && given === "")
        throw new KoorError("bad_request", "endpoint is required", { path: "endpoint" });
      const violations =
        contract.kind !== "schema" && !contract.names.includes(endpoint)
          ? [{ path: given, message: "unknown endpoint: it is not in the contract" }]
          : isDirection(direction)
            ? await check(params, contract, { endpoint, direction, payload })
            : [{ path: "direction", message: `unknown direction: it is one of ${directions.join(", ")}` }];
      return { valid: violations.length === 0, violations };
    },

    async test({ params, body: { endpoint: given, base_url, test_data } }) {
      const base = readBase(base_url);
      const contract = await load(params);
      const endpoint = endpointOf(contract, given);
      const plan = contract.names.includes(endpoint)
        ? await engine.run({ kind: "plan", bytes: contract.bytes, endpoint })
        : null;
      if (!plan) {
        throw new KoorError("bad_request", "endpoint is not in the contract", {
          path: "endpoint",
          hint: `List its endpoints: ${showCommand(params)}`,
        });
      }
      if (!isCallable(endpoint))
        throw new KoorError("bad_request", "endpoint cannot be called: it is no method and path", {
          path: "endpoint",
          hint: "Endpoints that can be called are named as in GET /api/x.",
        });
      const filled = fillCall(endpoint, plan, (test_data as Json | undefined) ?? undefined);
      const request_violations = [...filled.violations];
      if (plan.query.length > 0)
        request_violations.push(
          ...(await check(params, contract, { endpoint, direction: "query", payload: filled.query })),
        );
      if (plan.body)
        request_violations.push(
          ...(await check(params, contract, { endpoint, direction: "request", payload: filled.body })),
        );

      const answer = await reach(base, filled);
      const response_violations: Violation[] = [];
      if (answer.status !== 0) {
        if (!isExpected(plan, answer.status)) {
          const message = `expected status ${plan.expected.join(" or ")}, got ${answer.status}`;
          response_violations.push({ path: endpoint, message });
        }
        if (answer.error === "")
          response_violations.push(...(await checkAnswer(params, contract, endpoint, plan, answer)));
      }
      return {
        valid: request_violations.length + response_violations.length === 0 && answer.error === "",
        endpoint,
        status_code: answer.status,
        request_violations,
        response_violations,
        error: answer.error,
      };
    },

    async diff({ params, query: { v1, v2 } }) {
      const key = joinKey(params.project, params.name);
      const [before, after] = await Promise.all(
        [v1, v2].map(async (number) => {
          const record = await store.version("specs", key, number);
          if (record) return record.value;
          throw new KoorError(
            "not_found",
            `spec not found: ${params.project}/${params.name} at version ${number}`,
            {
              hint: `${showCommand(params)} names the newest.`,
            },
          );
        }),
      );
      const { mode } = await modeOf(store, key);
      return { ...params, v1, v2, ...(await compare(before as Uint8Array, after as Uint8Array, mode)) };
    },

    async check({ params, body }) {
      if (body.length === 0) throw new KoorError("bad_request", "empty body", { path: "body" });
      const { version, bytes } = await load(params);
      const { mode } = await modeOf(store, joinKey(params.project, params.name));
      return { ...params, version, ...(await compare(bytes, body, mode)) };
    },

    async compatibility({ params, body: { mode }, ...terms }) {
      const key = joinKey(params.project, params.name);
      const label = `${params.project}/${params.name}`;
      const plan = async () => {
        const { bytes } = await load(params);
        // What cannot be read to its end cannot be compared either.
        if (mode !== "none") await engine.run({ kind: "inspect", bytes, until: "whole" });
        const { version } = await modeOf(store, key);
        return {
          ops: [
            { kind: "guard" as const, collection: "specs" as const, key, guard: { exists: true } },
            {
              kind: "put" as const,
              collection: "contracts" as const,
              key,
              value: encodeJson({ mode }),
              contentType: "application/json",
              guard: { version },
              audit: { action: "contract.compatibility", resource: label, detail: { mode } },
            },
          ],
          note: { ...params, compatibility: mode },
          optimistic: true,
        };
      };
      return perform(store, terms, plan, (_, note) => note);
    },
  };

  /** Calls the service, if it may be called and there is a whole request. */
  async function reach(base: URL, request: FilledCall): Promise<Called> {
    if (calls >= callsMost)
      throw new KoorError("rate_limited", "too many services are being called", { retryAfter: 1 });
    calls += 1;
    try {
      const deadline = within(callMs);
      const addresses = await checkedAddresses(base, targets, resolve, deadline);
      if (addresses === "refused") throw refusedTarget();
      if (addresses === "unknown") return unanswered(`cannot find the address of ${base.hostname}`);
      if (request.violations.length > 0) return unanswered("the path lacks a parameter: nothing was called");
      return await callEndpoint(base, addresses, request, deadline);
    } finally {
      calls -= 1;
    }
  }
}

/** As it is written in the contract, or else as people write it. */
function endpointOf(contract: Loaded, given: string): string {
  return contract.names.includes(given) ? given : endpointName(given);
}

function isDirection(text: string): text is Direction {
  return directions.includes(text as Direction);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch {
    return undefined;
  }
}

/** @param promised without a promise the question is who uses it already */
function sorted(changes: readonly Change[], promised: Mode) {
  const mode: Mode = promised === "none" ? "backward" : promised;
  const directions = forbidden(mode);
  const isBreaking = ({ breaks }: Change) => breaks.some((one) => directions.includes(one));
  const breaking = changes.filter(isBreaking);
  return {
    mode,
    compatible: breaking.length === 0,
    breaking,
    safe: changes.filter((one) => !isBreaking(one)),
  };
}

function showCommand({ project, name }: { project: string; name: string }): string {
  return `koor-cli contract show ${shellWords([`${project}/${name}`], "PROJECT/NAME")}`;
}
