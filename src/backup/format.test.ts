import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import type { DumpRow } from "../core/dump.ts";
import { commit, publish, put, remove } from "../store/conformance.ts";
import { openMemory } from "../store/memory/open.ts";
import { readBackup, verifyBackup } from "./read.ts";
import { streamOf } from "./stream.ts";
import { writeBackup } from "./write.ts";

/** Something of everything, with values of all kinds of bytes. */
async function filledStore() {
  const store = openMemory({ now: () => 1000 });
  await store.commit(commit(put("a", "1"), put("s", "spec", undefined, "specs"), put("gone", "x")));
  await store.commit(
    commit(put("a", "\u0000\n\u{1F600}"), publish("t", '{"n":12345678901234567890}', "alice")),
  );
  await store.commit(commit(remove("gone"), publish("u", '"\u2028"')));
  await store.commit({ ...commit(put("b", "")), once: { key: "k", fingerprint: "f", note: "1" } });
  return store;
}

async function bytesOf(rows: AsyncIterable<DumpRow>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of writeBackup(rows, 0)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** In pieces of a size, as they may come over a wire. */
async function* inPieces(bytes: Uint8Array, size = bytes.length || 1): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function rowsOf(rows: AsyncIterable<DumpRow>): Promise<DumpRow[]> {
  const all: DumpRow[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

const lines = (bytes: Uint8Array) => new TextDecoder().decode(bytes).split("\n").slice(0, -1);
const fault = (bytes: Uint8Array) =>
  verifyBackup(inPieces(bytes)).then(
    () => "",
    (error: Error & { reason?: string }) => `${error.reason}: ${error.message}`,
  );

/** The last line anew, for what was changed on purpose. */
function sealed(changed: readonly string[]): Uint8Array {
  const body = changed.slice(0, -1).join("\n") + "\n";
  const end = JSON.parse(changed.at(-1) as string) as { end: { sha256: string } };
  end.end.sha256 = createHash("sha256").update(body).digest("hex");
  return new TextEncoder().encode(`${body}${JSON.stringify(end)}\n`);
}

describe("a backup's bytes", () => {
  test("are read as the rows that were written, however they are cut into pieces", async () => {
    const store = await filledStore();
    const rows = await rowsOf(store.dump());
    const bytes = await bytesOf(store.dump());
    for (const size of [1, 7, 1000, bytes.length]) {
      expect(await rowsOf(readBackup(inPieces(bytes, size)))).toEqual(rows);
    }
    expect(await verifyBackup(inPieces(bytes))).toEqual({
      state: 2,
      specs: 1,
      rules: 0,
      instances: 0,
      versions: 7,
      records: 5,
      events: 2,
      usage: 0,
      metrics: 0,
      audit: 6,
    });
  });

  test("hold large values in pieces that join", async () => {
    const store = openMemory({ now: () => 0 });
    for (const size of [0, 1, 98_303, 98_304, 98_305, 1_000_001]) {
      const value = new Uint8Array(size).map((_, index) => index * 31);
      await store.commit(commit({ ...put(`k${size}`, ""), value } as never));
    }
    let largest = 0;
    const pieces: Uint8Array[] = [];
    for await (const piece of writeBackup(store.dump(), 0)) {
      pieces.push(piece);
      largest = Math.max(largest, piece.length);
    }
    expect(largest).toBeLessThan(300_000);
    expect(await rowsOf(readBackup(inPieces(Buffer.concat(pieces))))).toEqual(await rowsOf(store.dump()));
  });

  test("are refused when a byte is changed, cut, doubled or moved, wherever it is (LIMIT-1)", async () => {
    const bytes = await bytesOf((await filledStore()).dump());
    const whole = lines(bytes);
    const place = fc.nat(bytes.length - 1);
    const lineAt = fc.nat(whole.length - 1);
    const damage = fc.oneof(
      fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
        const copy = bytes.slice();
        copy[at] = (copy[at] as number) ^ by;
        return copy;
      }),
      place.map((at) => bytes.slice(0, at)),
      fc
        .tuple(place, place)
        .map(([a, b]) => Buffer.concat([bytes.slice(0, Math.min(a, b)), bytes.slice(Math.max(a, b) + 1)])),
      lineAt.map((at) => join(whole.toSpliced(at, 0, whole[at] as string))),
      lineAt.map((at) => join(whole.toSpliced(at, 1))),
      fc
        .tuple(lineAt, lineAt)
        .filter(([a, b]) => a !== b)
        .map(([a, b]) => {
          const copy = [...whole];
          [copy[a], copy[b]] = [copy[b] as string, copy[a] as string];
          return join(copy);
        }),
    );
    await fc.assert(
      fc.asyncProperty(damage, async (damaged) => {
        expect(await fault(damaged)).toStartWith("bad_request: ");
      }),
      { numRuns: 1000 },
    );
  });

  function join(texts: readonly string[]): Uint8Array {
    return new TextEncoder().encode(texts.map((text) => `${text}\n`).join(""));
  }

  test("are refused with what is wrong, and where", async () => {
    const bytes = await bytesOf((await filledStore()).dump());
    const whole = lines(bytes);
    const index = (kind: string, nth = 0) =>
      whole.flatMap((line, at) => (line.startsWith(`{"${kind}"`) ? [at] : []))[nth] as number;
    const changed = (kind: string, from: string, to: string, nth = 0) =>
      fault(sealed(whole.with(index(kind, nth), (whole[index(kind, nth)] as string).replace(from, to))));
    const swapped = (a: number, b: number) =>
      fault(sealed(whole.with(a, whole[b] as string).with(b, whole[a] as string)));

    expect(await fault(new Uint8Array())).toContain("it is empty");
    expect(await fault(join(["hello"]))).toContain("this is no backup");
    expect(await fault(bytes.slice(0, -1))).toContain("cut off in the middle of a line");
    expect(await fault(join(whole.slice(0, -1)))).toContain(
      "its last line, with counts and checksum, is missing",
    );
    expect(await fault(join([...whole, "{}"]))).toContain("comes after its end");
    const header = whole[0] as string;
    expect(await fault(join(whole.with(0, header.replace('"version":1', '"version":2'))))).toContain(
      "newer Koor",
    );
    expect(await fault(join(whole.with(0, header.replace('"schema":3', '"schema":4'))))).toContain(
      "newer Koor",
    );
    expect(await fault(join(whole.with(0, header.replace("1970", "1971"))))).toContain("checksum");
    expect(await changed("version", "specs", "future")).toContain("no row that this Koor knows");
    expect(await changed("version", '"value":"', '"value":"AAAA')).toContain("its value is not of its size");
    expect(await changed("event", '"id":2', '"id":3', 1)).toContain("event 3 follows event 1");
    expect(await changed("audit", "state.put", "state.pat", 2)).toContain("does not have the hash");
    expect(await changed("heads", '"events":2', '"events":3')).toContain("its newest event is not 3");
    expect(await swapped(index("record"), index("event"))).toContain("in the wrong place");
    expect(await fault(sealed(whole.toSpliced(index("version"), 1)))).toContain("counts of versions");
    expect(await fault(sealed(whole.toSpliced(1, 1)))).toContain("wrong place");
  });
});

describe("the stream of a backup", () => {
  async function* endless(ended: () => void): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield new Uint8Array(10);
    } finally {
      ended();
    }
  }

  test("ends its source when the reader leaves", async () => {
    const ended = Promise.withResolvers<void>();
    let told = 0;
    const reader = streamOf(endless(ended.resolve), () => (told += 1)).getReader();
    await reader.read();
    await reader.cancel();
    await ended.promise;
    expect(told).toBe(1);
  });

  test("breaks off when the reader takes nothing for too long", async () => {
    const ended = Promise.withResolvers<void>();
    const reader = streamOf(endless(ended.resolve), () => undefined, 20).getReader();
    await reader.read();
    await ended.promise;
    const rest = async () => {
      for (;;) await reader.read();
    };
    await expect(rest()).rejects.toThrow("the reader took nothing");
  });

  test("breaks off when its source fails", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(1);
      throw new Error("the disk is away");
    }
    let told = 0;
    const reader = streamOf(failing(), () => (told += 1)).getReader();
    await reader.read();
    await expect(reader.read()).rejects.toThrow("the disk is away");
    expect(told).toBe(1);
  });
});
