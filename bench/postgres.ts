import { join } from "node:path";
import { postgresBinaries, startPostgres } from "../scripts/postgres.mjs";
import { clockNow } from "./clock.ts";
import { runLoad } from "./load.ts";
import { program, runCommand, startKoor, stoppers, temporaryDirectory } from "./processes.ts";
import { type Section, median, percentile, ratioOf, show } from "./report.ts";

const put = { bytes: 2048, keys: 1000 };
const allConnections = [32, 128];
const rounds = 2;
const seconds = 2;
/** Seconds that pgbench runs: 128 clients take three until all are connected and have prepared what they send. */
const baselineSeconds = 10;
/** Events published to measure how long they take to another server, and milliseconds between two of them. */
const events = 100;
const paceMs = 40;
/** Where /tmp is memory an fsync costs nothing; this is a disk by the standard of file systems. */
const onDisk = "/var/tmp";
/** Nobody listens there: notifications never come, as behind a pooler in transaction mode. */
const nowhere = "postgres://koor@127.0.0.1:9/none";

/** What gathering commits is worth on PostgreSQL, and how long an event takes from one server to another. */
export async function measurePostgres(): Promise<Section> {
  const cluster = await startPostgres({}, onDisk);
  stoppers.add(cluster.stop);
  try {
    const writing = await writeRates(cluster.url);
    const heard = await delivery(cluster.url, []);
    const polled = await delivery(cluster.url, ["--database-listen", nowhere]);
    return {
      title: "PostgreSQL",
      how:
        `${program("koor-server").name} over one PostgreSQL on the same machine, \`fsync\` and \`synchronous_commit\` on. Writing: \`PUT /api/state/KEY\` ` +
        `of ${put.bytes} bytes over ${put.keys} keys through one server, against \`pgbench -M prepared\` with as many clients on the same ` +
        "cluster, one transaction a commit that writes a state of as many bytes and an event (bench/postgres-one.sql: the event's id " +
        "from a head row, so that ids have no gaps and the order of commits, as Koor's have), and against the same with a serial id, " +
        `which promises neither. ${rounds} rounds of ${seconds} s (pgbench ${baselineSeconds} s) each. Delivery: ${events} events, one every ${paceMs} ms, from before the request that ` +
        "publishes at one server to the receipt over a WebSocket at another.",
      tables: [writing.table, deliveryTable(heard, polled)],
      goals: [
        ...writing.goals,
        delivered("with notifications", heard, 100),
        delivered("by polling alone", polled, 1500),
      ],
      limits: ["A network between server and database, of which each commit takes two round trips."],
    };
  } finally {
    stoppers.delete(cluster.stop);
    await cluster.stop();
  }
}

const delivered = (how: string, times: readonly number[], goal: number) => ({
  text: `p99 from one server to another at most ${show(goal)} ms ${how}`,
  measured: `${show(percentile(times, 0.99))} ms`,
  met: percentile(times, 0.99) <= goal,
});

function deliveryTable(heard: readonly number[], polled: readonly number[]): Section["tables"][number] {
  const row = (how: string, times: readonly number[]) => [
    how,
    median(times),
    percentile(times, 0.99),
    Math.max(...times),
  ];
  return {
    title: "From a publisher at one server to a subscriber at another, ms",
    columns: ["Wake-up", "median", "p99", "worst"],
    rows: [row("NOTIFY", heard), row("polling alone", polled)],
  };
}

async function writeRates(
  url: string,
): Promise<{ table: Section["tables"][number]; goals: Section["goals"] }> {
  const binaries = postgresBinaries();
  const sql = (name: string) => join(import.meta.dir, name);
  await runCommand([
    join(binaries, "psql"),
    "-qX",
    "-v",
    "ON_ERROR_STOP=1",
    "-f",
    sql("postgres-tables.sql"),
    url,
  ]);
  const koor = await startKoor(temporaryDirectory(), ["--database", url]);
  const putting = (connections: number) =>
    runLoad({ url: `${koor.url}/api/state/bench`, connections, seconds, put });
  const committing = async (file: string, clients: number): Promise<number> => {
    const pace =
      `-n -M prepared -c ${clients} -j 1 -T ${baselineSeconds} -D keys=${put.keys} -D bytes=${put.bytes}`.split(
        " ",
      );
    const out = await runCommand([join(binaries, "pgbench"), ...pace, "-f", sql(file), url]);
    const [, rate] = /tps = ([\d.]+)/.exec(out) ?? [];
    if (rate === undefined) throw new Error(`pgbench tells no rate: ${out}`);
    return Number(rate);
  };
  await putting(32);
  const rows: (string | number)[][] = [];
  const goals: Section["goals"] = [];
  let errors = 0;
  for (const connections of allConnections) {
    const rates = { koor: [] as number[], one: [] as number[], serial: [] as number[] };
    const p99: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const result = await putting(connections);
      rates.koor.push(result.perSecond);
      p99.push(result.p99);
      errors += result.errors;
      rates.one.push(await committing("postgres-one.sql", connections));
      rates.serial.push(await committing("postgres-serial.sql", connections));
    }
    const { ratio, shown } = ratioOf(rates.koor, rates.one);
    rows.push([
      connections,
      median(rates.koor),
      median(rates.one),
      shown,
      median(rates.serial),
      ratioOf(rates.koor, rates.serial).shown,
      median(p99),
    ]);
    goals.push({
      text: `at least 3 times pgbench at ${connections} connections`,
      measured: shown,
      met: ratio >= 3,
    });
  }
  await koor.stop();
  goals.push({ text: "no errors", measured: String(errors), met: errors === 0 });
  const columns = [
    "Connections",
    "PUTs a second",
    "pgbench",
    "ratio",
    "pgbench, serial id",
    "ratio to it",
    "p99 ms",
  ];
  return { table: { columns, rows }, goals };
}

/** Milliseconds from before each event's request at one server to its receipt at another. */
async function delivery(url: string, flags: readonly string[]): Promise<number[]> {
  const [here, there] = await Promise.all(
    [0, 1].map(() => startKoor(temporaryDirectory(), ["--database", url, ...flags])),
  );
  const times: number[] = [];
  const all = Promise.withResolvers<void>();
  const socket = new WebSocket(`${there!.url.replace(/^http/, "ws")}/api/events/subscribe?pattern=bench`);
  socket.onmessage = ({ data }) => {
    times.push(clockNow() - (JSON.parse(String(data)) as { data: number }).data);
    if (times.length === events) all.resolve();
  };
  await new Promise((resolve) => (socket.onopen = resolve));
  for (let n = 0; n < events; n++) {
    const body = `{"topic":"bench","data":${clockNow()}}`;
    const publishing = fetch(`${here!.url}/api/events/publish`, { method: "POST", body });
    await Promise.all([publishing.then((response) => response.arrayBuffer()), Bun.sleep(paceMs)]);
  }
  await all.promise;
  socket.close();
  await Promise.all([here!.stop(), there!.stop()]);
  return times;
}
