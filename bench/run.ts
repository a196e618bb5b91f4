// npm run bench -- [NAME ...] [--print]: all benches, or those that are named. Each writes its section of docs/benchmarks.md
// anew, unless --print is said.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { measureAudit } from "./audit.ts";
import { measureCliTime } from "./cli-time.ts";
import { measureContracts } from "./contracts.ts";
import { measureDashboard } from "./dashboard.ts";
import { measureGetRate } from "./get-rate.ts";
import { measureGrowth } from "./growth.ts";
import { measureIdle } from "./idle.ts";
import { measureLargeWrites } from "./large-writes.ts";
import { measurePostgres } from "./postgres.ts";
import { program, root, stopAll } from "./processes.ts";
import { measurePutRate } from "./put-rate.ts";
import { type Section, documentText, sectionText, whenNow } from "./report.ts";
import { measureStreams } from "./streams.ts";
import { measureRules } from "./rules.ts";
import { measureTokens } from "./tokens.ts";
import { measureUsage } from "./usage.ts";
import { measureWebhooks } from "./webhooks.ts";

/** Named as their files. */
const benches: Record<string, () => Promise<Section>> = {
  "get-rate": measureGetRate,
  "put-rate": measurePutRate,
  "large-writes": measureLargeWrites,
  postgres: measurePostgres,
  streams: measureStreams,
  growth: measureGrowth,
  "cli-time": measureCliTime,
  rules: measureRules,
  webhooks: measureWebhooks,
  contracts: measureContracts,
  audit: measureAudit,
  usage: measureUsage,
  dashboard: measureDashboard,
  idle: measureIdle,
  tokens: measureTokens,
};

async function main(args: readonly string[]): Promise<void> {
  const named = args.filter((arg) => arg !== "--print");
  const unknown = named.find((name) => !Object.hasOwn(benches, name));
  if (unknown !== undefined)
    throw new Error(`no bench ${unknown}; there are ${Object.keys(benches).join(", ")}`);
  for (const tool of ["wrk", "hyperfine"]) {
    if (!Bun.which(tool))
      console.error(`bench: ${tool} is not installed (apt install ${tool}); using a loop of our own`);
  }
  const sections: Section[] = [];
  for (const name of named.length > 0 ? named : Object.keys(benches)) {
    console.error(`bench: ${name} ...`);
    const when = whenNow();
    const section = { ...(await benches[name]!()), when };
    console.log(`${sectionText(section)}\n`);
    sections.push(section);
  }
  const missed = sections.flatMap((section) => section.goals.filter((goal) => !goal.met));
  for (const { text, measured } of missed) console.error(`bench: missed: ${text}: ${measured}`);
  if (args.includes("--print")) return;
  const file = join(root, "docs/benchmarks.md");
  const before = named.length > 0 && existsSync(file) ? readFileSync(file, "utf8") : "";
  mkdirSync(join(root, "docs"), { recursive: true });
  writeFileSync(file, documentText(before, sections, program("koor-server").name));
  console.error("bench: wrote docs/benchmarks.md");
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => void stopAll().finally(() => process.exit(1)));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`bench: ${(error as Error).stack}`);
  process.exitCode = 1;
} finally {
  await stopAll();
}
