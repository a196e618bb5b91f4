import { parseArgs } from "node:util";
import { strace } from "../../scripts/setup.mjs";
import { startServer } from "../harness.ts";
import { fullDisk, mountSmallDisk } from "../proof/full-disk.ts";
import { killLoop } from "../proof/kill-loop.ts";
import { allBadInput, historiesOf, linearizable } from "../proof/over-http.ts";
import { canRecord, powerCuts } from "../proof/power-cut.ts";
import { freshSeed } from "../proof/random.ts";
import { simulate } from "../proof/simulation.ts";
import { tortureStreams } from "../stream-torture.ts";

/**
 * `npm run torture -- [--minutes N] [--seed S] [--only NAME]`: the long versions of the proofs, one after the other and round again
 * with other seeds, until the time is up. What fails says its seed; `--only NAME --seed S` is the same again.
 */

/** One turn of a proof: some ten seconds, unless time is up. @returns what it came to, in numbers that can be added up */
type Turn = (seed: number, enough: () => boolean) => Promise<Record<string, number>>;

const turns: Record<string, Turn> = {
  async kills(seed, enough) {
    const { kills, ledger } = await killLoop({ seed, kills: 15, longestLife: 600, enough });
    return { kills, acknowledged: ledger.puts.length + ledger.events.length };
  },

  async "power cuts"(seed, enough) {
    if (!canRecord()) return { "skipped, there is no strace": 1 };
    const { images, syncs, acknowledged } = await powerCuts({ seed, writes: 900, images: 250, enough });
    return { images, syncs, acknowledged };
  },

  async histories(seed) {
    const server = await startServer();
    try {
      const histories = await historiesOf(server.ask, "key", seed, 400);
      if (!histories.every(linearizable)) throw new Error("a history is not linearizable");
      return { operations: histories.flat().length };
    } finally {
      await server.dispose();
    }
  },

  async simulations(seed, enough) {
    let runs = 0;
    for (; runs < 250 && !enough(); runs++) await simulate(`${seed}/${runs}`);
    return { runs };
  },

  async "bad input"(seed) {
    await allBadInput(seed, 60);
    return { rounds: 1 };
  },

  async "full disk"(seed, enough) {
    const disk = mountSmallDisk();
    if (!disk) return { "skipped, no tmpfs can be mounted": 1 };
    try {
      const { refused, ledger } = await fullDisk({ seed, disk, rounds: 8, enough });
      return { refused, acknowledged: ledger.puts.length + ledger.events.length };
    } finally {
      disk.remove();
    }
  },

  async streams(seed) {
    const { faults, events, received, gaps, cuts, restarts } = await tortureStreams({ seed, seconds: 12 });
    if (faults.length > 0) throw new Error(faults.slice(0, 10).join("\n"));
    return { events, received, gaps, cuts, restarts };
  },
};

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { minutes: { type: "string", default: "10" }, seed: { type: "string" }, only: { type: "string" } },
});
const end = Date.now() + Number(values.minutes) * 60_000;
const first = Number(values.seed ?? freshSeed());
if (!(Number(values.minutes) > 0) || !Number.isSafeInteger(first))
  throw new Error("--minutes and --seed are numbers");
const chosen = Object.entries(turns).filter(([name]) => values.only === undefined || name === values.only);
if (chosen.length === 0) throw new Error(`--only is one of: ${Object.keys(turns).join(", ")}`);

strace();
process.exitCode = (await torture()) === 0 ? 0 : 1;

/** @returns how many turns failed */
async function torture(): Promise<number> {
  const totals: Record<string, Record<string, number>> = {};
  let failures = 0;
  const enough = () => Date.now() >= end;
  for (let seed = first; seed === first || !enough(); seed++) {
    for (const [name, turn] of chosen) {
      if (enough()) break;
      const began = Date.now();
      try {
        const numbers = await turn(seed, enough);
        const total = (totals[name] ??= {});
        for (const [what, count] of Object.entries(numbers)) total[what] = (total[what] ?? 0) + count;
        console.log(`${name}, seed ${seed}: ${show(numbers)} (${Math.round((Date.now() - began) / 1000)} s)`);
      } catch (error) {
        failures += 1;
        console.log(`${name}, seed ${seed}: FAILED\n${(error as Error).stack}`);
        console.log(`again: npm run torture -- --only "${name}" --seed ${seed}`);
      }
    }
  }
  console.log("\nin total:");
  for (const [name, numbers] of Object.entries(totals)) console.log(`  ${name}: ${show(numbers)}`);
  console.log(failures === 0 ? "\nclean" : `\n${failures} failed`);
  return failures;
}

function show(numbers: Record<string, number>): string {
  return Object.entries(numbers)
    .map(([what, count]) => `${count} ${what}`)
    .join(", ");
}
