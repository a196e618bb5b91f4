import { type Served, startKoor, startScript, temporaryDirectory } from "./processes.ts";
import { type Section, median, percentile, ratioOf } from "./report.ts";

const webhooks = 1000;
const rounds = 4;
/** Events of each server in a round. */
const events = 15;
/** How long both servers have nothing to do before each event, in milliseconds: what came to an end is written then. */
const calm = 200;
/** Events that are published at a steady pace while the deliveries of those before them go on. */
const steady = { events: 15, everyMs: 1000 };
const goal = 1.1;

const post = (url: string, body: object) =>
  fetch(url, { method: "POST", body: JSON.stringify(body) }).then(async (response) => {
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return response.json();
  });

/** Milliseconds until whoever publishes has his answer. */
async function publish(koor: Served): Promise<number> {
  const began = performance.now();
  await post(`${koor.url}/api/events/publish`, { topic: "bench", data: { n: 1 } });
  return performance.now() - began;
}

/** What an event costs whoever publishes it when a thousand webhooks want it, and how fast they have it. */
export async function measureWebhooks(): Promise<Section> {
  const receiver = await startScript("webhook-receiver.ts", temporaryDirectory());
  const received = async () => Number(await (await fetch(receiver.url)).text());
  const [without, beside] = [await startKoor(), await startKoor()];
  for (let n = 0; n < webhooks; n++)
    await post(`${beside.url}/api/webhooks`, {
      id: `w${n}`,
      url: `${receiver.url}/${n}`,
      patterns: ["bench"],
    });
  let wanted = 0;
  const delivered = async () => {
    while ((await received()) < wanted) await Bun.sleep(20);
  };

  const [answers, alone, rates] = [[] as number[], [] as number[], [] as number[]];
  const medians = { beside: [] as number[], without: [] as number[] };
  for (let round = -1; round < rounds; round++) {
    const [mine, theirs] = [[] as number[], [] as number[]];
    const toAll = async () => {
      const began = performance.now();
      mine.push(await publish(beside));
      wanted += webhooks;
      await delivered();
      if (round >= 0) rates.push(webhooks / ((performance.now() - began) / 1000));
    };
    for (let n = 0; n < events; n++) {
      // Which is first changes, since a disk that was just busy is slower.
      const turns = [async () => void theirs.push(await publish(without)), toAll];
      for (const turn of n % 2 === 0 ? turns : turns.toReversed()) {
        await turn();
        await Bun.sleep(calm);
      }
    }
    // The first round warms up.
    if (round < 0) continue;
    answers.push(...mine);
    alone.push(...theirs);
    medians.beside.push(median(mine));
    medians.without.push(median(theirs));
  }

  const paced: number[] = [];
  for (let n = 0; n < steady.events; n++) {
    const next = Bun.sleep(steady.everyMs);
    paced.push(await publish(beside));
    wanted += webhooks;
    await next;
  }
  await delivered();
  const lost = wanted - (await received());
  for (const server of [without, beside, receiver]) await server.stop();

  const ratio = median(answers) / median(alone);
  const range = ratioOf(medians.beside, medians.without).shown.replace(/^\S+ /, "");
  const row = (name: string, times: readonly number[]) => [name, median(times), percentile(times, 0.99)];
  return {
    title: "Webhooks",
    how:
      `Time until the answer to \`POST /api/events/publish\`, of a server without webhooks and of one with ${webhooks.toLocaleString("en")} that all ` +
      `want the event, event by event in turns, each ${calm} ms after the one before it was delivered to all. ${rounds} rounds of ${events} events. ` +
      `All receivers are one process on the same machine, and all deliveries go over a connection of their own.`,
    tables: [
      {
        columns: ["Publishing", "median ms", "p99 ms"],
        rows: [
          row("without webhooks", alone),
          row(`with ${webhooks}`, answers),
          row(`with ${webhooks}, an event every ${steady.everyMs / 1000} s whatever is under way`, paced),
        ],
      },
      {
        columns: ["Deliveries", ""],
        rows: [["a second, one event to all", median(rates)]],
      },
    ],
    goals: [
      {
        text: `the answer is not slower by more than ${Math.round((goal - 1) * 100)}%`,
        measured: `${ratio.toFixed(2)} ${range}`,
        met: ratio <= goal,
      },
      { text: "every delivery came", measured: `${lost} lost`, met: lost === 0 },
    ],
    limits: [
      "What an answer takes here is mostly an fsync, whose time differs by more from round to round (in brackets) than the two servers do.",
    ],
  };
}
