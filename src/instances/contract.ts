import { z } from "zod";
import { filter, optionalText, requiredText, text, timestamp } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import { json, operation } from "../contract/operation.ts";

const name = requiredText(limits.nameBytes);
const label = optionalText(limits.nameBytes);
const intent = optionalText(limits.noteBytes).meta({ description: "What the agent works on now." });
const workspace = label.meta({ description: "The project or directory it works in." });
const stack = label.meta({ description: "Its main language or framework." });
const capabilities = z
  .array(requiredText(limits.nameBytes), {
    error: ({ input }) => (input === undefined ? "is required" : "must be an array of texts"),
  })
  .max(limits.capabilities, `has more than ${limits.capabilities} entries`)
  .meta({ description: "What it can do, for others to find it by." });

export const status = z.enum(["pending", "active", "stale"]);

export const instance = z.object({
  id: z.string(),
  name: z.string(),
  workspace: z.string(),
  intent: z.string(),
  stack: z.string(),
  capabilities: z.array(z.string()),
  status,
  registered_at: timestamp,
  last_seen: timestamp,
  last_sign: z.string().meta({
    description: "The operation by which it was last heard of: `state.put`, `instances.heartbeat`, `mcp`.",
  }),
});

const params = z.object({ id: requiredText(limits.nameBytes) });
const optional = (bytes: number) => text(bytes).optional();

const filters = z.object({
  name: filter,
  workspace: filter,
  stack: filter,
  capability: filter,
  status: status.optional(),
});

export const instanceOperations = {
  register: operation({
    method: "POST",
    path: "/api/instances/register",
    summary: "Register an agent; the answer holds its token, shown only here",
    body: json(
      z.object({
        name,
        workspace,
        intent,
        stack,
        capabilities: capabilities.nullish().transform((list) => list ?? []),
      }),
    ),
    response: instance.extend({ token: z.string() }),
    errors: ["rate_limited"],
    anonymous: true,
    audit: "instance.register {name}",
    cli: "register NAME --workspace W --intent TEXT --stack S --capabilities A,B",
    mcp: {
      name: "register_instance",
      description:
        "Join Koor, once, before you work; then get_endpoints. Returns your instance_id and token.",
      input: z.object({
        name: z.string(),
        workspace: z.string().optional(),
        intent: z.string().optional(),
        stack: z.string().optional(),
        capabilities: z.string().optional().describe("comma-separated"),
      }),
      request: ({ capabilities: list, ...rest }) => ({ body: { ...rest, capabilities: splitList(list) } }),
      answer: ({
        id,
        token,
        status: now,
        stack,
        capabilities: able,
      }: z.output<typeof instance> & { token: string }) => ({
        instance_id: id,
        token,
        status: now,
        stack,
        capabilities: able,
      }),
    },
  }),
  list: operation({
    method: "GET",
    path: "/api/instances",
    summary: "List instances; filters match whole values",
    query: filters,
    response: z.array(instance),
    cli: "instances list --name N --workspace W --stack S --capability C --status STATUS",
    mcp: {
      name: "discover_instances",
      description: "Find the other agents, and what they work on.",
      input: z.object({
        name: z.string().optional(),
        workspace: z.string().optional(),
        stack: z.string().optional(),
        capability: z.string().optional(),
      }),
      readOnly: true,
      request: (args) => ({ query: args }),
      answer: discovered,
    },
  }),
  stale: operation({
    method: "GET",
    path: "/api/instances/stale",
    summary: "List instances that have been silent for five minutes",
    response: z.array(instance),
    cli: "instances stale",
  }),
  get: operation({
    method: "GET",
    path: "/api/instances/{id}",
    summary: "Read one instance",
    params,
    response: instance,
    errors: ["not_found"],
    cli: "instances get ID",
  }),
  update: operation({
    method: "PATCH",
    path: "/api/instances/{id}",
    summary: "Change what an instance says of itself; absent fields stay",
    params,
    body: json(
      z.object({
        workspace: optional(limits.nameBytes),
        intent: optional(limits.noteBytes),
        stack: optional(limits.nameBytes),
        capabilities: capabilities.optional(),
      }),
    ),
    response: instance,
    errors: ["not_found"],
    audit: "instance.update {id}",
    cli: "instances update ID --workspace W --intent TEXT --stack S --capabilities A,B",
    mcp: {
      name: "set_intent",
      description: "Say what you work on now.",
      input: z.object({ instance_id: z.string(), intent: z.string() }),
      request: ({ instance_id, intent: now }) => ({ params: { id: instance_id }, body: { intent: now } }),
      answer: ({ id, intent: now }: z.output<typeof instance>) => ({ instance_id: id, intent: now }),
    },
  }),
  heartbeat: operation({
    method: "POST",
    path: "/api/instances/{id}/heartbeat",
    summary: "Give a sign of life; a stale instance is back",
    params,
    response: z.object({ id: z.string(), status: z.literal("ok") }),
    errors: ["not_found"],
    cli: "instances heartbeat ID",
  }),
  activate: operation({
    method: "POST",
    path: "/api/instances/{id}/activate",
    summary: "Mark an instance as at work; twice is fine",
    params,
    response: z.object({ id: z.string(), status: z.literal("active") }),
    errors: ["not_found"],
    audit: "instance.activate {id}",
    cli: "activate ID",
  }),
  capabilities: operation({
    method: "POST",
    path: "/api/instances/{id}/capabilities",
    summary: "Replace what an instance can do",
    params,
    // Left out is not none: who asks what an instance can do must not wipe it.
    body: json(z.object({ capabilities: capabilities.nullable().transform((list) => list ?? []) })),
    response: z.object({ id: z.string(), capabilities: z.array(z.string()) }),
    errors: ["not_found"],
    audit: "instance.capabilities {id}",
    cli: "instances capabilities ID --capabilities A,B",
  }),
  delete: operation({
    method: "DELETE",
    path: "/api/instances/{id}",
    summary: "Deregister an instance; its token is worth nothing from then on",
    params,
    response: z.object({ deleted: z.string() }),
    errors: ["not_found"],
    audit: "instance.deregister {id}",
    cli: "instances delete ID",
  }),
  checkLiveness: operation({
    method: "POST",
    path: "/api/liveness/check",
    summary: "Look for silent instances now, instead of within the minute",
    response: z.object({ checked: z.literal(true), newly_stale: z.array(z.string()), count: z.int() }),
    cli: "liveness check",
  }),
};

/** `"a, b"` as `["a", "b"]`: how lists come in where only a text can be given. */
export function splitList(list: string | undefined): string[] {
  return (list ?? "")
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

/** Instances in one answer to a model, the characters of their JSON together (4,000 tokens), and of one intent. */
const discoverable = { rows: 50, characters: 16_384, intent: 200 };

/**
 * What a model needs of the others: those seen last first, without times, without what is empty, long intents cut,
 * and within bounds, because it is paid for in tokens and any agent can write a lot about itself.
 */
function discovered(list: z.output<typeof instance>[]) {
  let room = discoverable.characters;
  const rows: object[] = [];
  for (const { registered_at: _, last_seen: __, last_sign: ___, ...about } of list.toSorted(lastSeenFirst)) {
    const told = Object.entries({ ...about, intent: shorten(about.intent, discoverable.intent) });
    const row = Object.fromEntries(told.filter(([, value]) => value.length > 0));
    const { length } = JSON.stringify(row);
    if (rows.length === discoverable.rows || length > room) continue;
    room -= length;
    rows.push(row);
  }
  const more = rows.length < list.length && { more: "koor-cli instances list shows all; or filter" };
  return { count: list.length, instances: rows, ...more };
}

function lastSeenFirst(a: { last_seen: string }, b: { last_seen: string }): number {
  return a.last_seen < b.last_seen ? 1 : a.last_seen > b.last_seen ? -1 : 0;
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length).toWellFormed()}…`;
}
