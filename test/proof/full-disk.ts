import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { type ServerProcess, startServer, temporaryFolder } from "../../demo/compiled.ts";
import { contentsOfCopy, keepEverything } from "./kill-loop.ts";
import { type Ledger, assertKept, emptyLedger, startLoad } from "./load.ts";
import { type Random, seeded } from "./random.ts";

/** A disk of its own, so that it can be filled: a tmpfs, which only root can mount, and not in every container. */
export interface SmallDisk {
  folder: string;
  /** Takes all room but some. */
  fill(leaveBytes: number): void;
  makeRoom(): void;
  remove(): void;
}

const diskMiB = 32;

/** @returns undefined where this process may not mount one */
export function mountSmallDisk(): SmallDisk | undefined {
  const folder = temporaryFolder();
  const { success } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${diskMiB}m`, "koor-test", folder]);
  if (!success) {
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
  const filler = join(folder, "filler");
  return {
    folder,
    fill(leaveBytes) {
      const { bavail, bsize } = statfsSync(folder);
      appendFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - leaveBytes)));
    },
    makeRoom: () => rmSync(filler, { force: true }),
    remove() {
      Bun.spawnSync(["umount", "--lazy", folder]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface FullDisk {
  seed: number;
  disk: SmallDisk;
  /** How often the disk is filled and room is made again. */
  rounds: number;
  enough?: () => boolean;
}

/**
 * Fills the disk below a working server, to the last byte or nearly. While it is full, reads answer as before and writes
 * are refused as `out_of_space`; with room again they work by themselves, in the same process or after a kill; and nothing
 * that was acknowledged is lost.
 *
 * @throws AssertionError when that is not so
 */
export async function fullDisk({
  seed,
  disk,
  rounds,
  enough,
}: FullDisk): Promise<{ refused: number; ledger: Ledger }> {
  const random = seeded(seed);
  const ledger = emptyLedger();
  const data = join(disk.folder, `data-${seed}`);
  mkdirSync(data);
  const start = () => startServer(data, { flags: keepEverything });
  let server = await start();
  let refused = 0;
  try {
    for (let round = 0; round < rounds && !enough?.(); round++) {
      await work(server, random.fork(`before ${round}`), `before ${round}`, ledger, 40);
      // With some room left it is now this write and now that one that finds none.
      disk.fill(random.pick([0, 4096, 50_000, 300_000]));
      refused += await workUntilRefused(server, random.fork(`full ${round}`), `full ${round}`, ledger);
      await assertReads(server, ledger);
      await backUpAndRestore(server);
      disk.makeRoom();
      if (random.chance(0.5)) {
        server.kill("SIGKILL");
        await server.exited;
        server = await start();
      }
    }
    await work(server, random.fork("after"), "after", ledger, 40);
    server.kill("SIGTERM");
    assert.equal((await server.exited).code, 0);
    assertKept(ledger, contentsOfCopy(data));
    return { refused, ledger };
  } finally {
    server.kill("SIGKILL");
    await server.exited;
    disk.makeRoom();
    rmSync(data, { recursive: true, force: true });
  }
}

const acknowledged = (ledger: Ledger) => ledger.puts.length + ledger.events.length;

function loadOf(server: ServerProcess, random: Random, run: string, ledger: Ledger) {
  return { url: server.url, random, clients: 4, run, valueCharacters: 20_000, ledger };
}

/** With room no write is refused. */
async function work(
  server: ServerProcess,
  random: Random,
  run: string,
  ledger: Ledger,
  writes: number,
): Promise<void> {
  const goal = acknowledged(ledger) + writes;
  const refusals: number[] = [];
  const onRefusal = (status: number) => refusals.push(status) < 0;
  const load = startLoad({ ...loadOf(server, random, run, ledger), onRefusal });
  while (acknowledged(ledger) < goal && refusals.length === 0) await Bun.sleep(2);
  load.stop();
  await load.done;
  assert.deepEqual(refusals, [], "refusals while there is room");
}

/** Writes go on until the disk refused many of them, each as what it is. */
async function workUntilRefused(
  server: ServerProcess,
  random: Random,
  run: string,
  ledger: Ledger,
): Promise<number> {
  const refusals: number[] = [];
  const onRefusal = (status: number) => {
    refusals.push(status);
    return status === 507;
  };
  const load = startLoad({ ...loadOf(server, random, run, ledger), onRefusal });
  while (refusals.length < 40 && refusals.every((status) => status === 507)) await Bun.sleep(2);
  load.stop();
  await load.done;
  assert.deepEqual(
    refusals.filter((status) => status !== 507),
    [],
    "refusals on a full disk",
  );
  return refusals.length;
}

async function assertReads(server: ServerProcess, ledger: Ledger): Promise<void> {
  assert.equal((await fetch(`${server.url}/health`)).status, 200);
  const listed = await fetch(`${server.url}/api/state`);
  assert.equal(listed.status, 200);
  await listed.text();
  for (const { key } of ledger.puts.slice(-20)) {
    const { status } = await fetch(`${server.url}/api/state/${key}`);
    assert.ok(status === 200 || status === 404, `a read on a full disk is answered ${status}`);
  }
}

/**
 * A backup is a read. To restore takes room: without it, it is refused like any write. Where some was left it may pass; what
 * is restored was made a moment before, so that nothing is lost by it either.
 */
async function backUpAndRestore(server: ServerProcess): Promise<void> {
  const backup = await fetch(`${server.url}/api/backup`);
  assert.equal(backup.status, 200, "a backup on a full disk");
  const body = await backup.bytes();
  const restored = await fetch(`${server.url}/api/restore`, { method: "POST", body });
  const said = await restored.text();
  assert.ok(
    restored.status === 507 || restored.status === 200,
    `a restore on a full disk: ${restored.status} ${said}`,
  );
}
