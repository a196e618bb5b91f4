import { KoorError } from "../contract/errors.ts";
import { type Json, type JsonObject, atPointer, isObject, pointerTo } from "./json.ts";
import { type Library, schemaAt } from "./schema.ts";
import type { Answer, Endpoint, Parameter, Part } from "./surface.ts";

/** OpenAPI 3.0, 3.1 and 3.2 documents: their operations as endpoints. */

const methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];
const places = ["path", "query", "header", "cookie"];

interface Node {
  value: JsonObject;
  pointer: string;
}

/** Where an operation is declared, beside the item of its path. */
export interface OperationNode extends Node {
  item: Node;
}

/**
 * The operations by their names, `GET /x/{id}`, in the order of the document.
 *
 * @throws KoorError `bad_request` whose `path` is a JSON pointer
 */
export function operationsOf(document: JsonObject): Map<string, OperationNode> {
  const { paths = {} } = document;
  if (!isObject(paths)) throw fault("/paths", "must be an object");
  const found = new Map<string, OperationNode>();
  for (const [path, given] of Object.entries(paths)) {
    if (!path.startsWith("/")) continue;
    const item = follow(document, given, pointerTo("/paths", path));
    for (const method of methods) {
      const operation = item.value[method];
      if (operation === undefined) continue;
      const pointer = pointerTo(item.pointer, method);
      found.set(`${method.toUpperCase()} ${path}`, { ...follow(document, operation, pointer), item });
    }
  }
  return found;
}

/** What an operation promises. */
export function endpointOf(library: Library, { value, pointer, item }: OperationNode): Endpoint {
  const document = library.document as JsonObject;
  const parameters = new Map<string, Parameter>();
  // An operation's own parameters stand in for those of its path.
  for (const node of [item, { value, pointer }]) {
    for (const parameter of parametersOf(library, node))
      parameters.set(`${parameter.place} ${parameter.name}`, parameter);
  }
  const body =
    value.requestBody === undefined
      ? undefined
      : follow(document, value.requestBody, pointerTo(pointer, "requestBody"));
  const responses = new Map<string, Answer>();
  const { responses: given = {} } = value;
  const at = pointerTo(pointer, "responses");
  if (!isObject(given)) throw fault(at, "must be an object");
  for (const [status, response] of Object.entries(given)) {
    if (!/^([1-5](\d\d|XX)|default)$/i.test(status)) continue;
    const { value: answer, pointer: where } = follow(document, response, pointerTo(at, status));
    const key = status === "default" ? status : status.toUpperCase();
    responses.set(key, { pointer: pointerTo(at, status), content: contentOf(library, answer, where) });
  }
  return {
    pointer,
    parameters,
    request: body ? contentOf(library, body.value, body.pointer) : new Map<string, Part>(),
    requestRequired: body?.value.required === true,
    responses,
  };
}

function parametersOf(library: Library, { value, pointer }: Node): Parameter[] {
  const { parameters = [] } = value;
  const at = pointerTo(pointer, "parameters");
  if (!Array.isArray(parameters)) throw fault(at, "must be an array");
  return parameters.map((given, index) => {
    const node = follow(library.document as JsonObject, given, pointerTo(at, index));
    const { in: place, name, required, schema } = node.value;
    if (typeof name !== "string") throw fault(pointerTo(node.pointer, "name"), "must be a text");
    if (!places.includes(place as string))
      throw fault(pointerTo(node.pointer, "in"), `must be one of ${places.join(", ")}`);
    const inContent = [...contentOf(library, node.value, node.pointer).values()][0];
    return {
      place: place as Parameter["place"],
      name: place === "header" ? name.toLowerCase() : name,
      required: required === true,
      schema:
        schema === undefined
          ? (inContent?.schema ?? true)
          : schemaAt(library, schema, pointerTo(node.pointer, "schema")),
      pointer: node.pointer,
    };
  });
}

function contentOf(library: Library, { content = {} }: JsonObject, pointer: string): Map<string, Part> {
  const at = pointerTo(pointer, "content");
  if (!isObject(content)) throw fault(at, "must be an object");
  return new Map(
    Object.entries(content).map(([type, given]): [string, Part] => {
      const node = follow(library.document as JsonObject, given, pointerTo(at, type));
      const { schema } = node.value;
      const where = pointerTo(node.pointer, "schema");
      // A media type without a schema takes anything.
      return schema === undefined
        ? [type, { schema: true, pointer: node.pointer }]
        : [type, { schema: schemaAt(library, schema, where), pointer: where }];
    }),
  );
}

/** How many references may lead to one another. */
const hopsMost = 16;

/** An object of the document, behind a reference or not. */
function follow(document: JsonObject, given: Json | undefined, pointer: string): Node {
  let value = given;
  let at = pointer;
  for (let hops = 0; isObject(value) && typeof value.$ref === "string"; hops++) {
    const target = /^#(\/.*)$/s.exec(value.$ref)?.[1];
    const next = target === undefined ? undefined : atPointer(document, decode(target));
    if (target === undefined || next === undefined || hops === hopsMost) {
      throw new KoorError("bad_request", `${at}/$ref leads nowhere in this document`, {
        path: `${at}/$ref`,
        hint: "References to other files and addresses are not followed: put what they name into the document.",
      });
    }
    value = next;
    at = decode(target);
  }
  if (!isObject(value)) throw fault(at, "must be an object");
  return { value, pointer: at };
}

function decode(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}

function fault(path: string, predicate: string): KoorError {
  return new KoorError("bad_request", `${path} ${predicate}`, { path });
}
