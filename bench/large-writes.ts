import { removeDirectory, runScript, startKoor } from "./processes.ts";
import { type Section, percentile } from "./report.ts";
import type { Probed } from "./probe.ts";
import type { Written } from "./large-writer.ts";

const writers = 4;
const megabytes = 10;
const seconds = 8;
const everyMs = 10;

/** Whether somebody who stores large values makes everybody else wait. */
export async function measureLargeWrites(): Promise<Section> {
  const koor = await startKoor();
  await fetch(`${koor.url}/api/state/small`, {
    method: "PUT",
    body: JSON.stringify({ text: "x".repeat(2037) }),
  });
  const paths = ["/api/state/small", "/health"];
  const probe = () => runScript<Probed[]>("probe.ts", [koor.url, String(everyMs), String(seconds), ...paths]);
  await probe();
  const quiet = await probe();
  const writing = runScript<Written>("large-writer.ts", [
    koor.url,
    String(writers),
    String(megabytes),
    String(seconds + 2),
  ]);
  await Bun.sleep(1000);
  const busy = await probe();
  const written = await writing;
  await koor.stop();
  removeDirectory(koor.directory);

  const rows = paths.flatMap((path, at) =>
    [
      { probed: quiet[at]!, when: "nobody writes" },
      { probed: busy[at]!, when: `${writers} clients write` },
    ].map(({ probed, when }) => [
      path,
      when,
      percentile(probed.times, 0.5),
      percentile(probed.times, 0.99),
      Math.max(...probed.times),
      probed.errors,
    ]),
  );
  const failed = busy.reduce((sum, { errors }) => sum + errors, 0) + written.errors;
  return {
    title: "Small reads beside large writes",
    how:
      `A read of 2 KB and \`/health\` every ${everyMs} ms, each for ${seconds} s by a process of its own that waits for nobody (a time ` +
      `counts from when the request was due), while ${writers} clients PUT values of ${megabytes} MiB without a pause ` +
      `(${written.perSecond.toFixed(1)} a second, ${written.errors} errors). Milliseconds.`,
    tables: [{ columns: ["Request", "while", "median", "p99", "worst", "errors"], rows }],
    goals: [
      ...paths.map((path, at) => {
        const p99 = percentile(busy[at]!.times, 0.99);
        return { text: `${path}: p99 at most 100 ms`, measured: `${p99.toFixed(1)} ms`, met: p99 <= 100 };
      }),
      { text: "no errors", measured: String(failed), met: failed === 0 },
    ],
  };
}
