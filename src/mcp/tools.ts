import { z } from "zod";
import { type Services, api } from "../contract/api.ts";
import { check } from "../contract/check.ts";
import { KoorError } from "../contract/errors.ts";
import type { Refused } from "../audit/refusals.ts";
import type { Input, McpTool, Operation } from "../contract/operation.ts";
import { getEndpoints } from "./get-endpoints.ts";
import { keepRegistered } from "./keep-registered.ts";
import type { Endpoints, Tool, ToolDefinition } from "./tool.ts";

/** From operations marked `mcp` in the contract to tools: the same for all of them. */

export type ToolSet = "discovery" | "full";

type Handler = (input: Input<Operation>) => Promise<unknown>;

const nothing = z.object({});

/** What is to be known of calls beside their answers. */
export interface Notes {
  /** Where it is noted what was refused. */
  refusal?(refused: Refused, error: KoorError): Promise<void>;
  /** A call without a token, for the instance that it names. */
  named?(instanceId: string): void;
  /** What was found in what an instance had checked. */
  violations?(instanceId: string, found: number): void;
  /** A call of an instance was refused. */
  refused?(instanceId: string, error: KoorError): void;
}

/** All tools of a set, in the order of the contract. */
export function makeTools(
  services: Services,
  toolSet: ToolSet,
  endpoints: Endpoints,
  notes: Notes = {},
): Tool[] {
  const tools: Tool[] = [];
  for (const [noun, operations] of Object.entries(api)) {
    const handlers = services[noun as keyof Services] as unknown as Record<string, Handler>;
    for (const [verb, operation] of Object.entries(operations as Record<string, Operation>)) {
      if (!operation.mcp || (operation.mcp.full && toolSet !== "full")) continue;
      const tool = makeTool(operation, operation.mcp, handlers[verb] as Handler, notes);
      tools.push(operation === api.instances.register ? keepRegistered(tool, services.instances) : tool);
    }
  }
  return [...tools, getEndpoints(endpoints)];
}

function makeTool(operation: Operation, mcp: McpTool, handler: Handler, notes: Notes): Tool {
  const call: Tool["call"] = async (given, caller) => {
    if (caller.unknown && !operation.anonymous) throw caller.unknown;
    // Unknown arguments are dropped, as REST drops unknown members: some clients send one to every tool.
    const args = check(mcp.input, given, "arguments") as Record<string, string | undefined>;
    const request = mcp.request(args);
    try {
      const answer = await handler({
        params: check(operation.params ?? nothing, request.params ?? {}, "params"),
        query: check(operation.query ?? nothing, request.query ?? {}, "query"),
        body:
          operation.body?.kind === "json" ? check(operation.body.schema, request.body, "body") : undefined,
        contentType: "",
        condition: {},
        caller,
      });
      const { id } = (request.params ?? {}) as { id?: string };
      if (id !== undefined && caller.instanceId === undefined) notes.named?.(id);
      const found = operation.violations?.(answer as never) ?? 0;
      if (caller.instanceId !== undefined) notes.violations?.(caller.instanceId, found);
      return mcp.answer(answer as never);
    } catch (error) {
      if (!(error instanceof KoorError)) throw error;
      const { params, body } = request;
      if (operation.audit) await notes.refusal?.({ audit: operation.audit, caller, params, body }, error);
      throw inArguments(error, mcp);
    }
  };

  return {
    definition: define(mcp),
    call: async (given, caller) => {
      try {
        return await call(given, caller);
      } catch (error) {
        const refusal = error instanceof KoorError ? error : new KoorError("internal", "");
        if (caller.instanceId !== undefined) notes.refused?.(caller.instanceId, refusal);
        throw error;
      }
    },
  };
}

/**
 * Without what no client needs: `$schema` alone is 18 tokens a tool, and there is no `outputSchema`, since clients
 * show the model either the text or the structured content, and some both.
 */
function define(mcp: McpTool): ToolDefinition {
  const { $schema: _, additionalProperties: __, ...schema } = z.toJSONSchema(mcp.input, { io: "input" });
  return {
    name: mcp.name,
    description: mcp.description,
    inputSchema: schema as ToolDefinition["inputSchema"],
    ...(mcp.readOnly && { annotations: { readOnlyHint: true as const } }),
  };
}

/**
 * The arguments as texts: without those that are `null`, as clients in languages without `undefined` send what the model
 * left out; a list where a text with commas is asked for, as REST takes it and models write it, as that text.
 */
export function asTexts(args: Record<string, unknown>): Record<string, unknown> {
  const given = Object.entries(args).filter(([, value]) => value !== null);
  return Object.fromEntries(given.map(([name, value]) => [name, isTexts(value) ? value.join(",") : value]));
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}

/** A refusal in the tool's words: what is `id` in the route is `instance_id` among the arguments. */
function inArguments(error: KoorError, mcp: McpTool): KoorError {
  const { path } = error.details;
  if (path === undefined || !error.message.startsWith(`${path} `)) return error;
  const argument = Object.keys(mcp.input.shape).find((name) => name.endsWith(`_${path}`));
  if (argument === undefined) return error;
  return new KoorError(error.reason, argument + error.message.slice(path.length), {
    ...error.details,
    path: argument,
  });
}
