// bun bench/trim.ts: what trimming history does to writes. The same load with and without it, in turns, in one run.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlite } from "../src/store/sqlite/open.ts";

const writers = 32;
const seconds = 5;
const value = new Uint8Array(2048);

/** 32 writers over 64 keys, 2 KB values; with `trim`, passes that remove all but 10 versions follow each other without a pause. */
async function round(
  trim: boolean,
): Promise<{ rate: number; p50: number; p99: number; most: number; removed: number }> {
  const directory = mkdtempSync(join(tmpdir(), "koor-bench-"));
  const store = await openSqlite({ directory, now: Date.now });
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  let removed = 0;
  const trimming = async () => {
    while (trim && performance.now() < end) {
      removed += await store.trimHistory({ keep: 10, spareMs: 0, spareBytes: 0 }, Date.now());
    }
  };
  const writing = Array.from({ length: writers }, async (_, writer) => {
    for (let n = 0; performance.now() < end; n++) {
      const from = performance.now();
      const key = `k${(writer + n * writers) % 64}`;
      await store.commit({
        by: "bench",
        ops: [
          {
            kind: "put",
            collection: "state",
            key,
            value,
            contentType: "a/b",
            audit: { action: "state.put", resource: key },
          },
        ],
      });
      times.push(performance.now() - from);
    }
  });
  await Promise.all([trimming(), ...writing]);
  await store.close();
  rmSync(directory, { recursive: true });
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] as number;
  return { rate: times.length / seconds, p50: at(0.5), p99: at(0.99), most: times.at(-1) as number, removed };
}

const show = (n: number) => n.toFixed(1).padStart(8);
console.log("trim     PUT/s  p50 ms  p99 ms  max ms  removed");
for (let turn = 0; turn < 3; turn++) {
  for (const trim of [false, true]) {
    const { rate, p50, p99, most, removed } = await round(trim);
    console.log(
      `${trim ? "yes" : "no "} ${show(rate)}${show(p50)}${show(p99)}${show(most)} ${String(removed).padStart(8)}`,
    );
  }
}
