import { rmSync } from "node:fs";
import { compileGlobs } from "../src/core/glob.ts";
import { type Follower, type Told, type Way, follow, ways } from "./followers.ts";
import { type TestServer, startServer, temporaryDirectory } from "./harness.ts";
import { trimEvents } from "./rows.ts";

/**
 * LOG-2 under stress: publishers, readers over all three transports that pause at random, connections that are cut, events
 * that retention takes, and a server that is stopped and started again on its directory. At the end every reader's list is compared with
 * the log: each event that matches once and in order, or within a gap that was told.
 */

export interface TortureOptions {
  /** The same seed makes the same choices; how they meet the server's timing is up to the machine. */
  seed: number;
  seconds: number;
}

export interface TortureReport {
  events: number;
  /** Over all readers. */
  received: number;
  gaps: number;
  cuts: number;
  restarts: number;
  trims: number;
  /** What is wrong; empty when nothing is. */
  faults: string[];
}

const topics = ["api.a", "api.b", "ui.a", "ui.b.c", "deep/x y", "héé", "noise"];
/** The last event of all, which every reader waits for. */
const endTopic = "the end";
const patterns = ["*", "api.*", "ui.?", "{deep,h}*", "[au]*.a", "nothing.matches", "noise"];
const readersPerWay = 5;
/** Many, since one fsync takes the events of all that wait for it. */
const publishers = 24;

export async function tortureStreams({ seed, seconds }: TortureOptions): Promise<TortureReport> {
  const random = randomOf(seed);
  const directory = temporaryDirectory();
  const stage: Stage = { server: await startServer([], { directory }), random, over: false, published: [] };
  const report: TortureReport = {
    events: 0,
    received: 0,
    gaps: 0,
    cuts: 0,
    restarts: 0,
    trims: 0,
    faults: [],
  };
  const { epoch } = await stage.server
    .json("/api/events/next")
    .then(({ headers }) => ({ epoch: headers.get("koor-epoch")! }));
  const readers = ways.flatMap((way) =>
    Array.from({ length: readersPerWay }, (_, index) =>
      read(
        stage,
        {
          way,
          pattern: `${patterns[index % patterns.length]},${endTopic}`,
          epoch,
          random: randomOf(seed + index + 1),
        },
        report,
      ),
    ),
  );
  const writers = Array.from({ length: publishers }, (_, index) =>
    write(stage, randomOf(seed * 31 + index), index),
  );
  await meddle(stage, report, seconds);
  stage.over = true;
  await Promise.all(writers);
  await publish(stage, endTopic, "0", "the-end");
  const lists = await Promise.all(readers);
  judge(stage.published, lists, report);
  await stage.server.close();
  rmSync(directory, { recursive: true, force: true });
  return report;
}

interface Stage {
  server: TestServer;
  random: () => number;
  over: boolean;
  /** Topic by id: the whole log, also what retention took. */
  published: (string | undefined)[];
}

/** Restarts the server and trims the log, every now and then. */
async function meddle(stage: Stage, report: TortureReport, seconds: number): Promise<void> {
  const { random } = stage;
  const { directory } = stage.server;
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    await Bun.sleep(50 + random() * 400);
    if (random() < 0.25) {
      await stage.server.close();
      stage.server = await startServer([], { directory });
      report.restarts += 1;
    } else if (random() < 0.6) {
      // What the job does each minute, with less mercy.
      const last = stage.published.length - 1;
      await trimEvents(stage.server, last - Math.floor(random() ** 2 * 80));
      report.trims += 1;
    }
  }
}

/** Publishes in bursts; sends again under the same key until it is answered, so that the whole log is known. */
async function write(stage: Stage, random: () => number, writer: number): Promise<void> {
  for (let count = 0; !stage.over; count++) {
    const topic = topics[Math.floor(random() * topics.length)]!;
    const size = random() < 0.05 ? random() * 200_000 : random() * 200;
    await publish(stage, topic, JSON.stringify("x".repeat(size)), `${writer}-${count}`);
    if (random() < 0.1) await Bun.sleep(random() * 100);
  }
}

async function publish(stage: Stage, topic: string, data: string, key: string): Promise<void> {
  for (;;) {
    try {
      const { status, body } = await stage.server.json("/api/events/publish", {
        method: "POST",
        body: `{"topic":${JSON.stringify(topic)},"data":${data}}`,
        headers: { "Idempotency-Key": key },
      });
      if (status === 200) {
        stage.published[body.id] = topic;
        return;
      }
    } catch {
      // The server is away.
    }
    await Bun.sleep(20);
  }
}

interface ReaderOptions {
  way: Way;
  pattern: string;
  epoch: string;
  random: () => number;
}

interface List extends ReaderOptions {
  told: Told[];
}

/** Reads until the end, across cuts, from where it was. */
async function read(stage: Stage, options: ReaderOptions, report: TortureReport): Promise<List> {
  const { way, pattern, epoch, random } = options;
  const told: Told[] = [];
  let after = 0;
  for (;;) {
    let follower: Follower;
    try {
      follower = await follow(way, stage.server.url, { pattern, after, epoch });
    } catch (error) {
      if (/refused: HTTP\/1.1 4/.test((error as Error).message)) {
        report.faults.push(`${way} ${pattern} after ${after}: ${(error as Error).message}`);
        return { ...options, told };
      }
      await Bun.sleep(30);
      continue;
    }
    const cutAfter = Math.floor(random() * 400);
    for (let count = 0; ; count++) {
      const next = await follower.next();
      if (next?.kind === "entry" || next?.kind === "gap") {
        told.push(next);
        after = next.kind === "entry" ? next.id : next.to;
        if (next.kind === "entry" && next.raw.includes(`"topic":"${endTopic}"`)) {
          follower.cut();
          return { ...options, told };
        }
      } else if (next === undefined) break;
      if (random() < 0.01) {
        follower.pause();
        await Bun.sleep(random() * 500);
        follower.resume();
      }
      if (count === cutAfter) {
        follower.cut();
        report.cuts += 1;
        break;
      }
    }
    await Bun.sleep(random() ** 2 * 400);
  }
}

/** Compares what each reader was told with what was published. */
function judge(
  published: readonly (string | undefined)[],
  lists: readonly List[],
  report: TortureReport,
): void {
  report.events = published.length - 1;
  for (let id = 1; id < published.length; id++) {
    if (published[id] === undefined) report.faults.push(`no publisher was answered with id ${id}`);
  }
  for (const { way, pattern, told } of lists) {
    const glob = compileGlobs(pattern);
    const fault = (text: string) => report.faults.push(`${way} ${pattern}: ${text}`);
    let position = 0;
    for (const one of told) {
      if (one.kind === "close") continue;
      const from = one.kind === "entry" ? one.id : one.from;
      if (from <= position) fault(`${from} came after ${position}`);
      // What was passed over without a word must not match.
      for (let id = position + 1; id < from; id++)
        if (glob.test(published[id] ?? "")) fault(`${id} is missing`);
      if (one.kind === "gap") report.gaps += 1;
      else {
        report.received += 1;
        const { topic } = JSON.parse(one.raw) as { topic: string };
        if (topic !== published[one.id] || !glob.test(topic))
          fault(`${one.id} is ${topic}, not ${published[one.id]}`);
      }
      position = one.kind === "entry" ? one.id : one.to;
    }
    if (position !== published.length - 1) fault(`ended at ${position} of ${published.length - 1}`);
  }
}

/** Mulberry32: small, and the same everywhere. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
