import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startServer, temporaryFolder } from "../../demo/compiled.ts";
import { type Ledger, assertKept, emptyLedger, startLoad } from "./load.ts";
import { seeded } from "./random.ts";
import { scratchFolder } from "./scratch.ts";
import { type StoreContents, readContents } from "./store-contents.ts";

/** So many writes are acknowledged in each life. */
const atLeast = 20;
const acknowledged = ({ puts, events }: Ledger) => puts.length + events.length;

/** Nothing is trimmed while a proof counts. */
export const keepEverything = ["--event-retention", "100000000"];

export interface KillLoop {
  seed: number;
  kills: number;
  /** How long the server works at most before it is killed, in milliseconds; longer where it is slow. */
  longestLife: number;
  /** Ends the loop early; asked before each kill. */
  enough?: () => boolean;
}

/**
 * Starts the compiled server, puts load on it from outside, kills it at a random moment, and does so again on the same
 * directory. What each kill left on the disk is looked at in a copy, so that recovery is the server's own work.
 *
 * @returns how many kills there were, and what was acknowledged over all of them
 * @throws AssertionError when an acknowledged write is lost or the store is not whole
 */
export async function killLoop({
  seed,
  kills,
  longestLife,
  enough,
}: KillLoop): Promise<{ kills: number; ledger: Ledger }> {
  const random = seeded(seed);
  const folder = temporaryFolder();
  const ledger = emptyLedger();
  let done = 0;
  try {
    for (; done < kills && !enough?.(); done++) {
      const server = await startServer(folder, { flags: keepEverything });
      const run = `${done}`;
      const { url } = server;
      const load = startLoad({
        url,
        random: random.fork(run),
        clients: 8,
        run,
        valueCharacters: 6000,
        ledger,
      });
      const before = acknowledged(ledger);
      await Bun.sleep(20 + random.next() * longestLife);
      // A machine that is slow has not begun by then.
      const ended = load.done.then(() => true);
      while (acknowledged(ledger) < before + atLeast && !(await Promise.race([ended, Bun.sleep(1)])));
      server.kill("SIGKILL");
      assert.equal((await server.exited).signal, "SIGKILL");
      await load.done;
      assertKept(ledger, contentsOfCopy(folder));
    }
    await assertReadable(folder, ledger);
    return { kills: done, ledger };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Reads a copy of a data directory: opening a database changes its files. */
export function contentsOfCopy(directory: string): StoreContents {
  const copy = scratchFolder();
  try {
    // Without the index over the WAL, which SQLite builds anew: it is no part of what was made durable.
    const durable = (path: string) => !path.endsWith("-shm") && !path.includes("lock.");
    cpSync(directory, copy, { recursive: true, filter: durable });
    return readContents(join(copy, "data.db"));
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The newest acknowledged version of each key, or a newer one, is what the server answers with. */
async function assertReadable(folder: string, ledger: Ledger): Promise<void> {
  const newest = new Map<string, Ledger["puts"][number]>();
  for (const put of ledger.puts) {
    if (put.version > (newest.get(put.key)?.version ?? 0)) newest.set(put.key, put);
  }
  const server = await startServer(folder, { flags: keepEverything });
  for (const { key, version, value } of newest.values()) {
    const answer = await fetch(`${server.url}/api/state/${key}`);
    const text = await answer.text();
    const found = Number(answer.headers.get("x-koor-version") ?? Infinity);
    assert.ok(found >= version, `${key} was acknowledged at version ${version}, and is read at ${found}`);
    if (found === version) assert.equal(text, value);
  }
  server.kill("SIGTERM");
  assert.equal((await server.exited).code, 0);
  assertKept(ledger, contentsOfCopy(folder));
}
