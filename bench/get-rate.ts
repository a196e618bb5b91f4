import { type LoadResult, runLoad } from "./load.ts";
import { startKoor, startScript } from "./processes.ts";
import { type Section, median, ratioOf } from "./report.ts";

const bytes = 2048;
const connections = 32;
const rounds = 7;
const seconds = 2;

/** How much of a bare server's reading speed is left when Koor's checks, entity tags and ledger are around it. */
export async function measureGetRate(): Promise<Section> {
  const koor = await startKoor();
  const value = JSON.stringify({ text: "x".repeat(bytes - 11) });
  await fetch(`${koor.url}/api/state/plan`, { method: "PUT", body: value });
  const bare = await startScript("bare-server.ts", koor.directory);
  const results: Record<"koor" | "bare", LoadResult[]> = { koor: [], bare: [] };
  for (const { url } of [koor, bare]) await runLoad({ url: `${url}/api/state/plan`, connections, seconds });
  for (let round = 0; round < rounds; round++) {
    results.koor.push(await runLoad({ url: `${koor.url}/api/state/plan`, connections, seconds }));
    results.bare.push(await runLoad({ url: `${bare.url}/api/state/plan`, connections, seconds }));
  }
  await bare.stop();
  await koor.stop();

  const rates = (name: keyof typeof results) => results[name].map((result) => result.perSecond);
  const errors = results.koor.reduce((sum, result) => sum + result.errors, 0);
  const { ratio, shown } = ratioOf(rates("koor"), rates("bare"));
  return {
    title: "Reading",
    how:
      `\`GET /api/state/KEY\` of ${bytes} bytes at ${connections} connections against a bare \`Bun.serve\` route that reads the ` +
      `same row of the same database file with a prepared statement and answers (bench/bare-server.ts). ${rounds} rounds of ${seconds} s each.`,
    tables: [
      {
        columns: ["Server", "GETs a second", "p99 ms", "errors"],
        rows: (["koor", "bare"] as const).map((name) => [
          name === "koor" ? "Koor" : "bare route",
          median(rates(name)),
          median(results[name].map((result) => result.p99)),
          results[name].reduce((sum, result) => sum + result.errors, 0),
        ]),
      },
    ],
    goals: [
      {
        text: "at least 0.75 of the bare route, no errors",
        measured: shown,
        met: ratio >= 0.75 && errors === 0,
      },
    ],
  };
}
