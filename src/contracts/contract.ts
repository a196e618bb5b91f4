import { z } from "zod";
import { key, requiredText, text, version, wholeNumber } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import { json, operation } from "../contract/operation.ts";

export const mode = z.enum(
  ["none", "backward", "forward", "full", "backward_transitive", "forward_transitive", "full_transitive"],
  "must be none, backward, forward or full, the last three also with _transitive",
);
export type Mode = z.output<typeof mode>;

const endpoint = text(limits.topicBytes).meta({
  description:
    "Method and path as the contract has them: `POST /api/x`. Left out for a JSON Schema, which has none.",
});

export const violation = z.object({
  path: z.string().meta({ description: "`request.items[2].price`" }),
  message: z.string(),
});

const change = z.object({
  rule: z.string().meta({ description: "A stable word, such as `field-removed`." }),
  path: z.string().meta({
    description: "JSON pointer: in the new document, or in the old one for what is not in the new one.",
  }),
  message: z.string(),
  breaks: z.array(z.enum(["backward", "forward"])),
});

const changes = {
  mode: mode.meta({
    description: "By which breaking and safe are told apart; `backward` where the spec's is none.",
  }),
  compatible: z.boolean(),
  breaking: z.array(change),
  safe: z.array(change),
};

const params = z.object({ project: key, name: key });

/** Of a text that is no JSON the text itself is what is checked: models leave out quotes. */
function parsed(text = ""): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Of a version in a query; beyond what any store counts to is none. */
const versionNumber = wholeNumber(1);

export const contractOperations = {
  show: operation({
    method: "GET",
    path: "/api/contracts/{project}/{name}",
    summary: "Say what a contract is: its kind, its endpoints, the compatibility that is promised of it",
    params,
    response: z.object({
      project: z.string(),
      name: z.string(),
      version,
      kind: z.enum(["contract", "openapi", "schema"]),
      compatibility: mode,
      endpoints: z.array(z.string()),
    }),
    errors: ["not_found", "over_budget"],
    cli: "contract show PROJECT/NAME",
  }),
  validate: operation({
    method: "POST",
    path: "/api/contracts/{project}/{name}/validate",
    summary: "Check a payload against what was agreed for an endpoint",
    params,
    body: json(
      z.object({
        endpoint: endpoint.default(""),
        direction: text(limits.nameBytes)
          .nullish()
          .transform((value) => value || "request")
          .meta({ description: "request (unless said), response, query or error." }),
        payload: z.unknown(),
      }),
    ),
    response: z.object({ valid: z.boolean(), violations: z.array(violation) }),
    errors: ["not_found", "over_budget", "rate_limited"],
    violations: ({ violations }: { violations: readonly object[] }) => violations.length,
    mcp: {
      name: "validate_contract",
      description: "Check a payload against the contract agreed for an endpoint.",
      full: true,
      readOnly: true,
      input: z.object({
        project: z.string(),
        name: z.string(),
        endpoint: z.string().optional(),
        direction: z.string().optional(),
        payload: z.string().describe("JSON"),
      }),
      request: ({ project, name, endpoint, direction, payload }) => ({
        params: { project, name },
        body: { endpoint, direction, payload: parsed(payload) },
      }),
      answer: (body) => body,
    },
  }),
  test: operation({
    method: "POST",
    path: "/api/contracts/{project}/{name}/test",
    summary: "Call an endpoint of a running service and check its answer",
    params,
    body: json(
      z.object({
        endpoint: requiredText(limits.topicBytes),
        base_url: requiredText(limits.topicBytes).meta({
          description: "`http://localhost:3000`; only targets that the server's --contract-targets allows.",
        }),
        test_data: z.unknown().optional().meta({
          description: "What goes into path, query and body, by name; without it made up from the contract.",
        }),
      }),
    ),
    response: z.object({
      valid: z.boolean(),
      endpoint: z.string(),
      status_code: z.int().meta({ description: "0: there was no answer." }),
      request_violations: z.array(violation),
      response_violations: z.array(violation),
      error: z.string().meta({ description: "Why there was no whole answer; empty when there was one." }),
    }),
    errors: ["not_found", "over_budget", "rate_limited"],
  }),
  diff: operation({
    method: "GET",
    path: "/api/contracts/{project}/{name}/diff",
    summary: "Tell breaking from safe changes between two versions of a contract",
    params,
    query: z.object({ v1: versionNumber, v2: versionNumber }),
    response: z.object({ project: z.string(), name: z.string(), v1: z.int(), v2: z.int(), ...changes }),
    errors: ["not_found", "over_budget", "rate_limited"],
  }),
  check: operation({
    method: "POST",
    path: "/api/contracts/{project}/{name}/check",
    summary: "Tell breaking from safe changes between the contract and one that may become its next version",
    params,
    body: { kind: "bytes", maxBytes: limits.valueBytes },
    response: z.object({ project: z.string(), name: z.string(), version, ...changes }),
    errors: ["not_found", "over_budget", "rate_limited", "too_large"],
  }),
  compatibility: operation({
    method: "PUT",
    path: "/api/contracts/{project}/{name}/compatibility",
    summary: "Promise which changes of a contract are refused from now on",
    params,
    body: json(z.object({ mode })),
    response: z.object({ project: z.string(), name: z.string(), compatibility: mode }),
    errors: ["not_found", "over_budget"],
    audit: "contract.compatibility {project}/{name}",
    cli: "contract compatibility PROJECT/NAME MODE",
  }),
};
