import { compareSchemas } from "./compare-schema.ts";
import { type Comparison, type Finding, type Side, openComparison, wasIs } from "./comparison.ts";
import { type Contract, surfaceOf, unchangedEndpoints } from "./document.ts";
import { type Answer, type Endpoint, type Part, type Surface, answerFor } from "./surface.ts";

/** What changed from one version of a contract to another, and for whom that breaks. */

export type Breaks = "backward" | "forward";

export interface Change {
  rule: string;
  /** JSON pointer: in the new document, or in the old one for what is not in the new one. */
  path: string;
  message: string;
  /** `backward`: for who keeps to the old contract; `forward`: for who keeps to the new one against an old service. */
  breaks: Breaks[];
}

/** The most changes that are told of one comparison. */
export const changesMost = 1000;

/** @throws KoorError `bad_request` when one of them is malformed */
export function compareContracts(before: Contract, after: Contract): Change[] {
  if (before.kind !== after.kind) {
    const message = `was ${nameOf(before)}, is ${nameOf(after)}`;
    return [{ rule: "kind", path: "", message, breaks: ["backward", "forward"] }];
  }
  const changes = new Map<string, Change>();
  const add = (findings: readonly Finding[], direction: Breaks) => {
    for (const { rule, pointer, message, safe } of findings) {
      const key = `${rule} ${pointer}`;
      const known = changes.get(key);
      const breaks = [...new Set([...(known?.breaks ?? []), ...(safe ? [] : [direction])])];
      // Of two sentences that of the one that breaks.
      const told = known && (known.breaks.length > 0 || safe) ? known.message : message;
      if (known || changes.size < changesMost)
        changes.set(key, { rule, path: pointer, message: told, breaks });
    }
  };
  const unchanged = unchangedEndpoints(before, after);
  const [old, fresh] = [party(before, unchanged), party(after, unchanged)];
  add(compareParties(old, fresh, true), "backward");
  add(compareParties(fresh, old, false), "forward");
  return [...changes.values()];
}

const nameOf = ({ kind }: Contract) =>
  ({ contract: "a contract of fields", openapi: "an OpenAPI document", schema: "a JSON Schema" })[kind];

interface Party {
  surface: Surface;
  schemas: Side;
}

function party(contract: Contract, except: ReadonlySet<string>): Party {
  const surface = surfaceOf(contract, except);
  return { surface, schemas: { defs: contract.library.defs, origins: contract.library.origins } };
}

/** How one side, which calls, gets on with the other, which serves. */
function compareParties(client: Party, server: Party, clientIsOld: boolean): Finding[] {
  const asks = openComparison(client.schemas, server.schemas, { writerIsOld: clientIsOld, isAnswer: false });
  const answers = openComparison(server.schemas, client.schemas, {
    writerIsOld: !clientIsOld,
    isAnswer: true,
  });
  const gone = clientIsOld ? "removed" : "added";
  const come = clientIsOld ? "added" : "removed";
  const findings: Finding[] = [];
  for (const [name, called] of client.surface) {
    const served = server.surface.get(name);
    if (served)
      findings.push(...requests(asks, called, served, gone), ...responses(answers, called, served, gone));
    else findings.push({ rule: `endpoint-${gone}`, pointer: called.pointer, message: `${name} was ${gone}` });
  }
  for (const [name, { pointer }] of server.surface) {
    if (!client.surface.has(name))
      findings.push({ rule: `endpoint-${come}`, pointer, message: `${name} was ${come}`, safe: true });
  }
  return findings;
}

/** What is only on the calling side was removed, or added, as the one or the other is the older. */
type Gone = "removed" | "added";

const unread = { removed: "clients still send it", added: "services do not know it yet" };

function requests(comparison: Comparison, called: Endpoint, served: Endpoint, gone: Gone): Finding[] {
  const findings: Finding[] = [];
  for (const [key, sent] of called.parameters) {
    const read = served.parameters.get(key);
    if (!read) {
      findings.push({
        rule: `parameter-${gone}`,
        pointer: sent.pointer,
        message: `${key} was ${gone}, and ${unread[gone]}`,
      });
      continue;
    }
    const pointer = comparison.writerIsOld ? read.pointer : sent.pointer;
    if (read.required && !sent.required)
      findings.push({
        rule: "required",
        pointer,
        message: `${key}: ${wasIs(comparison, "optional", "required")}`,
      });
    findings.push(...compareSchemas(comparison, [sent.schema], read.schema, pointer));
  }
  const come = gone === "removed" ? "added" : "removed";
  for (const [key, { required, pointer }] of served.parameters) {
    if (called.parameters.has(key)) continue;
    const message = `${key} was ${come}${required ? ", and is required" : ""}`;
    findings.push({ rule: `parameter-${come}`, pointer, message, ...(!required && { safe: true as const }) });
  }
  if (served.requestRequired && !called.requestRequired) {
    const pointer =
      [...(comparison.writerIsOld ? served : called).request.values()][0]?.pointer ?? called.pointer;
    const rule = called.request.size > 0 ? "required" : `request-${come}`;
    // Of fields each says so itself where there is a body on both sides.
    if (called.request.size === 0 || !isOfFields(called))
      findings.push({ rule, pointer, message: `the body ${wasIs(comparison, "optional", "required")}` });
  }
  return [...findings, ...bodies(comparison, called.request, served.request, "request", gone)];
}

/** Of Koor's own contracts: there a body is required when one of its fields is. */
const isOfFields = ({ pointer }: Endpoint) => pointer.startsWith("/endpoints/");

/** Bodies that one side writes and the other reads, by media type. */
function bodies(
  comparison: Comparison,
  written: ReadonlyMap<string, Part>,
  read: ReadonlyMap<string, Part>,
  what: "request" | "response",
  gone: Gone,
): Finding[] {
  const findings: Finding[] = [];
  for (const [type, { schema, pointer }] of written) {
    const reader = read.get(type) ?? read.get("*/*");
    if (reader) findings.push(...compareSchemas(comparison, [schema], reader.schema, pointer));
    else if (what === "request")
      findings.push({
        rule: `${what}-${gone}`,
        pointer,
        message: `a body of ${type} was ${gone}, and ${unread[gone]}`,
      });
    else
      findings.push({
        rule: `${what}-${gone}`,
        pointer,
        message: `a body of ${type} was ${gone}`,
        safe: true,
      });
  }
  return findings;
}

function responses(comparison: Comparison, called: Endpoint, served: Endpoint, gone: Gone): Finding[] {
  const findings: Finding[] = [];
  const come = gone === "removed" ? "added" : "removed";
  for (const [status, sent] of served.responses) {
    const read = known(called, status);
    if (!read) {
      const safe = /^[45]|default|error/.test(status) && { safe: true as const };
      findings.push({
        rule: `status-${come}`,
        pointer: sent.pointer,
        message: `status ${status} was ${come}`,
        ...safe,
      });
      continue;
    }
    findings.push(...bodies(comparison, sent.content, read.content, "response", come));
    for (const [type, { pointer }] of read.content) {
      if (sent.content.has(type) || sent.content.has("*/*")) continue;
      findings.push({
        rule: `response-${gone}`,
        pointer,
        message: `a body of ${type} was ${gone}, and is expected`,
      });
    }
  }
  for (const [status, { pointer }] of called.responses) {
    if (!known(served, status))
      findings.push({ rule: `status-${gone}`, pointer, message: `status ${status} was ${gone}`, safe: true });
  }
  return findings;
}

function known(endpoint: Endpoint, status: string): Answer | undefined {
  if (/^\d{3}$/.test(status)) return answerFor(endpoint, Number(status));
  return (
    endpoint.responses.get(status) ?? (status === "error" ? undefined : endpoint.responses.get("default"))
  );
}
