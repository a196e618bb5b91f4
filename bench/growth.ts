import { openSqlite } from "../src/store/sqlite/open.ts";
import { type Served, startKoor, temporaryDirectory } from "./processes.ts";
import { type Section, median, show } from "./report.ts";

const sizes = { small: 1_000, large: 1_000_000 };
/** Each request is made this often on either server, in turns. */
const samples = 400;
/** So many events have each topic, whatever the size: an answer of a history is the same work. */
const eventsATopic = 100;
const opsACommit = 1_000;
/** Nothing is trimmed while this runs. */
const flags = ["--event-retention", "2000000"];

/** What a thousand times as much in the store costs those who use it. */
export async function measureGrowth(): Promise<Section> {
  const small = await filled(sizes.small);
  const large = await filled(sizes.large);
  const rows: (string | number)[][] = [];
  const goals: Section["goals"] = [];
  for (const [name, ask] of Object.entries(requests)) {
    const took: Record<keyof typeof sizes, number[]> = { small: [], large: [] };
    for (let sample = 0; sample < samples; sample++) {
      for (const [size, server] of [
        ["small", small],
        ["large", large],
      ] as const) {
        // A stride that meets every key once, far from the last one.
        const key = (sample * 7_919) % sizes[size];
        took[size].push(await ask(server.url, key, sizes[size]));
      }
    }
    const [before, after] = [median(took.small), median(took.large)];
    rows.push([name, before, after, after / before]);
    goals.push({
      text: `${name}: at most 1.5 times slower`,
      measured: (after / before).toFixed(2),
      met: after / before <= 1.5,
    });
  }
  await small.stop();
  await large.stop();
  return {
    title: "As it grows",
    how:
      `The same requests, one at a time, to a server that holds ${show(sizes.small)} keys of 100 bytes and as many events, and to one that ` +
      `holds ${show(sizes.large)} of each. ${samples} of each kind on either, in turns. Milliseconds, median.`,
    tables: [
      { columns: ["Request", `${show(sizes.small)} keys and events`, show(sizes.large), "ratio"], rows },
    ],
    goals,
  };
}

const keyOf = (number: number) => `team/${number % 100}/key-${number}`;
const topicOf = (number: number) => `topic.${number}`;

/** Milliseconds that one request takes. */
type Ask = (url: string, key: number, size: number) => Promise<number>;

const requests: Record<string, Ask> = {
  "GET a key": (url, key) => timed(`${url}/api/state/${keyOf(key)}`),
  "PUT a key": (url, key) =>
    timed(`${url}/api/state/${keyOf(key)}`, { method: "PUT", body: `"${"y".repeat(98)}"` }),
  publish: (url, key, size) =>
    timed(`${url}/api/events/publish`, {
      method: "POST",
      body: JSON.stringify({ topic: topicOf(key % (size / eventsATopic)), data: { n: key } }),
    }),
  "history of one topic, 50 events": (url, key, size) =>
    timed(`${url}/api/events/history?last=50&topic=${topicOf(key % (size / eventsATopic))}`),
  "history by a glob that fits all, 50 events": (url) =>
    timed(`${url}/api/events/history?last=50&topic=*pic*`),
  "list of 50 keys by prefix": (url, key) => timed(`${url}/api/state?prefix=team/${key % 10}/&limit=50`),
  "wake-up of one who waits for a key": wakeUp,
};

async function timed(url: string, init?: RequestInit): Promise<number> {
  const started = performance.now();
  const response = await fetch(url, init);
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return performance.now() - started;
}

/** From before the write to when the one who waited has the new version. */
async function wakeUp(url: string, key: number): Promise<number> {
  const address = `${url}/api/state/${keyOf(key)}`;
  const version = Number((await fetch(address, { method: "HEAD" })).headers.get("x-koor-version"));
  const waiting = fetch(`${address}?after_version=${version}&wait=30s`);
  // So that it waits before the write comes.
  await Bun.sleep(2);
  const started = performance.now();
  await timed(address, { method: "PUT", body: `"${"z".repeat(98)}"` });
  await (await waiting).arrayBuffer();
  return performance.now() - started;
}

/** A server over a store with so many keys and events. Filled without HTTP in between: a million writes are not what is measured. */
async function filled(size: number): Promise<Served> {
  const directory = temporaryDirectory();
  const store = await openSqlite({ directory, now: Date.now });
  const value = new TextEncoder().encode(`"${"x".repeat(98)}"`);
  for (let from = 0; from < size; from += opsACommit) {
    const numbers = Array.from({ length: Math.min(opsACommit, size - from) }, (_, at) => from + at);
    await store.commit({
      by: "bench",
      ops: numbers.flatMap((number) => [
        {
          kind: "put",
          collection: "state",
          key: keyOf(number),
          value,
          contentType: "application/json",
          audit: { action: "state.put", resource: keyOf(number) },
        },
        {
          kind: "append",
          topic: topicOf(number % (size / eventsATopic)),
          data: `{"n":${number}}`,
          source: "bench",
        },
      ]),
    });
  }
  await store.close();
  return startKoor(directory, flags);
}
