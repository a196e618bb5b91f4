import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import { type Handlers, ofRecord } from "../contract/operation.ts";
import { RawJson } from "../contract/raw-json.ts";
import type { AuditLabel, Op, RecordHead, StoredRecord } from "../core/commit.ts";
import { shellWords } from "../core/shell-words.ts";
import { expectCondition, isConditional } from "../core/guard.ts";
import { decodeJson, encodeJson } from "../core/json-bytes.ts";
import { oneAtATime } from "../core/one-at-a-time.ts";
import type { SpecGate } from "../core/spec-gate.ts";
import type { Store } from "../store/store.ts";
import { perform, writtenRecord } from "../store/write.ts";
import { showVersions } from "../values/reads.ts";
import { type ImportRules, type IsContract, planApplication } from "./apply.ts";
import type { Summary, templateOperations } from "./contract.ts";

/** Templates at a time: a list of them goes through all. */
export const templatesMost = 1000;

export interface TemplateOptions {
  store: Store;
  /** Refuse to overwrite a spec that differs. */
  strictWrites: boolean;
  /** Judges the specs that are made of templates. */
  gate: SpecGate;
  isContract: IsContract;
  importRules: ImportRules;
  /** As `templatesMost`. */
  most?: number;
}

/** What is stored of a template in `templates`; its data is in `template_data`, under the same key and version. */
type Described = Pick<Summary, "name" | "description" | "kind" | "tags" | "created_at">;

/** Rules and contracts that were worked out once, for projects to begin with. */
export function templateService(options: TemplateOptions): Handlers<typeof templateOperations> {
  const { store, most = templatesMost } = options;
  const inTurn = oneAtATime();

  /** A template as it is, or as it was. @throws KoorError `not_found` */
  async function read(id: string, version?: number): Promise<{ record: StoredRecord; data: string }> {
    const record =
      version === undefined
        ? await store.get("templates", id)
        : await store.version("templates", id, version);
    const data = record && (await store.version("template_data", id, record.version));
    if (data) return { record, data: new TextDecoder().decode(data.value) };
    throw absent(id, version);
  }

  return {
    async create({ body: { id, data, ...rest }, condition, ...terms }) {
      const text = data instanceof RawJson ? data.text : JSON.stringify(data ?? null);
      const plan = async () => {
        const old = await store.get("templates", id);
        if (old && !isConditional(condition)) throw taken(id, old.version);
        expectCondition(condition, old);
        if (!old && (await store.heads()).live.templates >= most)
          throw new KoorError("rate_limited", `there are ${most} templates already`, {
            hint: "Delete those that nobody needs: koor-cli templates list",
          });
        const created_at = old ? decode(old).created_at : showTime(store.now());
        const described: Described = { ...rest, created_at };
        const action = old ? "template.put" : "template.create";
        const audit: AuditLabel = { action, resource: id, detail: { kind: rest.kind } };
        const ops: Op[] = [
          {
            kind: "put",
            collection: "templates",
            key: id,
            value: encodeJson(described),
            contentType: "application/json",
            guard: { version: old?.version ?? 0 },
            audit,
          },
          {
            kind: "put",
            collection: "template_data",
            key: id,
            value: new TextEncoder().encode(text),
            contentType: "application/json",
          },
        ];
        return { ops, note: described, optimistic: true };
      };
      return perform(store, terms, plan, (results, note) => show(writtenRecord(results), note));
    },

    async list({ query: { kind, tag } }) {
      const records = await store.listValues("templates");
      return records
        .map((record) => show(record, decode(record)))
        .filter((one) => (!kind || one.kind === kind) && (!tag || one.tags.includes(tag)));
    },

    async get({ params: { id }, query }) {
      const { record, data } = await read(id, query.version);
      const shown = { ...show(record, decode(record)), data: new RawJson(data) };
      return ofRecord(shown, record);
    },

    async history({ params: { id }, query: { limit = limits.historyRows } }) {
      return { id, versions: showVersions(await store.history("template_data", id, limit)) };
    },

    async delete({ params: { id }, condition, ...terms }) {
      const ops: Op[] = [
        {
          kind: "delete",
          collection: "templates",
          key: id,
          guard: { ...condition, exists: true },
          audit: { action: "template.delete", resource: id },
        },
        { kind: "delete", collection: "template_data", key: id },
      ];
      const { message, details } = absent(id);
      const plan = () => ({ ops, note: null, wordsOf: () => ({ absent: message, hint: details.hint }) });
      return perform(store, terms, plan, () => ({ deleted: id }));
    },

    async apply({ params: { id }, body: { project }, ...terms }) {
      const plan = async () => {
        const { record, data } = await read(id);
        const { name, kind } = decode(record);
        const ops = await planApplication(options, { id, name, kind, data }, project);
        const same: Op = {
          kind: "guard",
          collection: "templates",
          key: id,
          guard: { version: record.version },
        };
        const applied: Op = {
          kind: "note",
          outcome: "ok",
          audit: { action: "template.apply", resource: id, detail: { project } },
        };
        const changes = ops.some((op) => op.kind === "put");
        return {
          ops: changes ? [...ops, same, applied] : [],
          note: { applied: id, project, kind },
          optimistic: true,
        };
      };
      // What is imported into one project is one record.
      return inTurn(project, () => perform(store, terms, plan, (_, note) => note));
    },
  };
}

function show(record: RecordHead, described: Described): Summary {
  const { name, description, kind, tags, created_at } = described;
  const { key: id, version, updatedAt } = record;
  const updated_at = showTime(updatedAt);
  return ofRecord({ id, name, description, kind, tags, version, created_at, updated_at }, record);
}

function decode({ value }: StoredRecord): Described {
  return decodeJson<Described>(value);
}

function absent(id: string, version?: number): KoorError {
  return version === undefined
    ? new KoorError("not_found", `template not found: ${id}`, { hint: "List them: koor-cli templates list" })
    : new KoorError("not_found", `version ${version} not found: ${id}`, {
        hint: `List its versions: koor-cli templates history ${shellWords([id], "ID")}`,
      });
}

function taken(id: string, current: number): KoorError {
  return new KoorError("already_exists", `template ${id} exists, at version ${current}`, {
    path: "id",
    current,
    hint: "Choose another id. To replace it, say which version: X-Koor-If-Version (koor-cli: --if-version).",
  });
}
