import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type SmallDisk, fullDisk, mountSmallDisk } from "./proof/full-disk.ts";
import { killLoop } from "./proof/kill-loop.ts";
import { canRecord, powerCuts } from "./proof/power-cut.ts";

/** What is on the disk, however the server ends: on the compiled server, in short; `npm run torture` has the long runs. */

describe("acknowledged writes", () => {
  test("survive kill -9 at random moments under load, in order, in a database that is whole (DUR-1)", async () => {
    const { kills, ledger } = await killLoop({ seed: 1, kills: 10, longestLife: 200 });
    expect(kills).toBe(10);
    expect(ledger.puts.length).toBeGreaterThan(50);
    expect(ledger.events.length).toBeGreaterThan(20);
  }, 120_000);

  const recordable = canRecord();
  if (!recordable)
    console.log("skipped: DUR-2 by power cuts, there is no strace here (apt-get install strace)");

  test.skipIf(!recordable)(
    "survive a power cut at any sync, whatever the disk did with the rest (DUR-2)",
    async () => {
      const { images, syncs, acknowledged } = await powerCuts({ seed: 1, writes: 400, images: 60 });
      expect(images).toBeGreaterThan(20);
      expect(syncs).toBeGreaterThan(20);
      expect(acknowledged).toBeGreaterThanOrEqual(400);
    },
    120_000,
  );
});

describe("a full disk", () => {
  let disk: SmallDisk | undefined;
  beforeAll(() => {
    disk = mountSmallDisk();
    if (!disk)
      console.log("skipped: DISK-1, a small tmpfs can only be mounted by root, and not in this container");
  });
  afterAll(() => disk?.remove());

  test("is answered with reads as before and 507 for writes, loses nothing, and is over when there is room (DISK-1)", async () => {
    if (!disk) return;
    const { refused, ledger } = await fullDisk({ seed: 1, disk, rounds: 3 });
    expect(refused).toBeGreaterThanOrEqual(3 * 40);
    expect(ledger.puts.length).toBeGreaterThan(50);
  }, 120_000);
});
