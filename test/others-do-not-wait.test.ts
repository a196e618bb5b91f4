import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { type ServerProcess, startServer, temporaryFolder } from "../demo/compiled.ts";

/** Heavy work of one client beside light work of another, on the compiled server: counted, never timed. */

let server: ServerProcess;
beforeAll(async () => {
  server = await startServer(temporaryFolder());
});
afterAll(async () => {
  server.kill("SIGTERM");
  await server.exited;
  rmSync(server.folder, { recursive: true, force: true });
});

/** Does light work, one after the other, until the heavy work is done; says how often it came round. */
async function countBeside(heavy: Promise<unknown>, light: () => Promise<void>): Promise<number> {
  let done = false;
  const ended = heavy.finally(() => (done = true));
  let count = 0;
  while (!done) {
    await light();
    count += 1;
  }
  await ended;
  return count;
}

async function expectOk(path: string): Promise<void> {
  const answer = await fetch(server.url + path);
  expect(answer.status).toBe(200);
  await answer.arrayBuffer();
}

describe("reads (READ-1)", () => {
  test("come many times to each of the 10 MiB values that four clients write meanwhile", async () => {
    const small = { method: "PUT", body: '{"a":1}' };
    expect((await fetch(`${server.url}/api/state/small`, small)).status).toBe(200);
    const body = new Uint8Array(10 * 1024 * 1024).fill(97);
    let writes = 0;
    const writer = async (number: number) => {
      for (let n = 0; n < 2; n++) {
        const answer = await fetch(`${server.url}/api/state/large/${number}`, { method: "PUT", body });
        expect(answer.status).toBe(200);
        await answer.text();
        writes += 1;
      }
    };
    const heavy = Promise.all([1, 2, 3, 4].map(writer));
    const reads = await countBeside(heavy, async () => {
      await expectOk("/api/state/small");
      await expectOk("/health");
    });
    // A read that waits for a write comes once or twice to each.
    expect(reads).toBeGreaterThan(4 * writes);
  }, 60_000);
});

describe("a validation (REGEX-1)", () => {
  // Both would take re2js more than six seconds.
  const content = `${"a".repeat(1_000_000)}b`;
  test.each(["[ab]{0,1000}[bc]", "(.|..|...){1,300}[^a]$"])(
    "of %s over a megabyte ends by its budget, and others are answered all the while",
    async (pattern) => {
      const json = (method: string, path: string, value: unknown) =>
        fetch(server.url + path, { method, body: JSON.stringify(value) });
      const rules = [{ rule_id: "evil", pattern }];
      expect((await json("PUT", "/api/validate/evil/rules", rules)).status).toBe(200);
      const validation = json("POST", "/api/validate/evil", { content });
      const answers = await countBeside(validation, () => expectOk("/health"));
      const verdict = await (await validation).json();
      expect(verdict).toMatchObject({
        code: 422,
        reason: "over_budget",
        error: expect.stringContaining("evil"),
      });
      // Answered one by one all the while; a server that matches in between answers once, and once more at its end.
      expect(answers).toBeGreaterThan(3);
    },
    60_000,
  );
});
