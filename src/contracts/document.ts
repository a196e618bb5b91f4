import { KoorError } from "../contract/errors.ts";
import { type FieldsEndpoint, readEndpoints } from "./fields.ts";
import { type Json, type JsonObject, isObject, member, pointerTo, tooDeepAt } from "./json.ts";
import { type OperationNode, endpointOf, operationsOf } from "./openapi.ts";
import { type Library, dialectOf, openLibrary, schemaAt } from "./schema.ts";
import { type Endpoint, type Surface, surfaceOfFields } from "./surface.ts";

/** Which of the three kinds of contract a spec is, if any, and what it promises. */

export const contractKinds = ["contract", "openapi", "schema"] as const;
export type ContractKind = (typeof contractKinds)[number];

export type Contract =
  | { kind: "contract"; library: Library; endpoints: Map<string, FieldsEndpoint> }
  /** Its operations are looked for when they are asked for: what is wrong with them stops nobody from storing it. */
  | { kind: "openapi"; library: Library; operations: Map<string, OperationNode> | undefined }
  /** One schema for every payload, without endpoints. */
  | { kind: "schema"; library: Library };

/** How deep a contract may be nested: everything that walks it recurses. Koor's own OpenAPI document has 18 levels. */
export const contractDepth = 128;

/** The size of a contract in Koor's own words, in bytes: it is read and checked where requests are answered. */
export const fieldsBytes = 1024 * 1024;

/** Whether bytes may be a contract at all: what has none of these words is not looked into. */
export function mayBeContract(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return ['"contract"', '"openapi"', '"$schema"'].some((word) => text.includes(word));
}

/**
 * Reads a spec.
 *
 * @returns nothing for a spec that is no contract
 * @throws KoorError `bad_request` for a contract that is too deep, or malformed in Koor's own words; `path` names the field
 */
export function readContract(bytes: Uint8Array): Contract | undefined {
  const document = parse(bytes);
  if (!isObject(document)) return undefined;
  const kind = kindOf(document);
  if (kind === undefined) return undefined;
  const deep = tooDeepAt(document, contractDepth);
  if (deep !== undefined)
    throw new KoorError("bad_request", `${deep} is nested more than ${contractDepth} levels deep`, {
      path: deep,
    });
  switch (kind) {
    case "contract":
      if (bytes.length > fieldsBytes)
        throw new KoorError("bad_request", `the contract is over ${fieldsBytes} bytes`, { path: "body" });
      return { kind, library: openLibrary(document, "2020-12"), endpoints: readEndpoints(document) };
    case "openapi": {
      const old = (document.openapi as string).startsWith("3.0");
      return {
        kind,
        library: openLibrary(document, old ? "openapi-3.0" : "2020-12"),
        operations: undefined,
      };
    }
    case "schema":
      return { kind, library: openLibrary(document, dialectOf(member(document, "$schema")) ?? "2020-12") };
  }
}

function parse(bytes: Uint8Array): Json | undefined {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Json;
  } catch {
    return undefined;
  }
}

function kindOf(document: JsonObject): ContractKind | undefined {
  if (document.kind === "contract") return "contract";
  if (typeof document.openapi === "string" && /^3\.\d/.test(document.openapi)) return "openapi";
  // Other values of `$schema` say which schema a document keeps to, and stand in settings files of all kinds.
  return dialectOf(document.$schema) ? "schema" : undefined;
}

/** The endpoint under which a JSON Schema's one promise is kept. */
export const wholeDocument = "";

/**
 * What one endpoint promises; nothing where there is none of that name.
 *
 * @throws KoorError `bad_request` for a document that is malformed there; `path` is a JSON pointer
 */
export function endpointNamed(contract: Contract, name: string): Endpoint | undefined {
  const { kind, library } = contract;
  if (kind === "schema") {
    const part = { schema: schemaAt(library, library.document, ""), pointer: "" };
    const request = new Map([["application/json", part]]);
    return { pointer: "", parameters: new Map(), request, requestRequired: true, responses: new Map() };
  }
  if (kind === "contract") {
    const endpoint = contract.endpoints.get(name);
    return endpoint && surfaceOfFields(endpoint, pointerTo("/endpoints", name), library.origins);
  }
  const operation = operations(contract).get(name);
  return operation && endpointOf(library, operation);
}

function operations(contract: Contract & { kind: "openapi" }): Map<string, OperationNode> {
  return (contract.operations ??= operationsOf(contract.library.document as JsonObject));
}

/** Everything that a contract promises, but for some of its endpoints. @throws KoorError as `endpointNamed` */
export function surfaceOf(contract: Contract, except: ReadonlySet<string> = new Set()): Surface {
  const names = endpointNames(contract).filter((name) => !except.has(name));
  return new Map(names.map((name) => [name, endpointNamed(contract, name) as Endpoint] as const));
}

/**
 * The endpoints of two OpenAPI documents that stand in both with the same words, where all that they may refer to does,
 * too. Most of a large document, most times: 6 MB of it take 0.4 s instead of 2.5.
 */
export function unchangedEndpoints(before: Contract, after: Contract): Set<string> {
  if (before.kind !== "openapi" || after.kind !== "openapi" || besidePaths(before) !== besidePaths(after))
    return new Set();
  const fresh = operations(after);
  const same = [...operations(before)].filter(([name, operation]) => {
    const other = fresh.get(name);
    const text = JSON.stringify([operation.value, operation.item.value.parameters]);
    return (
      other !== undefined &&
      !text.includes('"$ref":"#/paths') &&
      text === JSON.stringify([other.value, other.item.value.parameters])
    );
  });
  return new Set(same.map(([name]) => name));
}

function besidePaths({ library }: Contract): string {
  const { paths: _, info: __, ...rest } = library.document as JsonObject;
  return JSON.stringify(rest);
}

export function endpointNames(contract: Contract): string[] {
  if (contract.kind === "schema") return [wholeDocument];
  return [...(contract.kind === "openapi" ? operations(contract) : contract.endpoints).keys()];
}

/** As people write them: `post /x` is `POST /x`. */
export function endpointName(text: string): string {
  const [, method = "", path = ""] = /^\s*([A-Za-z]+)\s+(\S.*?)\s*$/.exec(text) ?? [];
  return method === "" ? text : `${method.toUpperCase()} ${path}`;
}
