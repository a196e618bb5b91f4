import { clockNow } from "./clock.ts";
import { runLoad } from "./load.ts";
import {
  type Served,
  program,
  residentMiB,
  startKoor,
  startWorkers,
  temporaryDirectory,
} from "./processes.ts";
import { type Section, type Table, median, percentile, ratioOf, show } from "./report.ts";
import type { Report } from "./stream-clients.ts";

/** More than any of this publishes between two trims. */
const flags = ["--event-retention", "100000"];
const seconds = 5;
const flatOutPublishers = 16;
const missed = 10_000;
const idleSockets = 10_000;
const waiters = 1_000;
const waitRounds = 3;

/** Delivery to many, what a follower costs, and what catching up and waiting cost. */
export async function measureStreams(): Promise<Section> {
  const paced = await fanOut();
  const idle = await idleMemory();
  const caughtUp = await catchUp();
  const waits = await waitersCost();
  const hundred = paced.p99At100;
  return {
    title: "Following events, and waiting",
    how:
      `${program("koor-server").name}; followers in a process of their own. Latency is from before the request that publishes to the ` +
      `event's receipt, so it holds HTTP and the fsync. Paced: ${seconds} s at a fixed rate, whatever the answers do. Flat out: ` +
      `${flatOutPublishers} publishers, each with its next event after the answer.`,
    tables: [
      paced.table,
      {
        title: `${show(idleSockets)} idle WebSockets`,
        columns: ["Server, resident", "MiB"],
        rows: [
          ["without", idle.before],
          ["with", idle.after],
        ],
      },
      {
        title: `Catching up on ${show(missed)} missed events over a WebSocket`,
        columns: ["", "ms"],
        rows: [["from connecting to the last of them, median of 3", median(caughtUp)]],
      },
      waits.table,
    ],
    goals: [
      {
        text: "p99 at most 50 ms at 100 subscribers and 500 events/s",
        measured: `${show(hundred)} ms`,
        met: hundred <= 50,
      },
      {
        text: `at most 150 MiB with ${show(idleSockets)} idle WebSockets`,
        measured: `${idle.after.toFixed(0)} MiB`,
        met: idle.after <= 150,
      },
      {
        text: `${show(missed)} missed events within 1 s`,
        measured: `${show(median(caughtUp))} ms`,
        met: median(caughtUp) <= 1000,
      },
    ],
  };
}

async function publish(url: string): Promise<void> {
  const body = `{"topic":"bench","data":${clockNow()}}`;
  await (await fetch(`${url}/api/events/publish`, { method: "POST", body })).arrayBuffer();
}

async function fanOut(): Promise<{ table: Table; p99At100: number }> {
  const rows: Table["rows"] = [];
  let p99At100 = Number.NaN;
  for (const [subscribers, rate] of [
    [1, 500],
    [100, 500],
    [1000, 50],
  ] as const) {
    const koor = await startKoor(temporaryDirectory(), flags);
    const followers = await startWorkers("stream-clients.ts", [koor.url, "subscribers", String(subscribers)]);
    for (let count = 0; count < 100; count++) await publish(koor.url);
    await settled(followers);
    const pacedReport = await run(followers, () => publishPaced(koor.url, rate));
    const flatOut = await run(followers, () => publishFlatOut(koor.url));
    const p99 = percentile(pacedReport.latencies, 0.99);
    if (subscribers === 100) p99At100 = p99;
    rows.push([
      subscribers,
      rate,
      percentile(pacedReport.latencies, 0.5),
      p99,
      flatOut.received / subscribers / flatOut.seconds,
      flatOut.received / flatOut.seconds,
    ]);
    await followers.stop();
    await koor.stop();
  }
  const columns = ["Subscribers", "Paced events/s", "p50 ms", "p99 ms", "Flat out events/s", "Deliveries/s"];
  return { table: { title: "Publishing to WebSocket subscribers", columns, rows }, p99At100 };
}

type Followers = Awaited<ReturnType<typeof startWorkers>>;

async function run(followers: Followers, work: () => Promise<void>): Promise<Report> {
  await work();
  return settled(followers);
}

/** What was received, once nothing more comes. */
async function settled(followers: Followers): Promise<Report> {
  await Bun.sleep(1500);
  return (await followers.ask("report")) as Report;
}

async function publishPaced(url: string, rate: number): Promise<void> {
  const started = performance.now();
  const answers: Promise<void>[] = [];
  while (performance.now() - started < seconds * 1000) {
    const due = ((performance.now() - started) * rate) / 1000;
    while (answers.length < due) answers.push(publish(url));
    await Bun.sleep(1);
  }
  await Promise.all(answers);
}

async function publishFlatOut(url: string): Promise<void> {
  const end = performance.now() + seconds * 1000;
  const one = async () => {
    while (performance.now() < end) await publish(url);
  };
  await Promise.all(Array.from({ length: flatOutPublishers }, one));
}

async function idleMemory(): Promise<{ before: number; after: number }> {
  const koor = await startKoor(temporaryDirectory(), flags);
  await Bun.sleep(2000);
  const before = await residentMiB(koor.pid);
  const sockets = await startWorkers("stream-clients.ts", [koor.url, "idle", String(idleSockets)]);
  await Bun.sleep(5000);
  const after = await residentMiB(koor.pid);
  await sockets.stop();
  await koor.stop();
  return { before, after };
}

async function catchUp(): Promise<number[]> {
  const koor = await startKoor(temporaryDirectory(), flags);
  for (let count = 0; count < missed; count += 100) {
    await Promise.all(Array.from({ length: 100 }, () => publish(koor.url)));
  }
  const took: number[] = [];
  for (let round = 0; round < 3; round++) took.push(await receiveAll(koor));
  await koor.stop();
  return took;
}

function receiveAll({ url }: Served): Promise<number> {
  const started = performance.now();
  const socket = new WebSocket(`${url.replace("http", "ws")}/api/events/subscribe?after=0`);
  let received = 0;
  return new Promise((resolve, reject) => {
    socket.onerror = reject;
    socket.onmessage = () => {
      received += 1;
      if (received < missed) return;
      socket.close();
      resolve(performance.now() - started);
    };
  });
}

/** PUTs of keys that nobody waits for, with and without others who wait. */
async function waitersCost(): Promise<{ table: Table }> {
  const koor = await startKoor(temporaryDirectory(), flags);
  const load = { url: `${koor.url}/api/state/k`, connections: 16, seconds, put: { bytes: 200, keys: 100 } };
  const without: number[] = [];
  const withWaiters: number[] = [];
  for (let round = 0; round < waitRounds; round++) {
    without.push((await runLoad(load)).perSecond);
    const waiting = await startWorkers("stream-clients.ts", [koor.url, "waiters", String(waiters)]);
    withWaiters.push((await runLoad(load)).perSecond);
    await waiting.stop();
  }
  await koor.stop();
  return {
    table: {
      title: `PUTs at 16 connections while ${show(waiters)} requests wait for other keys`,
      columns: ["", "PUT/s"],
      rows: [
        ["nobody waits", median(without)],
        [`${show(waiters)} wait`, median(withWaiters)],
        ["ratio", ratioOf(withWaiters, without).shown],
      ],
    },
  };
}
