import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestServer, startServer } from "./harness.ts";
import { historiesOf, linearizable as judge } from "./proof/over-http.ts";
import { type Random, seeded } from "./proof/random.ts";
import type { Ask } from "./proof/register-history.ts";
import { type Answer, type Call, type Operation, register } from "./proof/register.ts";

/** An operation from one moment to another. */
function op(calledAt: number, answeredAt: number, call: Call, answer?: Answer): Operation {
  return { call, answer, calledAt, answeredAt };
}
const write = (value: string, expected?: number): Call => ({
  kind: "write",
  value,
  ...(expected !== undefined && { expected }),
});
const written = (version: number): Answer => ({ kind: "written", version });
const read: Call = { kind: "read" };
const found = (version: number, value: string): Answer => ({ kind: "read", version, value });
const absent: Answer = { kind: "absent" };

describe("the checker of linearizability", () => {
  test("accepts what one after the other could have done", () => {
    expect(judge([])).toBe(true);
    expect(judge([op(0, 1, write("a"), written(1)), op(2, 3, read, found(1, "a"))])).toBe(true);
    // A read at the same time as a write sees either side of it.
    expect(judge([op(0, 9, write("a"), written(1)), op(1, 2, read, absent)])).toBe(true);
    expect(judge([op(0, 9, write("a"), written(1)), op(1, 2, read, found(1, "a"))])).toBe(true);
  });

  test("refuses a stale read, a write that is lost, and two winners of one version", () => {
    const first = op(0, 1, write("a"), written(1));
    const second = op(2, 3, write("b"), written(2));
    expect(judge([first, second, op(4, 5, read, found(1, "a"))])).toBe(false);
    expect(judge([first, op(2, 3, read, absent)])).toBe(false);
    expect(judge([first, op(2, 9, write("b", 1), written(2)), op(3, 8, write("c", 1), written(2))])).toBe(
      false,
    );
    expect(judge([first, op(2, 9, write("b", 1), written(2)), op(3, 8, write("c", 1), written(3))])).toBe(
      false,
    );
    // Two readers at the same time as a write, of whom the later one sees the older value.
    const slow = op(2, 9, write("b"), written(2));
    expect(judge([first, slow, op(3, 4, read, found(2, "b")), op(5, 6, read, found(1, "a"))])).toBe(false);
  });

  test("takes an answer that nobody saw for done at any time, or never", () => {
    const first = op(0, 1, write("a"), written(1));
    const unknown = op(2, Infinity, write("b"));
    const early = op(3, 4, read, found(1, "a"));
    const late = op(5, 6, read, found(2, "b"));
    expect(judge([first, unknown])).toBe(true);
    expect(judge([first, unknown, early, late])).toBe(true);
    expect(judge([first, unknown, op(3, 4, read, found(2, "b")), op(5, 6, read, found(1, "a"))])).toBe(false);
    expect(judge([first, op(7, Infinity, write("b")), late])).toBe(false);
  });

  test("says of random histories what trying every order says", () => {
    const random = seeded("orders");
    const verdicts = { true: 0, false: 0 };
    for (let round = 0; round < 3000; round++) {
      const history = randomHistory(random);
      const expected = anyOrderWorks(history, register.initial);
      verdicts[`${expected}`] += 1;
      expect(judge(history)).toBe(expected);
    }
    expect(Math.min(verdicts.true, verdicts.false)).toBeGreaterThan(300);
  });
});

/** A few operations of a real register at moments that overlap, now and then with an answer changed. */
function randomHistory(random: Random): Operation[] {
  let state = register.initial;
  const history: Operation[] = [];
  for (let n = 0; n < 6; n++) {
    const value = random.pick(["a", "b"]);
    const call = random.pick<Call>([read, write(value), write(value, state.version), { kind: "delete" }]);
    const at = n * 10 + 5;
    const answers: Answer[] = [absent, { kind: "deleted" }, { kind: "mismatch", current: state.version }];
    answers.push(written(state.version + 1), found(state.version, state.value ?? "a"));
    const right = answers.find((answer) => register.step(state, call, answer));
    const answer = random.chance(0.1) ? random.pick(answers) : right;
    const unknown = random.chance(0.1);
    history.push({
      call,
      answer: unknown ? undefined : answer,
      calledAt: at - random.below(30) - random.next(),
      answeredAt: unknown ? Infinity : at + random.below(30) + random.next(),
    });
    state = register.step(state, call, right) ?? state;
  }
  return history;
}

/** The definition, tried out: each next operation is one that no other had ended before it began. */
function anyOrderWorks(
  rest: readonly Operation[],
  state: { version: number; value: string | undefined },
): boolean {
  if (rest.every(({ answeredAt }) => answeredAt === Infinity)) return true;
  return rest.some((operation) => {
    if (rest.some((other) => other.answeredAt < operation.calledAt)) return false;
    const after = register.step(state, operation.call, operation.answer);
    const others = rest.filter((other) => other !== operation);
    return after !== undefined && anyOrderWorks(others, after);
  });
}

describe("the keys of a server", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.dispose());

  test("are linearizable under reads, writes, conditional writes and deletes of many at once (LIN-1)", async () => {
    const histories = await historiesOf(server.ask, "true", "true", 250);
    expect(histories.flat()).toHaveLength(6000);
    // The history is worth judging only if much happened at the same time, and each kind of answer came.
    const kinds = new Set(histories.flat().map(({ answer }) => answer?.kind));
    expect(kinds).toEqual(new Set(["read", "absent", "written", "deleted", "mismatch", undefined]));
    for (const history of histories) expect(judge(history)).toBe(true);
  });

  test("are found not to be, when a cache in between gives a stale read now and then (LIN-1)", async () => {
    const random = seeded("stale");
    const cached = new Map<string, Response>();
    const ask: Ask = async (path, init) => {
      const old = cached.get(path);
      const reads = init?.method === undefined;
      if (reads && old && random.chance(0.02)) return old.clone();
      const answer = await server.ask(path, init);
      if (reads && (!old || random.chance(0.1))) cached.set(path, answer.clone());
      return answer;
    };
    const histories = await historiesOf(ask, "stale", "stale", 100);
    expect(histories.every(judge)).toBe(false);
  });

  test("are found not to be, when a condition is now and then not held against the key (LIN-1)", async () => {
    const random = seeded("lost");
    const ask: Ask = (path, init) => {
      const conditional = JSON.stringify(init?.headers ?? {}) !== "{}";
      if (!conditional || !random.chance(0.05)) return server.ask(path, init);
      const { headers: _, ...unconditional } = init ?? {};
      return server.ask(path, unconditional);
    };
    const histories = await historiesOf(ask, "lost", "lost", 100);
    expect(histories.every(judge)).toBe(false);
  });
});
