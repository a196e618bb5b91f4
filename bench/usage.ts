import type { DumpRow } from "../src/core/dump.ts";
import { emptyHeads } from "../src/core/commit.ts";
import { type UsageGrouping, usageGroupings } from "../src/core/usage.ts";
import { openSqlite } from "../src/store/sqlite/open.ts";
import { temporaryDirectory } from "./processes.ts";
import { type Section, median } from "./report.ts";

const records = 1_000_000;
const rounds = 5;
/** How long a summary may take, in milliseconds. */
const most = 1000;

const start = Date.UTC(2026, 0, 1);
/** A call every 8 seconds: three months of them. */
const timeOf = (id: number) => start + id * 8000;

/** What twenty agents on fifty projects used, in sessions of two hundred calls. */
async function* rows(): AsyncGenerator<DumpRow> {
  yield { kind: "heads", epoch: "bench", heads: { ...emptyHeads, usage: records } };
  for (let id = 1; id <= records; id++) {
    yield {
      kind: "usage",
      usage: {
        id,
        at: timeOf(id),
        provider: "anthropic",
        model: `model-${id % 5}`,
        tokensIn: 10_000 + (id % 1000),
        tokensOut: 500 + (id % 100),
        cacheRead: 9000,
        cacheWrite: 100,
        cost: 12_345 + (id % 997),
        costSource: "prices",
        instanceId: `agent-${id % 20}`,
        project: `project-${id % 50}`,
        sessionTag: `session-${Math.floor(id / 200)}`,
        requestType: "chat",
      },
    };
  }
}

/** Summaries of a million records: of all of them, and of a span that begins and ends in the middle of a day. */
export async function measureUsage(): Promise<Section> {
  const store = await openSqlite({ directory: temporaryDirectory(), now: Date.now });
  await store.restore(rows(), "bench");
  const spans = {
    "all of it": {},
    "from noon to noon": {
      from: start + 10.5 * 24 * 3600 * 1000,
      to: timeOf(records) - 10.5 * 24 * 3600 * 1000,
    },
  };
  const rowsShown: (string | number)[][] = [];
  let slowest = 0;
  for (const [span, times] of Object.entries(spans)) {
    for (const by of usageGroupings as readonly UsageGrouping[]) {
      const took: number[] = [];
      let names = 0;
      for (let round = 0; round < rounds; round++) {
        const from = performance.now();
        names = (await store.usageTotals({ by, ...times })).size;
        took.push(performance.now() - from);
      }
      slowest = Math.max(slowest, ...took);
      rowsShown.push([by, span, names, median(took), Math.max(...took)]);
    }
  }
  const from = performance.now();
  await store.usage({ limit: 50, project: "project-7", sessionTag: "session-77" });
  const query = performance.now() - from;
  await store.close();
  return {
    title: "Usage",
    how: `Sums over ${records.toLocaleString("en")} records of three months, in the store (SQLite), ${rounds} rounds each.`,
    tables: [
      { columns: ["Summed by", "Span", "names", "median ms", "slowest ms"], rows: rowsShown },
      { columns: ["Query", "ms"], rows: [["50 records by project and session", query]] },
    ],
    goals: [
      {
        text: `a summary within ${most} ms`,
        measured: `${slowest.toFixed(0)} ms at the slowest`,
        met: slowest <= most,
      },
    ],
  };
}
