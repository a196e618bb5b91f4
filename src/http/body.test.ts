import { describe, expect, test } from "bun:test";
import { bodiesUnderWayBytes, readBody } from "./body.ts";

const mebibyte = 1024 * 1024;
const whole = (bytes: number) =>
  new Request("http://localhost", {
    method: "PUT",
    body: new Uint8Array(bytes),
    headers: { "Content-Length": String(bytes) },
  });

function chunked(chunks: number, fail = false): Request {
  let sent = 0;
  const body = new ReadableStream({
    pull(controller) {
      if (sent === chunks) return fail ? controller.error(new Error("gone")) : controller.close();
      sent += 1;
      controller.enqueue(new Uint8Array(mebibyte).fill(sent));
    },
  });
  return new Request("http://localhost", { method: "PUT", body });
}

describe("bodies", () => {
  test("come whole, with a length and without", async () => {
    for (const request of [whole(3 * mebibyte), chunked(3)]) {
      const { bytes, release } = await readBody(request, 3 * mebibyte);
      expect(bytes.length).toBe(3 * mebibyte);
      release();
    }
  });

  test("over their limit they are refused, and hold no room", async () => {
    for (let time = 0; time < 100; time++) {
      await expect(readBody(whole(2 * mebibyte), mebibyte)).rejects.toMatchObject({ reason: "too_large" });
      await expect(readBody(chunked(2), mebibyte)).rejects.toMatchObject({ reason: "too_large" });
      await expect(readBody(chunked(1, true), 2 * mebibyte)).rejects.toThrow("gone");
    }
    const { release } = await readBody(whole(mebibyte), mebibyte);
    release();
  });

  test("fill the room only so far; the rest is told to come back, and there is room again after a release", async () => {
    const size = 10 * mebibyte;
    const held = await Promise.all(
      Array.from({ length: Math.floor(bodiesUnderWayBytes / size) }, () => readBody(whole(size), size)),
    );
    await expect(readBody(whole(size), size)).rejects.toMatchObject({
      reason: "unavailable",
      details: { retryAfter: 1 },
    });
    await expect(readBody(chunked(10), size)).rejects.toMatchObject({ reason: "unavailable" });
    held.pop()?.release();
    held.push(await readBody(chunked(10), size));
    for (const body of held) body.release();
    // Twice released is once released.
    for (const body of held) body.release();
    const again = await Promise.all(held.map(() => readBody(whole(size), size)));
    for (const body of again) body.release();
  });
});
