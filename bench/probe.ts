// bun bench/probe.ts URL EVERY_MS SECONDS PATH...: asks each path at a fixed pace and prints the times it took as JSON.
// At a fixed pace, because a prober that waits for its answer asks least often just when the server is slow.
export interface Probed {
  path: string;
  /** Milliseconds from when the request was due to the end of its answer. */
  times: number[];
  errors: number;
}

const [url = "", every = "10", seconds = "1", ...paths] = process.argv.slice(2);
const results: Probed[] = paths.map((path) => ({ path, times: [], errors: 0 }));

async function ask(probed: Probed, due: number): Promise<void> {
  try {
    const response = await fetch(url + probed.path);
    await response.arrayBuffer();
    if (!response.ok) probed.errors += 1;
  } catch {
    probed.errors += 1;
  }
  probed.times.push(performance.now() - due);
}

const startedAt = performance.now();
const asked: Promise<void>[] = [];
for (let count = 0; count < (Number(seconds) * 1000) / Number(every); count++) {
  const due = startedAt + count * Number(every);
  await Bun.sleep(Math.max(0, due - performance.now()));
  for (const probed of results) asked.push(ask(probed, due));
}
await Promise.all(asked);
console.log(JSON.stringify(results));
