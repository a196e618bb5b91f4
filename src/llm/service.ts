import type { z } from "zod";
import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import { limits } from "../contract/limits.ts";
import type { Caller, Handlers } from "../contract/operation.ts";
import type { Op, OpResult } from "../core/commit.ts";
import { encodeJson } from "../core/json-bytes.ts";
import {
  type UsageRecord,
  type UsageRow,
  type UsageTotals,
  addTotals,
  dayMs,
  noUsage,
  totalsOf,
} from "../core/usage.ts";
import { ownNames } from "../core/own-names.ts";
import type { Store } from "../store/store.ts";
import { perform } from "../store/write.ts";
import { type Budget, budgetOf, decodeBudget, dollars, lookAtBudget, spentOf } from "./budgets.ts";
import type { llmOperations } from "./contract.ts";
import { type Prices, costOf } from "./prices.ts";

/** Budgets at a time: each is looked at every minute. */
const mostBudgets = 1000;

/** How far in the future a call may have been made, in milliseconds: other machines' clocks are wrong. */
const aheadMs = dayMs;

export interface LlmOptions {
  store: Store;
  /** What calls cost that do not say so. */
  prices: Prices;
  /** A budget could not be looked at; the next look is within the minute. */
  onError: (error: unknown) => void;
}

type Call = z.output<(typeof llmOperations)["record"]["body"]["schema"]>;

/** What calls of models used and cost, and what projects may spend. */
export function llmService({ store, prices, onError }: LlmOptions): Handlers<typeof llmOperations> {
  function recordOf(call: Call, caller: Caller, at = ""): UsageRecord {
    const { tokens_in: tokensIn, cache_read_tokens: cacheRead, cache_write_tokens: cacheWrite } = call;
    if (cacheRead + cacheWrite > tokensIn) {
      throw new KoorError(
        "bad_request",
        `${at}tokens_in is less than what of it was read from and written to the cache`,
        {
          path: `${at}tokens_in`,
          hint: "tokens_in counts all that went in: add cache_read_tokens and cache_write_tokens to it.",
        },
      );
    }
    const cacheWriteHour = call.cache_write_1h_tokens;
    if (cacheWriteHour > cacheWrite) {
      throw new KoorError(
        "bad_request",
        `${at}cache_write_tokens is less than what of it is kept for an hour`,
        {
          path: `${at}cache_write_tokens`,
          hint: "cache_write_tokens counts all that was written to the cache: add cache_write_1h_tokens to it.",
        },
      );
    }
    const { instanceId: own = "" } = caller;
    if (own !== "" && call.instance_id !== "" && call.instance_id !== own)
      throw new KoorError("forbidden", `${at}instance_id is not the instance whose token this is`, {
        path: `${at}instance_id`,
        hint: "Leave instance_id out: the token says whose call it was. Who records for others does so without an instance's token.",
      });
    const now = store.now();
    const when = call.timestamp ?? now;
    if (when > now + aheadMs || when < 0) {
      const fault = when < 0 ? "before 1970" : "in the future";
      throw new KoorError("bad_request", `${at}timestamp must not be ${fault}`, {
        path: `${at}timestamp`,
      });
    }
    const { model, tokens_out: tokensOut } = call;
    const given = call.cost_usd ?? undefined;
    const used = { model, tokensIn, tokensOut, cacheRead, cacheWrite };
    const cost =
      given === undefined ? costOf(prices, { ...used, cacheWriteHour }) : Math.round(given * 1_000_000);
    const known = cost === undefined ? "none" : "prices";
    return {
      at: when,
      provider: call.provider,
      ...used,
      cost: cost ?? 0,
      costSource: given === undefined ? known : "given",
      instanceId: call.instance_id || own,
      project: call.project,
      sessionTag: call.session_tag,
      requestType: call.request_type,
    };
  }

  /** What was recorded is recorded, whether or not its budget can be looked at now. */
  const look = (records: readonly Pick<UsageRecord, "project" | "at">[]) =>
    Promise.all(
      [...Map.groupBy(records, ({ project }) => project)].map(([project, its]) =>
        lookAtBudget(
          store,
          project,
          its.map(({ at }) => at),
        ),
      ),
    ).catch(onError);

  async function showBudget(project: string, { cost, per }: Budget) {
    const { period, spent } = await spentOf(store, project, per);
    return { project, usd: dollars(cost), per, period, spent_usd: dollars(spent), share: spent / cost };
  }

  return {
    async record({ body, ...terms }) {
      const usage = recordOf(body, terms.caller);
      const { project, model, instanceId } = usage;
      const audit = {
        action: "llm.usage",
        resource: `${project}/${model}`,
        ...(instanceId !== "" && { detail: { instance_id: instanceId } }),
      };
      const ops: Op[] = [{ kind: "usage", usage, audit }, event("llm.usage.recorded", showRecord(usage))];
      const answer = await perform(
        store,
        terms,
        () => ({ ops, note: null }),
        (results) => ({ id: rowOf(results).id, recorded: true as const }),
      );
      await look([usage]);
      return answer;
    },

    async import({ body, ...terms }) {
      const given = new Map(
        body.records.map((record, at) => [record.ref, recordOf(record, terms.caller, `records.${at}.`)]),
      );
      const plan = async () => {
        const heads = await Promise.all([...given.keys()].map((ref) => store.head("usage_refs", ref)));
        const fresh = [...given].filter((_, at) => heads[at] === undefined);
        const unpriced = fresh.filter(([, { costSource }]) => costSource === "none");
        const taken = body.unpriced ? fresh : fresh.filter(([, { costSource }]) => costSource !== "none");
        const ops = taken.flatMap(([ref, usage]): Op[] => [
          { kind: "usage", usage, audit: false },
          {
            kind: "put",
            collection: "usage_refs",
            key: ref,
            value: new Uint8Array(),
            contentType: "text/plain",
            guard: { version: 0 },
          },
        ]);
        const records = taken.map(([, usage]) => usage);
        const note = {
          recorded: taken.length,
          known: body.records.length - fresh.length,
          unpriced: unpriced.length,
          unpriced_models: [...new Set(unpriced.map(([, { model }]) => model))],
        };
        if (taken.length > 0) {
          const { tokensIn, tokensOut, cost } = records.reduce(
            (sum, record) => addTotals(sum, totalsOf(record)),
            noUsage,
          );
          const said = {
            recorded: taken.length,
            tokens_in: tokensIn,
            tokens_out: tokensOut,
            cost_usd: dollars(cost),
          };
          const [first, ...others] = new Set(records.map(({ instanceId }) => instanceId));
          const detail = {
            recorded: taken.length,
            ...(others.length > 0 ? { instances: others.length + 1 } : first && { instance_id: first }),
          };
          const audit = { action: "llm.import", resource: records[0]?.project ?? "", detail };
          ops.push({ kind: "note", outcome: "ok", audit }, event("llm.usage.imported", said));
        }
        return { ops, note, optimistic: true };
      };
      const answer = await perform(store, terms, plan, (_, note) => note);
      if (answer.recorded > 0) await look([...given.values()]);
      return answer;
    },

    async usage({ query: { instance, project, session_tag, from, to, limit = limits.historyRows } }) {
      const rows = await store.usage({
        limit,
        from,
        to,
        // An empty filter filters nothing.
        instanceId: instance || undefined,
        project: project || undefined,
        sessionTag: session_tag || undefined,
      });
      return rows.map(({ id, ...record }) => ({ id, ...showRecord(record) }));
    },

    async summary({ query: { group_by, from, to } }) {
      const by = group_by || "project";
      const totals = [...(await store.usageTotals({ by, from, to }))];
      const total = totals.reduce((sum, [, more]) => addTotals(sum, more), noUsage);
      totals.sort(by === "day" ? latestFirst : dearestFirst);
      const shown = totals.slice(0, limits.pageRows).map(([name, sum]) => [name, showTotals(sum)] as const);
      return {
        group_by: by,
        from: from === undefined ? "" : showTime(from),
        to: to === undefined ? "" : showTime(to),
        groups: Object.fromEntries(shown),
        total: showTotals(total),
        ...(totals.length > shown.length && { truncated: true as const }),
      };
    },

    async budgets() {
      const records = await store.listValues("budgets");
      return Promise.all(records.map(({ key, value }) => showBudget(key, decodeBudget(value))));
    },

    async budget({ params: { project } }) {
      const budget = await budgetOf(store, project);
      if (!budget) throw absent(project);
      return showBudget(project, budget);
    },

    async setBudget({ params: { project }, body: { usd, per }, ...terms }) {
      const budget: Budget = { cost: Math.round(usd * 1_000_000), per };
      const plan = async () => {
        const there = await store.head("budgets", project);
        if ((!there || there.deleted) && (await store.heads()).live.budgets >= mostBudgets)
          throw new KoorError("rate_limited", `there are ${mostBudgets} budgets already`, {
            hint: "Delete those that nobody needs: koor-cli llm budgets",
          });
        const op: Op = {
          kind: "put",
          collection: "budgets",
          key: project,
          value: encodeJson(budget),
          contentType: "application/json",
          audit: { action: "budget.put", resource: project, detail: { usd, per } },
        };
        return { ops: [op], note: await showBudget(project, budget) };
      };
      const answer = await perform(store, terms, plan, (_, note) => note);
      await look([{ project, at: store.now() }]);
      return answer;
    },

    async deleteBudget({ params: { project }, ...terms }) {
      const op: Op = {
        kind: "delete",
        collection: "budgets",
        key: project,
        guard: { exists: true },
        audit: { action: "budget.delete", resource: project },
      };
      const { message, details } = absent(project);
      const plan = () => ({
        ops: [op],
        note: null,
        wordsOf: () => ({ absent: message, hint: details.hint }),
      });
      return perform(store, terms, plan, () => ({ deleted: project }));
    },
  };
}

function event(topic: string, data: object): Op {
  return { kind: "append", topic, data: JSON.stringify(data), source: ownNames.costs };
}

function rowOf([result]: readonly OpResult[]): UsageRow {
  if (!result || !("usage" in result)) throw new Error("the commit recorded no usage");
  return result.usage;
}

function showRecord(record: UsageRecord) {
  return {
    timestamp: showTime(record.at),
    provider: record.provider,
    model: record.model,
    tokens_in: record.tokensIn,
    tokens_out: record.tokensOut,
    cache_read_tokens: record.cacheRead,
    cache_write_tokens: record.cacheWrite,
    cost_usd: dollars(record.cost),
    cost_source: record.costSource,
    instance_id: record.instanceId,
    project: record.project,
    request_type: record.requestType,
    session_tag: record.sessionTag,
  };
}

function showTotals({ tokensIn, tokensOut, cost, requests }: UsageTotals) {
  return {
    total_tokens_in: tokensIn,
    total_tokens_out: tokensOut,
    total_cost_usd: dollars(cost),
    request_count: requests,
  };
}

type Named = readonly [name: string, totals: UsageTotals];

function dearestFirst([a, x]: Named, [b, y]: Named): number {
  return y.cost - x.cost || y.tokensIn + y.tokensOut - (x.tokensIn + x.tokensOut) || (a < b ? -1 : 1);
}

function latestFirst([a]: Named, [b]: Named): number {
  return a < b ? 1 : -1;
}

function absent(project: string): KoorError {
  return new KoorError("not_found", `budget not found: ${project}`, {
    hint: "List them: koor-cli llm budgets",
  });
}
