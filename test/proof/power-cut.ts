import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type ServerProcess, serverProgram, startServer, temporaryFolder } from "../../demo/compiled.ts";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import { applyCall, emptyDisk, writeCertain, writePossible } from "./disk-image.ts";
import { keepEverything } from "./kill-loop.ts";
import { type Ledger, assertKept, emptyLedger, startLoad } from "./load.ts";
import { type Random, seeded } from "./random.ts";
import { scratchFolder } from "./scratch.ts";
import { readContents } from "./store-contents.ts";
import { type SystemCall, parseStrace, straceCommand } from "./strace-log.ts";

/** Whether this machine can record what a process writes. */
export function canRecord(): boolean {
  return Bun.which("strace") !== null;
}

export interface PowerCut {
  seed: number;
  /** Writes and events that are acknowledged before the recording ends; some 400 fill the WAL to a checkpoint. */
  writes: number;
  /** About how many images to judge: a certain and a possible one at moments all over the recording. */
  images: number;
  enough?: () => boolean;
}

export interface Verdict {
  /** Images that were judged. */
  images: number;
  /** Moments at which something became certain. */
  syncs: number;
  acknowledged: number;
}

/**
 * Records what the compiled server writes and syncs under load, over a kill and a graceful stop, and rebuilds what a
 * disk would hold after a power cut just before each sync. Each of these must open, be whole, hold all that was
 * acknowledged by then, and take another write.
 *
 * @throws AssertionError when one does not
 */
export async function powerCuts(options: PowerCut): Promise<Verdict> {
  const random = seeded(options.seed);
  const { calls, ledger } = await record(options.writes, random.fork("load"));
  const syncs = calls.filter(({ kind }) => kind === "sync").length;
  // The end of the recording is a moment too.
  const share = options.images / 2 / (syncs + 1);
  const disk = emptyDisk();
  const answered = answersIn(ledger);
  const moments = random.fork("moments");
  let images = 0;
  const judgeNow = async () => {
    if (!moments.chance(share) || options.enough?.()) return;
    await judge((folder) => writeCertain(disk, folder), answered.ledger, writeAgain);
    // Until something was acknowledged there may be no schema yet; the product makes it.
    const use = answered.ledger.puts.length === 0 ? writeAgain : undefined;
    await judge((folder) => writePossible(disk, folder, moments), answered.ledger, use);
    images += 2;
  };
  for (const call of calls) {
    if (call.kind === "sync") await judgeNow();
    if (call.kind === "send") answered.read(call.data.toString());
    applyCall(disk, call);
  }
  await judgeNow();
  answered.assertAll();
  return { images, syncs, acknowledged: ledger.puts.length + ledger.events.length };
}

/** One life that ends by a kill, one that ends gracefully. */
async function record(writes: number, random: Random): Promise<{ calls: SystemCall[]; ledger: Ledger }> {
  const folder = temporaryFolder();
  const data = join(folder, "data");
  const ledger = emptyLedger();
  const calls: SystemCall[] = [];
  try {
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      const output = join(folder, `strace.${signal}`);
      const server = await startTraced(output, folder, data);
      const { url } = server;
      const goal = ledger.puts.length + ledger.events.length + writes / 2;
      const load = startLoad({
        url,
        random: random.fork(signal),
        clients: 8,
        run: signal,
        valueCharacters: 9000,
        ledger,
      });
      while (ledger.puts.length + ledger.events.length < goal) await Bun.sleep(5);
      if (signal === "SIGTERM") load.stop();
      if (signal === "SIGTERM") await load.done;
      server.kill(signal);
      await server.exited;
      await load.done;
      calls.push(...parseStrace(await finishedLog(output, server.pid), data));
    }
    return { calls, ledger };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function startTraced(output: string, folder: string, data: string): Promise<ServerProcess> {
  const command = straceCommand(output, [serverProgram]);
  return startServer(folder, { command, flags: [...keepEverything, "--data-dir", data] });
}

/** strace writes its last lines after the process that it follows has gone. */
async function finishedLog(output: string, pid: number): Promise<string> {
  const ended = new RegExp(`^${pid} +\\+\\+\\+ (killed|exited)`, "m");
  for (;;) {
    const log = readFileSync(output, "latin1");
    if (ended.test(log.slice(-10_000))) return log;
    await Bun.sleep(20);
  }
}

/** Reads the answers that the server sent as they come by in the recording. */
function answersIn(seen: Ledger) {
  const ledger = emptyLedger();
  const values = new Map(seen.puts.map(({ key, version, value }) => [`${key}@${version}`, value]));
  return {
    ledger,
    read(text: string): void {
      for (const [, key = "", version] of text.matchAll(/\{"key":"([^"]+)","version":(\d+)/g)) {
        ledger.puts.push({ key, version: Number(version), value: values.get(`${key}@${version}`) });
      }
      for (const [, id, data = ""] of text.matchAll(/\{"id":(\d+),"topic":"load","data":("[^"]*")/g)) {
        ledger.events.push({ id: Number(id), data });
      }
      for (const [, key = ""] of text.matchAll(/\{"deleted":"([^"]+)"\}/g)) {
        ledger.deletes.set(key, (ledger.deletes.get(key) ?? 0) + 1);
      }
    },
    /** @throws AssertionError when a client got an answer that is not in the recording: then it is of no use */
    assertAll(): void {
      const puts = new Set(ledger.puts.map(({ key, version }) => `${key}@${version}`));
      for (const name of values.keys()) assert.ok(puts.has(name), `the recording lacks the answer ${name}`);
      const ids = new Set(ledger.events.map(({ id }) => id));
      for (const { id } of seen.events)
        assert.ok(ids.has(id), `the recording lacks the answer of event ${id}`);
    },
  };
}

/** @param use what to do with the data directory before it is looked at */
async function judge(
  write: (folder: string) => void,
  acknowledged: Ledger,
  use?: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = scratchFolder();
  try {
    write(folder);
    if (use) await use(folder);
    assertKept(acknowledged, readContents(join(folder, "data.db")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The product opens what the cut left, and goes on where it was. */
async function writeAgain(folder: string): Promise<void> {
  const store = await openSqlite({ directory: folder, now: () => 1 });
  const { revision } = await store.heads();
  const value = new TextEncoder().encode("after the cut");
  const audit = { action: "state.put", resource: "again" };
  const outcome = await store.commit({
    ops: [{ kind: "put", collection: "state", key: "again", value, contentType: "text/plain", audit }],
    by: "",
  });
  assert.ok(outcome.ok && outcome.revision === revision + 1, "the first write after the cut");
  await store.close();
}
