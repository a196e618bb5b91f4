import { expect, test } from "bun:test";
import { createComparer } from "./conflicts.ts";
import { type Lease, globsOf } from "./lease.ts";

/** One name of anything around 120 letters, or two of them: never the same path, and nowhere is that seen early. */
const slow = (letter: string, at: number, between: string) =>
  `${`*${letter}`.repeat(60)}*${at}${between}${`*${letter}`.repeat(60)}*`;
const paths = (letter: string, between: string) =>
  Array.from({ length: 32 }, (_, at) => slow(letter, at, between));
const globs = (of: string[]) => globsOf({ resource: "", paths: of });
const leases = Array.from(
  { length: 1000 },
  (_, at) => ({ id: `${at}`, globs: globs(paths("a", "")) }) as unknown as Lease,
);

test("a request that is too slow to compare is refused, and others go on meanwhile (LIMIT-1)", async () => {
  const compare = createComparer(20_000_000);
  let others = 0;
  let going = true;
  const beside = (async () => {
    for (; going; others++) await new Promise((resolve) => setImmediate(resolve));
  })();
  // Two at a time take turns: that many bites each.
  const refused = await Promise.all(
    [1, 2].map(() =>
      compare(globs(paths("b", "*/")))(leases).catch(
        (error: unknown) => (error as { reason: string }).reason,
      ),
    ),
  );
  going = false;
  await beside;
  expect(refused).toEqual(["over_budget", "over_budget"]);
  expect(others).toBeGreaterThan(150);
}, 60_000);

test("a request for plain paths is not, whatever it is compared with", async () => {
  const compare = createComparer();
  expect(await compare(globs(["src/main.ts"]))(leases)).toEqual([]);
  expect(await compare(globs([slow("a", 7, "")]))(leases.slice(0, 10))).toHaveLength(10);
}, 60_000);
