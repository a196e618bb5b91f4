import { chainHash } from "../src/core/audit.ts";
import type { AuditRow } from "../src/core/commit.ts";
import type { DumpRow } from "../src/core/dump.ts";
import { emptyHeads } from "../src/core/commit.ts";
import { compileGlob } from "../src/core/glob.ts";
import { openSqlite } from "../src/store/sqlite/open.ts";
import type { Store } from "../src/store/store.ts";
import { temporaryDirectory } from "./processes.ts";
import { type Section, median, percentile, ratioOf } from "./report.ts";

const sizes = [1000, 1_000_000] as const;
const actors = 20;
const rounds = 7;
const queries = 200;
/** How much slower a query may be in the large log than in the small one. */
const most = 1.5;

const actor = (n: number) => `agent-${n % actors}`;
/** A row a second. */
const timeOf = (id: number) => Date.UTC(2026, 0, 1) + id * 1000;

/** A log as agents leave it: twenty of them, a hundred thousand resources, one row in fifty a refusal. */
async function* rows(count: number): AsyncGenerator<DumpRow> {
  const log: AuditRow[] = [];
  let hash = "";
  for (let id = 1; id <= count; id++) {
    const row = {
      id,
      at: timeOf(id),
      actor: actor(id),
      action: ["state.put", "spec.put", "lease.acquire", "lease.release"][id % 4] as string,
      resource: `project-${id % 100}/key-${id % 100_003}`,
      detail: JSON.stringify({ version: 1 + (id % 50) }),
      outcome: id % 50 === 0 ? ("conflict" as const) : ("ok" as const),
    };
    hash = chainHash(hash, row);
    log.push({ ...row, hash });
  }
  yield { kind: "heads", epoch: "bench", heads: { ...emptyHeads, audit: count, auditHash: hash } };
  for (const audit of log) yield { kind: "audit", audit };
}

/** Fifty rows each, as `GET /api/audit` asks for them; the span is found everywhere in the log. */
const kinds = {
  "by actor": (store: Store, n: number) => store.auditTrail({ limit: 50, actor: compileGlob(actor(n)) }),
  "by time": (store: Store, n: number, size: number) => {
    const at = timeOf(60 + ((n * 7919) % (size - 60)));
    return store.auditTrail({ limit: 50, from: at - 60_000, to: at });
  },
  "by actor and time": (store: Store, n: number, size: number) =>
    store.auditTrail({ limit: 50, actor: compileGlob(actor(n)), to: timeOf(size - ((n * 31) % 400)) }),
  "by resource": (store: Store, n: number) =>
    store.auditTrail({ limit: 50, resource: compileGlob(`project-${n % 100}/key-${n}`) }),
};
type Kind = keyof typeof kinds;

/** Queries by actor and by time, of a thousand rows and of a million. */
export async function measureAudit(): Promise<Section> {
  const stores = new Map<number, Store>();
  for (const size of sizes) {
    const store = await openSqlite({ directory: temporaryDirectory(), now: Date.now });
    await store.restore(rows(size), "bench");
    stores.set(size, store);
  }
  const times = new Map<string, number[]>();
  const at = (kind: Kind, size: number) => times.get(`${kind} ${size}`) ?? [];
  for (let round = 0; round <= rounds; round++) {
    for (const kind of Object.keys(kinds) as Kind[]) {
      for (const [size, store] of stores) {
        const each: number[] = [];
        for (let n = 0; n < queries; n++) {
          const from = performance.now();
          await kinds[kind](store, n, size);
          each.push(performance.now() - from);
        }
        // The first round warms up.
        if (round > 0) times.set(`${kind} ${size}`, [...at(kind, size), median(each) * 1000]);
      }
    }
  }
  const summaries: number[] = [];
  const longest: number[] = [];
  for (let round = 0; round < 3; round++) {
    const blocked: number[] = [];
    let last = performance.now();
    const beat = setInterval(() => {
      blocked.push(performance.now() - last);
      last = performance.now();
    }, 1);
    const from = performance.now();
    await stores.get(sizes[1])?.auditSummary({});
    summaries.push(performance.now() - from);
    clearInterval(beat);
    longest.push(percentile(blocked, 0.99));
  }
  for (const store of stores.values()) await store.close();

  const compared = (Object.keys(kinds) as Kind[]).map((kind) => ({
    kind,
    ...ratioOf(at(kind, sizes[1]), at(kind, sizes[0])),
  }));
  return {
    title: "Audit",
    how:
      `Queries of 50 rows over audit logs of ${sizes[0].toLocaleString("en")} and ${sizes[1].toLocaleString("en")} rows by ${actors} actors, ` +
      `turn by turn, in the store (SQLite), ${queries} of each kind in each of ${rounds} rounds; the medians of the rounds.`,
    tables: [
      {
        columns: ["Query", "µs of 1,000", "µs of 1,000,000", "ratio"],
        rows: compared.map(({ kind, shown }) => [
          kind,
          median(at(kind, sizes[0])),
          median(at(kind, sizes[1])),
          shown,
        ]),
      },
      {
        columns: ["Summary of 1,000,000 rows", "ms"],
        rows: [
          ["all of it", median(summaries)],
          ["between two turns of the event loop (p99)", median(longest)],
        ],
      },
    ],
    goals: compared
      .filter(({ kind }) => kind === "by actor" || kind === "by time")
      .map(({ kind, ratio, shown }) => ({
        text: `${kind} at most ${most} times as long`,
        measured: shown,
        met: ratio <= most,
      })),
  };
}
