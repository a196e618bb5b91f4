import { freePort, program, residentMiB, startKoor, startTimed, temporaryDirectory } from "./processes.ts";
import { type Section, median } from "./report.ts";

const starts = 15;
const idleMs = 5000;

/** What the server costs a machine that does nothing with it, and how long an agent waits for its start. */
export async function measureIdle(): Promise<Section> {
  const used = temporaryDirectory();
  const empty: number[] = [];
  const again: number[] = [];
  for (let index = 0; index < starts; index++) {
    empty.push(await startTimed(freePort(), temporaryDirectory()));
    again.push(await startTimed(freePort(), used));
  }

  const koor = await startKoor();
  await Bun.sleep(idleMs);
  const idle = await residentMiB(koor.pid);
  const listed = await fetch(`${koor.url}/mcp`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
  });
  if (!listed.ok) throw new Error(`tools/list: ${listed.status} ${await listed.text()}`);
  await listed.arrayBuffer();
  await Bun.sleep(idleMs);
  const withMcp = await residentMiB(koor.pid);
  await koor.stop();

  const start = median(empty);
  return {
    title: "The server at rest",
    how:
      `${program("koor-server").name}: resident memory ${idleMs / 1000} s after its start; from the start of the process to the first ` +
      `connection that its port takes (asked about every ms), ${starts} starts each.`,
    tables: [
      {
        columns: ["", "median", "worst"],
        rows: [
          ["start in an empty directory, ms", start, Math.max(...empty)],
          ["start on existing data, ms", median(again), Math.max(...again)],
        ],
      },
      {
        columns: ["Resident memory", "MiB"],
        rows: [
          ["idle", idle],
          ["idle after the first MCP request, which loads the MCP library", withMcp],
        ],
      },
    ],
    goals: [
      { text: "idle at most 90 MiB resident", measured: `${idle.toFixed(1)} MiB`, met: idle <= 90 },
      { text: "listening within 150 ms", measured: `${start.toFixed(0)} ms`, met: start <= 150 },
    ],
  };
}
