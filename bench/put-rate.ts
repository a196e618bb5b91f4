import { type LoadResult, runLoad } from "./load.ts";
import { startKoor, startScript, temporaryDirectory } from "./processes.ts";
import { type Section, median, ratioOf } from "./report.ts";

const put = { bytes: 2048, keys: 1000 };
const allConnections = [1, 8, 32, 128];
const rounds = 5;
const seconds = 2;

/** What gathering commits is worth: the same writes, durable, with one transaction for each. */
export async function measurePutRate(): Promise<Section> {
  const koor = await startKoor();
  const ungrouped = await startScript("variant-server.ts", temporaryDirectory(), "ungrouped");
  const normal = await startScript("variant-server.ts", temporaryDirectory(), "normal");
  const servers = { koor, ungrouped, normal };
  for (const { url } of Object.values(servers)) {
    await runLoad({ url: `${url}/api/state/bench`, connections: 32, seconds, put });
  }

  const rows: (string | number)[][] = [];
  const goals: Section["goals"] = [];
  let errors = 0;
  for (const connections of allConnections) {
    const results: Record<keyof typeof servers, LoadResult[]> = { koor: [], ungrouped: [], normal: [] };
    for (let round = 0; round < rounds; round++) {
      for (const name of ["koor", "ungrouped", "normal"] as const) {
        results[name].push(
          await runLoad({ url: `${servers[name].url}/api/state/bench`, connections, seconds, put }),
        );
      }
    }
    const rates = (name: keyof typeof servers) => results[name].map((result) => result.perSecond);
    const p99 = (name: keyof typeof servers) => median(results[name].map((result) => result.p99));
    const { ratio, shown } = ratioOf(rates("koor"), rates("ungrouped"));
    const failed = results.koor.reduce((sum, result) => sum + result.errors, 0);
    errors += failed;
    rows.push([
      connections,
      median(rates("koor")),
      median(rates("ungrouped")),
      shown,
      median(rates("normal")),
      p99("koor"),
      p99("ungrouped"),
      failed,
    ]);
    if (connections === 32)
      goals.push({ text: "at least 4 times at 32 connections", measured: shown, met: ratio >= 4 });
  }
  goals.push({ text: "no errors", measured: String(errors), met: errors === 0 });
  await koor.stop();
  await ungrouped.stop();
  await normal.stop();

  return {
    title: "Durable writing",
    how:
      `\`PUT /api/state/KEY\` of ${put.bytes} bytes over ${put.keys} keys, \`synchronous=FULL\`, against the same code with one ` +
      "transaction a write (bench/variant-server.ts: the same mount, service, `decide`, version, record, audit and heads rows, " +
      "and worker; only the gathering is missing), on the same disk; beside it with `synchronous=NORMAL`, which a power cut " +
      `takes acknowledged writes from, and Koor does not offer. ${rounds} rounds of ${seconds} s each.`,
    tables: [
      {
        columns: [
          "Connections",
          "PUTs a second",
          "one commit a write",
          "ratio",
          "not durable (NORMAL)",
          "p99 ms",
          "p99 ms, one a write",
          "errors",
        ],
        rows,
      },
    ],
    goals,
  };
}
