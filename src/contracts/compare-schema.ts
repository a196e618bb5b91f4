import {
  type Conjunction,
  choosing,
  commonTypes,
  conjunctionOf,
  describedNames,
  itemSchemas,
  leading,
  listedValues,
  memberSchemas,
  requires,
  showTypes,
  typesOf,
  valueTypes,
} from "./conjunction.ts";
import { isObject, member, pointerTo } from "./json.ts";
import { listed, unjudged } from "./compare-keywords.ts";
import { type Comparison, type Finding, idOf, placeOf, wasIs } from "./comparison.ts";
import { boundsNotKept } from "./compare-bounds.ts";
import { type Schema, type SchemaObject, followed } from "./schema.ts";

/**
 * Whether everything that one side writes is understood by the other side, which reads it: schema against schema. What
 * cannot be judged (`not`, `if`, patterns) must be the same on both sides.
 */

/** @param at the pointers where the two stand, for what has none of its own */
export function compareSchemas(
  comparison: Comparison,
  writer: readonly Schema[],
  reader: Schema,
  at: string,
): Finding[] {
  const key = `${writer.map((schema) => idOf(comparison, schema)).join()}>${idOf(comparison, reader)}`;
  const known = comparison.found.get(key);
  if (known === "open") {
    comparison.met.add(key);
    return [];
  }
  if (known) return known;
  if (isUnchanged(writer, reader)) return [];
  const before = comparison.found.size;
  comparison.found.set(key, "open");
  const w = conjunctionOf(writer, comparison.writer.defs);
  const findings = w.never
    ? []
    : [...fieldChanges(comparison, writer, reader, at), ...conforms(comparison, w, reader, at)];
  // What was taken for granted while this was open does not hold: forget what was found by it.
  if (comparison.met.delete(key) && !isFine(findings)) {
    for (const other of [...comparison.found.keys()].slice(before + 1)) comparison.found.delete(other);
  }
  comparison.found.set(key, findings);
  return findings;
}

/** The same text that refers to nothing: most of a document, most times, and quicker seen than compared. */
function isUnchanged(writer: readonly Schema[], reader: Schema): boolean {
  if (writer.length !== 1 || typeof reader === "boolean") return false;
  const text = JSON.stringify(reader);
  return text === JSON.stringify(writer[0]) && !text.includes('"$ref"');
}

function isFine(findings: readonly Finding[]): boolean {
  return findings.every(({ safe }) => safe);
}

/** Fields that only one side describes, wherever in the alternatives. */
function fieldChanges(
  comparison: Comparison,
  writer: readonly Schema[],
  reader: Schema,
  at: string,
): Finding[] {
  const { writerIsOld, isAnswer } = comparison;
  const written = describedNames(writer, comparison.writer.defs);
  const read = describedNames([reader], comparison.reader.defs);
  const findings: Finding[] = [];
  const where = (side: "writer" | "reader", schema: SchemaObject, name: string) =>
    propertyAt(comparison[side].origins.get(schema) ?? at, name);
  if (!read.others) {
    for (const [name, schema] of written.names) {
      if (read.names.has(name)) continue;
      const rule = writerIsOld ? "field-removed" : "field-added";
      const pointer = fieldPointer(comparison.writer.origins, schema, name) ?? where("writer", schema, name);
      if (isAnswer) findings.push({ rule, pointer, message: `the field ${verb(rule)}`, safe: true });
      else findings.push(unread(rule, pointer));
    }
  }
  // In answers, a field that the old contract describes stays: clients may use it, though it was optional. (What was
  // required is told where requirements are compared.)
  if (isAnswer && !writerIsOld && !written.others) {
    for (const [name, schema] of read.names) {
      const isRequired = Array.isArray(schema.required) && schema.required.includes(name);
      if (written.names.has(name) || isRequired) continue;
      const pointer = fieldPointer(comparison.reader.origins, schema, name) ?? where("reader", schema, name);
      findings.push({ rule: "field-removed", pointer, message: "the field was removed" });
    }
  }
  return findings;
}

const propertyAt = (at: string, name: string) => pointerTo(pointerTo(at, "properties"), name);

const verb = (rule: string) => (rule === "field-removed" ? "was removed" : "was added");

/** A field that is sent to a service which does not know it. */
function unread(rule: string, pointer: string): Finding {
  const who = rule === "field-removed" ? "clients still send it" : "services do not know it yet";
  return { rule, pointer, message: `the field ${verb(rule)}, and ${who}` };
}

/** The pointer of a field's own schema. */
function fieldPointer(
  origins: WeakMap<object, string>,
  schema: SchemaObject,
  name: string,
): string | undefined {
  const field = isObject(schema.properties) ? member(schema.properties, name) : undefined;
  return isObject(field) ? origins.get(field) : undefined;
}

/**
 * What of the writer's values the reader does not take.
 *
 * @param open readers that are looked at already: one that is made of itself asks nothing more
 */
function conforms(
  comparison: Comparison,
  w: Conjunction,
  reader: Schema,
  at: string,
  open: readonly Schema[] = [],
): Finding[] {
  if (reader === true || open.includes(reader)) return [];
  const place = placeOf(comparison, w.parts[0], reader, at);
  if (reader === false)
    return [{ rule: "closed", pointer: place, message: "nothing is allowed here any more" }];
  const { $ref, allOf, anyOf, oneOf } = reader;
  const inside = [...open, reader];
  const findings: Finding[] = [];
  if ($ref !== undefined)
    findings.push(...conforms(comparison, w, followed({ $ref }, comparison.reader.defs), at, inside));
  for (const part of (allOf as Schema[] | undefined) ?? [])
    findings.push(...conforms(comparison, w, part, at, inside));
  for (const union of [anyOf, oneOf]) {
    if (Array.isArray(union))
      findings.push(...conformsToOne(comparison, w, union as Schema[], place, inside));
  }
  if (Object.keys(reader).every((keyword) => leading.has(keyword))) return findings;
  // Each alternative of the writer on its own, unless the reader takes all of them.
  const [union] = w.unions;
  if (union && !isFine(keywords(comparison, w, reader, place))) {
    for (const branch of union) {
      const chosen = choosing(w, branch, comparison.writer.defs);
      if (!chosen.never) findings.push(...conforms(comparison, chosen, reader, at, open));
    }
    return findings;
  }
  return [...findings, ...keywords(comparison, w, reader, place)];
}

/** How many alternatives a writer's values are split into, to find one of the reader's for each. */
const splitsMost = 64;

function conformsToOne(
  comparison: Comparison,
  w: Conjunction,
  union: Schema[],
  at: string,
  open: readonly Schema[],
): Finding[] {
  const { defs } = comparison.writer;
  let best: Finding[] | undefined;
  for (const branch of union) {
    const findings = conforms(comparison, w, branch, at, open);
    if (isFine(findings)) return findings;
    if (best === undefined || findings.length < best.length) best = findings;
  }
  const [own] = w.unions;
  const values = listedValues(w);
  const types = [...commonTypes(w)];
  const splits: Schema[] = own
    ? own
    : values && values.length > 1 && values.length <= splitsMost
      ? values.map((value) => ({ const: value }))
      : values === undefined && types.length > 1 && types.length < valueTypes.length
        ? splitTypes(types)
        : [];
  if (splits.length > 0) {
    return splits.flatMap((split) => {
      const chosen = own ? choosing(w, split, defs) : { ...w, parts: [...w.parts, split as SchemaObject] };
      return chosen.never ? [] : conformsToOne(comparison, chosen, union, at, open);
    });
  }
  return best ?? [{ rule: "closed", pointer: at, message: "nothing is allowed here any more" }];
}

function splitTypes(types: readonly string[]): Schema[] {
  const whole = types.filter((type) => type !== "integer" && type !== "fraction");
  const numbers = types.filter((type) => type === "integer" || type === "fraction");
  if (whole.length === 0) return [];
  return [...whole, ...(numbers.length > 0 ? [numbers.length === 2 ? "number" : "integer"] : [])].map(
    (type) => ({ type }),
  );
}

/** A reader's own keywords, without its alternatives and what it takes over. */
function keywords(comparison: Comparison, w: Conjunction, reader: SchemaObject, at: string): Finding[] {
  const types = commonTypes(w);
  const read = typesOf(reader);
  const missing = new Set([...types].filter((type) => !read.has(type)));
  if (missing.size > 0) {
    const rule = missing.size === 1 && missing.has("null") ? "nullable" : "type";
    return [{ rule, pointer: at, message: wasIs(comparison, showTypes(types), showTypes(read)) }];
  }
  const values = listedValues(w);
  const findings = listed(comparison, values, types, reader, at);
  for (const { rule, message } of boundsNotKept(w, reader, types, values)) {
    const [was, is] = comparison.writerIsOld ? message : message.toReversed();
    findings.push({ rule, pointer: at, message: `was ${was}, is ${is}` });
  }
  findings.push(...unjudged(comparison, w, reader, at));
  if (types.has("object")) findings.push(...members(comparison, w, reader, at));
  if (types.has("array")) findings.push(...items(comparison, w, reader, at));
  return findings;
}

function members(comparison: Comparison, w: Conjunction, reader: SchemaObject, at: string): Finding[] {
  const { writerIsOld, isAnswer } = comparison;
  const findings: Finding[] = [];
  const known = isObject(reader.properties) ? reader.properties : {};
  const written = describedNames(w.parts, comparison.writer.defs);
  for (const [name, schema] of Object.entries(known)) {
    const sent = memberSchemas(w, name);
    if (sent.length > 0 && !sent.includes(false))
      findings.push(...compareSchemas(comparison, sent, schema as Schema, propertyAt(at, name)));
  }
  for (const name of (reader.required as string[] | undefined) ?? []) {
    if (requires(w, name)) continue;
    const pointer = fieldPointer(comparison.reader.origins, reader, name) ?? propertyAt(at, name);
    if (written.names.has(name))
      findings.push({ rule: "required", pointer, message: wasIs(comparison, "optional", "required") });
    else if (writerIsOld)
      findings.push({ rule: "field-added", pointer, message: "the field was added, and is required" });
    else
      findings.push({ rule: "field-removed", pointer, message: "the field was removed, and was required" });
  }
  const others = reader.additionalProperties as Schema | undefined;
  const open = w.parts.every(
    (part) => part.additionalProperties === undefined || part.additionalProperties === true,
  );
  const beyond = w.parts.map((part) => part.additionalProperties).filter(isObject);
  if (isObject(others)) {
    for (const [name] of written.names) {
      if (!Object.hasOwn(known, name))
        findings.push(...compareSchemas(comparison, memberSchemas(w, name), others, propertyAt(at, name)));
    }
    if (beyond.length > 0)
      findings.push(...compareSchemas(comparison, beyond, others, pointerTo(at, "additionalProperties")));
  }
  if (!isAnswer && others === false && reader.patternProperties === undefined) {
    // Which of several alternatives knows a field is seen here only.
    for (const [name, schema] of written.names) {
      if (Object.hasOwn(known, name) || memberSchemas(w, name).includes(false)) continue;
      const rule = writerIsOld ? "field-removed" : "field-added";
      const pointer = fieldPointer(comparison.writer.origins, schema, name) ?? propertyAt(at, name);
      findings.push(unread(rule, pointer));
    }
  }
  if (!isAnswer && others === false && (open || beyond.length > 0))
    findings.push({
      rule: "closed",
      pointer: at,
      message: wasIs(comparison, "open to further fields", "closed"),
    });
  if (isObject(others) && open)
    findings.push({
      rule: "closed",
      pointer: at,
      message: "further fields of any kind and of one kind differ",
    });
  return findings;
}

function items(comparison: Comparison, w: Conjunction, reader: SchemaObject, at: string): Finding[] {
  const prefix = Array.isArray(reader.prefixItems) ? (reader.prefixItems as Schema[]) : [];
  const most = Math.max(
    prefix.length,
    ...w.parts.map((part) => (Array.isArray(part.prefixItems) ? part.prefixItems.length : 0)),
  );
  const findings: Finding[] = [];
  // One past the longest stands for all further ones.
  for (let index = 0; index <= most; index++) {
    const read = prefix[index] ?? (reader.items as Schema | undefined);
    if (read === undefined) continue;
    const sent = itemSchemas(w, index);
    const where = pointerTo(at, index < prefix.length ? `prefixItems/${index}` : "items");
    if (!sent.includes(false))
      findings.push(...compareSchemas(comparison, sent.length > 0 ? sent : [true], read, where));
  }
  return findings;
}
